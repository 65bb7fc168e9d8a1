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
  const mediaType = parseMediaType(headers["content-type"]);
  const encoding = String(headers["content-encoding"] ?? "");
  const isJson = mediaType === "application/json";
  const plain =
    encoding === "" || encoding === "snappy"
      ? body
      : await inflate(body, encoding, isJson ? ["gzip", "deflate"] : ["gzip"], options.limitBytes);
  return await take(isJson ? decodePushJson(plain, options.legacyPath) : decodePushProtobuf(plain, options.limitBytes));
}

/** Go's mime.ParseMediaType, as far as its errors are seen. */
function parseMediaType(header: string | undefined): string {
  const [type = "", ...parameters] = (header ?? "").split(";");
  const name = type.trim().toLowerCase();
  if (name === "") throw new PushError("mime: no media type");
  for (const parameter of parameters) {
    const trimmed = parameter.trim();
    if (trimmed !== "" && !/^[^\s=]+=.+$/.test(trimmed)) throw new PushError("mime: invalid media parameter");
  }
  return name;
}

/**
 * @param supported encodings, of `gzip` and `deflate`
 * @throws PushError for another encoding and for a damaged body, PushTooLarge before more than `limitBytes` are kept
 */
export async function inflate(body: Buffer, encoding: string, supported: readonly string[], limitBytes: number): Promise<Buffer> {
  if (!supported.includes(encoding)) throw new PushError(`Content-Encoding "${encoding}" not supported`);
  const unpacker = encoding === "gzip" ? createGunzip() : createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  const parts: Buffer[] = [];
  let bytes = 0;
  unpacker.end(body);
  try {
    for await (const part of unpacker as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > limitBytes) throw new PushTooLarge(bytes, limitBytes);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof PushError) throw error;
    throw new PushError(encoding === "gzip" ? "gzip: invalid header" : "unexpected EOF", { cause: error });
  }
  return Buffer.concat(parts, bytes);
}
