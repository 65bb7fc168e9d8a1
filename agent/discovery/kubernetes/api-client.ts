// Asks the API server: one JSON answer, or a watch's lines. Over node:https and not the library's own requests, which have no time
// limits, lose the text of errors, and pass over lines that are not JSON.

import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import { VERSION } from "../../../lib/runtime/version.ts";
import { parseRetryAfterMs } from "../../client/backoff.ts";
import { apiErrorOf } from "./api-error.ts";
import type { Connection } from "./connection.ts";

/** A page of a list in bytes; an object is at most 1.5 MiB, so a page is kept from being cut by asking for few objects. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const LINE_BYTES_MAX = 16 * 1024 * 1024;
const ERROR_BYTES_MAX = 64 * 1024;
/** Finds a peer that is gone without a word while a watch is quiet. */
const KEEP_ALIVE_MS = 30_000;

export type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ApiTimeouts {
  /** Until the answer's headers are there, and between two pieces of a list. */
  readonly answerMs: number;
}

export class ApiClient {
  readonly #open: () => Promise<Connection>;
  readonly #timeouts: ApiTimeouts;
  #connection: Promise<Connection> | undefined;

  constructor(open: () => Promise<Connection>, timeouts: ApiTimeouts) {
    this.#open = open;
    this.#timeouts = timeouts;
  }

  /** What is known of the server. @throws Error when the configuration does not lead to one */
  connection(): Promise<Connection> {
    this.#connection ??= this.#open().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  /** The server has refused the credentials: they are read anew for the next request. */
  renew(): void {
    this.#connection = undefined;
  }

  /** @throws ApiError for a status other than 200, Error for anything else that comes in between */
  async getJson(path: string, parameters: Parameters, signal: AbortSignal): Promise<unknown> {
    const { answerMs } = this.#timeouts;
    const response = await this.#request(path, parameters, signal);
    response.setTimeout(answerMs, () => response.destroy(new Error(`server sent nothing more for ${answerMs} ms`)));
    const body = await readAll(response, ANSWER_BYTES_MAX);
    try {
      return JSON.parse(body.toString("utf8"));
    } catch (error) {
      throw new Error(`answer to ${path} is not JSON: ${messageOf(error)}`);
    }
  }

  /**
   * The events of a watch, those that arrive together in one array.
   *
   * @param lifeMs the watch is given up when it is open for longer
   * @throws ApiError, or Error when the stream breaks off, stays open for too long, or has a line that is not JSON
   */
  async *watch(path: string, parameters: Parameters, lifeMs: number, signal: AbortSignal): AsyncGenerator<unknown[]> {
    const response = await this.#request(path, parameters, signal);
    response.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const life = setTimeout(() => response.destroy(new Error(`watch was still open after ${lifeMs} ms: the server is frozen`)), lifeMs);
    try {
      let rest: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) {
        const end = chunk.lastIndexOf(10);
        if (end < 0) rest.push(chunk);
        else {
          const events = parseLines(Buffer.concat([...rest, chunk.subarray(0, end)]));
          rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
          if (events.length > 0) yield events;
        }
        if (rest.reduce((bytes, part) => bytes + part.length, 0) > LINE_BYTES_MAX) {
          throw new Error(`watch sent a line of more than ${LINE_BYTES_MAX} bytes`);
        }
      }
      if (rest.length > 0) throw new Error("watch was cut off within a line");
    } finally {
      clearTimeout(life);
      response.destroy();
    }
  }

  async #request(path: string, parameters: Parameters, signal: AbortSignal): Promise<IncomingMessage> {
    const connection = await this.connection();
    const url = new URL(connection.server + path);
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
    }
    const options = await connection.requestOptions();
    const headers = { Accept: "application/json", "User-Agent": `skald-agent/${VERSION}`, ...options.headers };
    const send = url.protocol === "http:" ? requestHttp : requestHttps;
    const response = await this.#answerTo(send(url, { ...options, headers, signal }));
    if (response.statusCode === 200) return response;
    const retryAfterMs = parseRetryAfterMs(response.headers["retry-after"], Date.now());
    response.setTimeout(this.#timeouts.answerMs, () => response.destroy());
    const body = await readAll(response, ERROR_BYTES_MAX).catch(() => Buffer.alloc(0));
    throw apiErrorOf(response.statusCode ?? 0, body.toString("utf8"), retryAfterMs);
  }

  #answerTo(request: ClientRequest): Promise<IncomingMessage> {
    const { answerMs } = this.#timeouts;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${answerMs} ms`)), answerMs);
      request.once("response", (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      request.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      request.end();
    });
  }
}

async function readAll(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`answer is longer than ${bytesMax} bytes`);
    parts.push(part);
  }
  if (!response.complete) throw new Error("answer was cut off");
  return Buffer.concat(parts);
}

function parseLines(bytes: Buffer): unknown[] {
  return bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        throw new Error(`watch sent a line that is not JSON: ${line.slice(0, 100)}`);
      }
    });
}
