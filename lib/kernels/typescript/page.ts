// Page codec, in plain TypeScript. Format: page-codec.ts.

import { BAD_HEADER, malformed, OUTPUT_OVERRUN, OUTPUT_SHORT } from "../malformed.ts";

const STORED = 0;

export function packPage(source: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + source.length);
  out[0] = STORED;
  out.set(source, 1);
  return out;
}

export function unpackPage(source: Uint8Array, out: Uint8Array, rawBytes: number): void {
  if (source[0] !== STORED) throw malformed("page", BAD_HEADER, source.length);
  if (source.length - 1 < rawBytes) throw malformed("page", OUTPUT_SHORT, source.length);
  if (source.length - 1 > rawBytes) throw malformed("page", OUTPUT_OVERRUN, source.length);
  out.set(source.subarray(1), 0);
}
