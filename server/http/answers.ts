// How handlers answer: JSON, compressed when the client takes it, and errors in Loki's form.

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createGzip, gzip } from "node:zlib";
import { LogqlError } from "../../lib/logql/errors.ts";
import { plain, type Request } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { createTurns } from "../../lib/runtime/turns.ts";
import { RequestError } from "../errors.ts";

/** Smaller answers are not worth compressing. */
const GZIP_BYTES_MIN = 1024;

/** Loki's answers differ in how they spell their type; clients compare it. */
export const JSON_TYPE = "application/json; charset=UTF-8";

export function json(request: Request, response: ServerResponse, value: unknown, status = 200, type = JSON_TYPE): void {
  body(request, response, status, type, JSON.stringify(value));
}

export function body(request: Request, response: ServerResponse, status: number, type: string, text: string | Buffer): void {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  if (bytes.length < GZIP_BYTES_MIN || !acceptsGzip(request)) {
    response.writeHead(status, { "content-type": type, "content-length": bytes.length });
    response.end(bytes);
    return;
  }
  gzip(bytes, { level: 1 }, (error, packed) => {
    if (error !== null) return void response.destroy(error);
    response.writeHead(status, {
      "content-type": type,
      "content-encoding": "gzip",
      vary: "Accept-Encoding",
      "content-length": packed.length,
    });
    response.end(packed);
  });
}

/**
 * Writes JSON text in pieces as the client takes them, compressed when it wants that. Others get their turn between pieces; an empty one
 * says that making the next takes a while.
 */
export async function jsonInPieces(request: Request, response: ServerResponse, pieces: Iterable<string>): Promise<void> {
  if (response.destroyed) return;
  const gzip = acceptsGzip(request) ? createGzip({ level: 1 }) : undefined;
  response.writeHead(200, {
    "content-type": JSON_TYPE,
    ...(gzip === undefined ? {} : { "content-encoding": "gzip", vary: "Accept-Encoding" }),
  });
  gzip?.pipe(response);
  const out = gzip ?? response;
  const closed = new AbortController();
  response.once("close", () => closed.abort());
  const takeTurn = createTurns();
  for (const piece of gathered(pieces)) {
    if (response.destroyed) break;
    // A client that stops reading ends the wait by closing.
    if (piece !== "" && !out.write(piece)) await once(out, "drain", { signal: closed.signal }).catch(() => {});
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
  out.end();
}

/** A piece is handed on when it has grown past this. */
const PIECE_UNITS = 64 * 1024;
/** Parts after which it is time to look at the clock, though the piece is small. */
const PARTS_PER_LOOK = 64;

function* gathered(parts: Iterable<string>): Generator<string> {
  let piece = "";
  let count = 0;
  for (const part of parts) {
    piece += part;
    if (piece.length >= PIECE_UNITS) {
      yield piece;
      piece = "";
    } else if (part === "" || ++count % PARTS_PER_LOOK === 0) yield "";
  }
  yield piece;
}

export function acceptsGzip(request: Request): boolean {
  return /\bgzip\b/.test(String(request.raw.headers["accept-encoding"] ?? ""));
}

/** Errors that a client made are its answer; others are logged and answered as 500. */
export function answerError(error: unknown, response: ServerResponse, log: Log): void {
  if (error instanceof RequestError) return plain(response, error.status, error.newline ? `${error.message}\n` : error.message);
  if (error instanceof LogqlError) return plain(response, 400, error.message);
  const status = (error as { status?: unknown }).status;
  if (typeof status === "number") return plain(response, status, messageOf(error));
  if (response.destroyed) return;
  log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, "request failed");
  plain(response, 500, `${messageOf(error)}\n`);
}

/** Parameters of a read: the URL's, and a form's when one was posted. */
export async function parametersOf(request: Request): Promise<URLSearchParams> {
  if (request.method !== "POST") return request.query;
  const type = String(request.raw.headers["content-type"] ?? "");
  const parameters = new URLSearchParams();
  if (type.startsWith("application/x-www-form-urlencoded")) {
    const form = (await request.body(FORM_BYTES_MAX)).toString("utf8");
    for (const [name, value] of new URLSearchParams(form)) parameters.append(name, value);
  }
  // Go's r.Form: values of the body come before those of the URL.
  for (const [name, value] of request.query) parameters.append(name, value);
  return parameters;
}

const FORM_BYTES_MAX = 10 * 1024 * 1024;
