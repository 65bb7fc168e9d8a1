// From an OTLP request's body to the tree: content encoding, then protobuf or JSON by the exact content type.

import type { IncomingHttpHeaders } from "node:http";
import * as zlib from "node:zlib";
import { unpackBounded } from "../../lib/wire/decode-push.ts";
import { PushTooLarge } from "../../lib/wire/push-columns.ts";
import { RequestError } from "../errors.ts";
import { TOO_LARGE } from "./ingester.ts";
import { decodeLz4Frames, Lz4FrameError, Lz4FrameTooLong } from "./lz4-frame.ts";
import { decodeOtlpJson } from "./otlp-json.ts";
import { decodeOtlpProtobuf } from "./otlp-protobuf.ts";
import type { OtlpResource } from "./otlp-tree.ts";

/** @throws RequestError 413 for a body that inflates past the limit, 400; OtlpError */
export async function decodeOtlpBody(body: Buffer, headers: IncomingHttpHeaders, limitBytes: number): Promise<OtlpResource[]> {
  const plain = await unpack(body, String(headers["content-encoding"] ?? ""), limitBytes);
  const type = String(headers["content-type"] ?? "");
  if (type === "application/x-protobuf") return decodeOtlpProtobuf(plain);
  if (type === "application/json") return decodeOtlpJson(plain);
  throw new RequestError(400, `content type: ${type} is not supported`);
}

async function unpack(body: Buffer, encoding: string, limitBytes: number): Promise<Buffer> {
  if (encoding === "") return body;
  if (encoding === "gzip") return inflate(body, zlib.createGunzip(), limitBytes);
  if (encoding === "lz4") return unpackLz4(body, limitBytes);
  // Node has a zstd decoder from 22.15 on.
  const createZstd = (zlib as { createZstdDecompress?: () => NodeJS.ReadWriteStream }).createZstdDecompress;
  if (encoding === "zstd" && createZstd !== undefined) return inflate(body, createZstd(), limitBytes);
  const supported = createZstd === undefined ? "gzip and lz4" : "gzip, lz4 and zstd";
  throw new RequestError(
    400,
    `unsupported content encoding ${encoding}: only ${encoding === "zstd" ? supported : "gzip, lz4 and zstd"} are supported`,
  );
}

function unpackLz4(body: Buffer, limitBytes: number): Buffer {
  try {
    return decodeLz4Frames(body, limitBytes);
  } catch (error) {
    if (error instanceof Lz4FrameTooLong) throw tooLarge(error.message);
    if (error instanceof Lz4FrameError) throw new RequestError(400, error.message, { cause: error });
    throw error;
  }
}

async function inflate(body: Buffer, unpacker: NodeJS.ReadWriteStream, limitBytes: number): Promise<Buffer> {
  try {
    return await unpackBounded(body, unpacker, limitBytes);
  } catch (error) {
    if (error instanceof PushTooLarge) throw tooLarge(error.message);
    throw new RequestError(400, "unexpected EOF", { cause: error });
  }
}

function tooLarge(text: string): RequestError {
  return new RequestError(413, text, { reason: TOO_LARGE });
}
