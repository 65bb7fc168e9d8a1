// What a client is told when a request is refused: a status, Loki's text, and a reason that is also the metric's label.

export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;
  /** `rate_limited`, `line_too_long` …: the `reason` label of loki_discarded_samples_total. */
  readonly reason: string;
  /** Go's http.Error ends the text with a line feed; the query path does not. */
  readonly newline: boolean;
  constructor(status: number, text: string, options: { reason?: string; newline?: boolean; cause?: unknown } = {}) {
    super(text, { cause: options.cause });
    this.status = status;
    this.reason = options.reason ?? "request";
    this.newline = options.newline ?? true;
  }
}
