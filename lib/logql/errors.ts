// What is wrong with a query, in Loki's words: Grafana and its users look at these texts.

/** A query that cannot be parsed or built. `message` is the whole answer, `detail` the part behind the position. */
export class LogqlError extends Error {
  override readonly name = "LogqlError";
  readonly detail: string;
  /** From 1, in characters; 0 when not known, `line` also for tokens of which Loki does not know it. */
  readonly line: number;
  readonly col: number;

  constructor(message: string, detail: string, line: number, col: number, options?: ErrorOptions) {
    super(message, options);
    this.detail = detail;
    this.line = line;
    this.col = col;
  }

  /** `parse error at line 1, col 2: …`; `parse error : …` when there is no position (an empty query has none). */
  static at(detail: string, line: number, col: number): LogqlError {
    if (line === 0 && col === 0) return LogqlError.semantic(detail);
    return new LogqlError(`parse error at line ${line}, col ${col}: ${detail}`, detail, line, col);
  }

  /** `parse error : …`: the text is well formed, its meaning is not. */
  static semantic(detail: string): LogqlError {
    return new LogqlError(`parse error : ${detail}`, detail, 0, 0);
  }

  /** `parse error : stage '| json a="["' : …`: an op that cannot be built. */
  static stage(opText: string, cause: string): LogqlError {
    return LogqlError.semantic(`stage '${opText}' : ${cause}`);
  }

  /** A query of the wrong kind for its place; Loki gives the bare sentence. */
  static wrongKind(detail: string): LogqlError {
    return new LogqlError(detail, detail, 0, 0);
  }
}
