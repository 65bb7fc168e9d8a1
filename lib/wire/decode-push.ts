// From a push request's body to columns: content encoding, then protobuf in snappy or JSON (reference server-features §1.3).

import type { IncomingHttpHeaders } from "node:http";
import { constants, createGunzip, createInflateRaw } from "node:zlib";
import { type PushColumns, PushError, PushTooLarge } from "./push-columns.ts";
import { decodePushJson } from "./push-json.ts";
import { decodePushProtobuf } from "./push-protobuf.ts";

/**
 * @param body as it came over the wire
 * @param options limitBytes: of the decompressed body
 * @param take is called with the columns, which are valid until it returns or uses a kernel
 * @throws PushError for a body that is not what the headers say, PushTooLarge for one that inflates past the limit
 */
export async function decodePush<T>(
  body: Buffer,
  headers: IncomingHttpHeaders,
  options: { legacyPath: boolean; limitBytes: number },
  take: (columns: PushColumns) => T,
): Promise<Awaited<T>> {
  const encoding = String(headers["content-encoding"] ?? "");
  const plain = encoding === "" || encoding === "snappy" ? body : await inflate(body, encoding, ["gzip", "deflate"], options.limitBytes);
  const isJson = parseMediaType(headers["content-type"]) === "application/json";
  return await take(isJson ? await decodePushJson(plain, options.legacyPath) : decodePushProtobuf(plain, options.limitBytes));
}

/** Go's mime.ParseMediaType, as far as its errors are seen: the type in lower case, without its parameters. */
function parseMediaType(header = ""): string {
  const separator = header.indexOf(";");
  const type = (separator < 0 ? header : header.slice(0, separator)).trim().toLowerCase();
  const [, main = "", slash = "", sub = "", rest = ""] = TYPE.exec(type)!;
  if (main === "") throw new PushError("mime: no media type");
  if (slash === "" && rest !== "") throw new PushError("mime: expected slash after first token");
  if (slash !== "" && sub === "") throw new PushError("mime: expected token after slash");
  if (rest !== "") throw new PushError("mime: unexpected content after media subtype");
  checkMediaParameters(separator < 0 ? "" : header.slice(separator));
  return type;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]";
const TYPE = new RegExp(`^(${TOKEN}*)(/?)(${TOKEN}*)([^]*)$`);
const PARAMETER = new RegExp(`\\s*;\\s*(${TOKEN}+)\\s*=\\s*(${TOKEN}+|"(?:[^"\\\\]|\\\\[^])*")`, "y");

function checkMediaParameters(text: string): void {
  const seen = new Map<string, string>();
  for (let at = 0; text.slice(at).trim() !== "" && text.slice(at).trim() !== ";"; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(text);
    if (match === null) throw new PushError("mime: invalid media parameter");
    const name = match[1]!.toLowerCase();
    if (seen.has(name) && seen.get(name) !== match[2]) throw new PushError("mime: duplicate parameter name");
    seen.set(name, match[2]!);
  }
}

/**
 * @param supported encodings, of `gzip` and `deflate`
 * @throws PushError for another encoding and for a damaged body, PushTooLarge before more than `limitBytes` are kept
 */
export async function inflate(body: Buffer, encoding: string, supported: readonly string[], limitBytes: number): Promise<Buffer> {
  if (!supported.includes(encoding)) throw new PushError(`Content-Encoding "${encoding}" not supported`);
  const unpacker = encoding === "gzip" ? createGunzip() : createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  try {
    return await unpackBounded(body, unpacker, limitBytes);
  } catch (error) {
    if (error instanceof PushError) throw error;
    throw new PushError(damageOf(error, encoding), { cause: error });
  }
}

/** @throws PushTooLarge before more than `limitBytes` are kept, and what the unpacker throws for a damaged body */
export async function unpackBounded(body: Buffer, unpacker: NodeJS.ReadWriteStream, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  unpacker.end(body);
  for await (const part of unpacker as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > limitBytes) throw new PushTooLarge(bytes, limitBytes);
    parts.push(part);
  }
  return Buffer.concat(parts, bytes);
}

/** What Go's decoders say of a body that zlib refuses. */
function damageOf(error: unknown, encoding: string): string {
  const message = error instanceof Error ? error.message : "";
  if (encoding !== "gzip" || message.includes("unexpected end")) return "unexpected EOF";
  return message.includes("incorrect data check") ? "gzip: invalid checksum" : "gzip: invalid header";
}
