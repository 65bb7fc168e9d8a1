// From a push request's body to columns: content encoding, then protobuf in snappy or JSON (reference server-features §1.3).

import { constants, createGunzip, createInflateRaw } from "node:zlib";
import type { IncomingHttpHeaders } from "node:http";
import { kernels } from "../../lib/kernels/index.ts";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { RequestError } from "../errors.ts";
import { decodeJsonPush } from "./json-push.ts";
import type { PushColumns, PushStream } from "./push-columns.ts";

/**
 * @param body as it came over the wire
 * @param limitBytes of the decompressed body
 * @throws RequestError 400 for a body that is not what the headers say, 413 for one that inflates past the limit
 */
export async function decodePush(body: Buffer, headers: IncomingHttpHeaders, options: { legacyPath: boolean; limitBytes: number }): Promise<PushColumns> {
  const mediaType = parseMediaType(headers["content-type"]);
  const encoding = String(headers["content-encoding"] ?? "");
  if (mediaType === "application/json") {
    const text = encoding === "" || encoding === "snappy" ? body : await inflate(body, encoding, ["gzip", "deflate"], options.limitBytes);
    return decodeJsonPush(text, options.legacyPath);
  }
  const packed = encoding === "" || encoding === "snappy" ? body : await inflate(body, encoding, ["gzip"], options.limitBytes);
  return decodeProtobufPush(packed, options.limitBytes);
}

/** @param packed a snappy block of a PushRequest */
export function decodeProtobufPush(packed: Uint8Array, limitBytes: number): PushColumns {
  let request: Uint8Array;
  try {
    request = kernels.snappyDecompress(packed, limitBytes);
  } catch (error) {
    if (error instanceof MalformedInput && /too large|larger|exceed|limit/.test(error.message)) {
      throw new RequestError(413, `request body too large: ${error.message}`, { reason: "request_body_too_large" });
    }
    if (error instanceof MalformedInput) throw new RequestError(400, "snappy: corrupt input");
    throw error;
  }
  try {
    return columnsOf(request);
  } catch (error) {
    if (error instanceof MalformedInput) throw new RequestError(400, error.message);
    throw error;
  }
}

function columnsOf(request: Uint8Array): PushColumns {
  // Texts are cut out of the request before the kernel runs over its own copy of it.
  const text = Buffer.from(request.buffer, request.byteOffset, request.length);
  const decoded = kernels.decodePush(request);
  const streams: PushStream[] = [];
  for (let s = 0; s < decoded.streamCount; s++) {
    const at = s * 4;
    streams.push({
      labelsText: text.toString("utf8", decoded.streams[at]!, decoded.streams[at + 1]!),
      from: decoded.streams[at + 2]!,
      to: decoded.streams[at + 3]!,
    });
  }
  return { ...decoded, streams, metadata: metadataOf(text, decoded) };
}

function metadataOf(text: Buffer, decoded: { metadataCount: number; metadata: Int32Array }): (MetadataPair[] | undefined)[] | undefined {
  if (decoded.metadataCount === 0) return undefined;
  const byEntry: (MetadataPair[] | undefined)[] = [];
  for (let m = 0; m < decoded.metadataCount; m++) {
    const at = m * 5;
    const entry = decoded.metadata[at]!;
    const pair: MetadataPair = [
      text.toString("utf8", decoded.metadata[at + 1]!, decoded.metadata[at + 2]!),
      text.toString("utf8", decoded.metadata[at + 3]!, decoded.metadata[at + 4]!),
    ];
    const pairs = byEntry[entry];
    if (pairs === undefined) byEntry[entry] = [pair];
    else pairs.push(pair);
  }
  return byEntry;
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
        throw new RequestError(413, `request body too large: ${bytes} bytes, limit: ${limitBytes} bytes`, { reason: "request_body_too_large" });
      }
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(400, encoding === "gzip" ? "gzip: invalid header" : "unexpected EOF", { cause: error });
  }
  return Buffer.concat(parts, bytes);
}
