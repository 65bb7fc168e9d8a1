// One request of Cloudflare's log pull: the lines a zone has received in a time range.
// https://developers.cloudflare.com/logs/logpull/requesting-logs/

import type { Readable } from "node:stream";
import { loadAxios } from "../../client/axios.ts";
import { parseRetryAfterMs } from "../../client/backoff.ts";

export const CLOUDFLARE_URL = "https://api.cloudflare.com/client/v4";

/** The answer has to begin, and to go on, within this long. */
const IDLE_MS = 60_000;
/** Of an answer that is no log, for the message. */
const REASON_BYTES_MAX = 512;

export interface LogpullOptions {
  readonly url: string;
  readonly token: string;
  readonly zone: string;
  readonly fields: readonly string[];
  readonly nowMs: () => number;
}

/** The server has answered and sends no log. */
export class LogpullRefused extends Error {
  override readonly name = "LogpullRefused";
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, retryAfterMs: number | undefined) {
    super(`the server answered ${status}${reason === "" ? "" : `: ${reason}`}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * The bytes of all lines received from `startMs` on and before `endMs`, decompressed, in no order.
 *
 * @throws LogpullRefused, and the connection's error, also in the middle of the bytes when the answer is cut off
 */
export async function* pullReceived(options: LogpullOptions, range: TimeRange, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { url, zone, token, fields, nowMs } = options;
  const nanos = (ms: number): string => String(BigInt(Math.round(ms)) * 1_000_000n);
  const query = new URLSearchParams({
    start: nanos(range.startMs),
    end: nanos(range.endMs),
    fields: fields.join(","),
    timestamps: "unixnano",
  });
  const idle = new IdleTimer(signal);
  try {
    const response = await loadAxios().get<Readable>(`${url}/zones/${encodeURIComponent(zone)}/logs/received?${query}`, {
      headers: { Authorization: `Bearer ${token}`, "Accept-Encoding": "gzip" },
      responseType: "stream",
      validateStatus: () => true,
      signal: idle.signal,
    });
    idle.rest();
    if (response.status !== 200) {
      const retryAfter = response.headers["retry-after"] as string | undefined;
      throw new LogpullRefused(response.status, await readReason(response.data), parseRetryAfterMs(retryAfter, nowMs()));
    }
    const chunks = response.data[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      idle.run();
      const { done, value } = await chunks.next();
      idle.rest();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw idle.hasFired ? new Error(`the server was silent for ${IDLE_MS} ms`) : error;
  } finally {
    idle.end();
  }
}

async function readReason(body: Readable): Promise<string> {
  let text = "";
  for await (const chunk of body as AsyncIterable<Buffer>) {
    text += chunk.toString("utf8");
    if (text.length >= REASON_BYTES_MAX) break;
  }
  return text.slice(0, REASON_BYTES_MAX).replace(/\s+/g, " ").trim();
}

/** Ends a request when nothing comes; rests while who reads is busy with what has come. */
class IdleTimer {
  readonly #abort = new AbortController();
  readonly #outer: AbortSignal;
  readonly #forward = (): void => this.#abort.abort();
  #timer: NodeJS.Timeout | undefined;
  hasFired = false;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#forward();
    outer.addEventListener("abort", this.#forward);
    this.run();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  run(): void {
    this.#timer = setTimeout(() => {
      this.hasFired = true;
      this.#abort.abort();
    }, IDLE_MS);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.rest();
    this.#outer.removeEventListener("abort", this.#forward);
    this.#abort.abort();
  }
}
