// Structured metadata as it stands in a push request. Entries share their lists (lib/wire/metadata-lists.ts), so what a list becomes is
// remembered for a while.

import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { BodyWriter, TAG_METADATA, TAG_NAME, TAG_VALUE, varintBytes } from "./body-writer.ts";

export interface EncodedMetadata {
  /** The `metadata` fields of an EntryAdapter, tags included. */
  readonly bytes: Uint8Array;
  /** What they count towards the batch size, which is how Promtail counts them: the size of the pairs' messages. */
  readonly counted: number;
}

const NONE: EncodedMetadata = { bytes: new Uint8Array(0), counted: 0 };
const LISTS_MAX = 4_096;
const encoded = new Map<readonly MetadataPair[], EncodedMetadata>();

/** The list encoded. The bytes must not be changed. */
export function encodeMetadata(list: readonly MetadataPair[] | undefined): EncodedMetadata {
  if (list === undefined || list.length === 0) return NONE;
  let known = encoded.get(list);
  if (known === undefined) {
    if (encoded.size >= LISTS_MAX) encoded.clear();
    encoded.set(list, (known = encode(list)));
  }
  return known;
}

function encode(list: readonly MetadataPair[]): EncodedMetadata {
  const sizes = list.map(pairBytes);
  const writer = new BodyWriter(Buffer.allocUnsafeSlow(sizes.reduce((sum, size) => sum + 1 + varintBytes(size) + size, 0)));
  list.forEach(([name, value], p) => {
    writer.out[writer.at++] = TAG_METADATA;
    writer.varint(sizes[p]!);
    if (name !== "") writer.bytes(TAG_NAME, Buffer.from(name));
    if (value !== "") writer.bytes(TAG_VALUE, Buffer.from(value));
  });
  return { bytes: writer.out, counted: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Size of a pair as a LabelPairAdapter message. */
function pairBytes([name, value]: MetadataPair): number {
  const field = (bytes: number): number => (bytes === 0 ? 0 : 1 + varintBytes(bytes) + bytes);
  return field(Buffer.byteLength(name)) + field(Buffer.byteLength(value));
}
