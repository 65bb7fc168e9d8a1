// From a push request's body to columns: content encoding, then protobuf in snappy or JSON (reference server-features §1.3).

import type { IncomingHttpHeaders } from "node:http";
import { constants, createGunzip, createInflateRaw } from "node:zlib";
import { type PushColumns, PushError } from "../../lib/wire/push-columns.ts";
import { decodePushJson } from "../../lib/wire/push-json.ts";
import { decodePushProtobuf, PushTooLarge } from "../../lib/wire/push-protobuf.ts";
import { RequestError } from "../errors.ts";

/**
 * @param body as it came over the wire
 * @param limitBytes of the decompressed body
 * @throws RequestError 400 for a body that is not what the headers say, 413 for one that inflates past the limit
 */
export async function decodePush(
  body: Buffer,
  headers: IncomingHttpHeaders,
  options: { legacyPath: boolean; limitBytes: number },
): Promise<PushColumns> {
  const mediaType = parseMediaType(headers["content-type"]);
  const encoding = String(headers["content-encoding"] ?? "");
  const isJson = mediaType === "application/json";
  const plain =
    encoding === "" || encoding === "snappy"
      ? body
      : await inflate(body, encoding, isJson ? ["gzip", "deflate"] : ["gzip"], options.limitBytes);
  try {
    return isJson ? decodePushJson(plain, options.legacyPath) : decodePushProtobuf(plain, options.limitBytes);
  } catch (error) {
    if (error instanceof PushTooLarge) throw new RequestError(413, error.message, { reason: "request_body_too_large" });
    if (error instanceof PushError) throw new RequestError(400, error.message);
    throw error;
  }
}

/** Go's mime.ParseMediaType, as far as its errors are seen. */
function parseMediaType(header: string | undefined): string {
  const [type = "", ...parameters] = (header ?? "").split(";");
  const name = type.trim().toLowerCase();
  if (name === "") throw new RequestError(400, "mime: no media type");
  for (const parameter of parameters) {
    const trimmed = parameter.trim();
    if (trimmed !== "" && !/^[^\s=]+=.+$/.test(trimmed)) throw new RequestError(400, "mime: invalid media parameter");
  }
  return name;
}

async function inflate(body: Buffer, encoding: string, supported: readonly string[], limitBytes: number): Promise<Buffer> {
  if (!supported.includes(encoding)) throw new RequestError(400, `Content-Encoding "${encoding}" not supported`);
  const unpacker = encoding === "gzip" ? createGunzip() : createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  const parts: Buffer[] = [];
  let bytes = 0;
  unpacker.end(body);
  try {
    for await (const part of unpacker as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > limitBytes) {
        throw new RequestError(413, `request body too large: ${bytes} bytes, limit: ${limitBytes} bytes`, {
          reason: "request_body_too_large",
        });
      }
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(400, encoding === "gzip" ? "gzip: invalid header" : "unexpected EOF", { cause: error });
  }
  return Buffer.concat(parts, bytes);
}
