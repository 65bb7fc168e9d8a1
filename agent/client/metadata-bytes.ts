// Structured metadata as it stands in a push request. Entries share their lists (lib/wire/metadata-lists.ts), so what a list becomes is
// remembered for a while.

import type { EntryTails } from "../../lib/kernels/kernels.ts";
import type { EntryBatch, MetadataPair } from "../../lib/wire/entry-batch.ts";
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

/** The metadata of a batch's entries, each different list once. */
export interface NumberedMetadata {
  /** As kernels take it; undefined where no entry has any. */
  readonly tails: EntryTails | undefined;
  /** By entry: what its metadata counts towards the batch size; undefined where it is nothing. */
  readonly counted: Int32Array | undefined;
  /** Bytes of the longest. */
  readonly bytesMax: number;
}

/** Of a batch with more different lists, each entry's is encoded by itself. */
const NUMBERED_MAX = 1_024;
const NO_METADATA: NumberedMetadata = { tails: undefined, counted: undefined, bytesMax: 0 };
const numbered = new WeakMap<EntryBatch, NumberedMetadata | undefined>();

/** Found out once for a batch, whose metadata no stage changes any more; undefined when its lists are too many. */
export function numberMetadata(batch: EntryBatch): NumberedMetadata | undefined {
  if (batch.metadata === undefined) return NO_METADATA;
  if (!numbered.has(batch)) numbered.set(batch, number(batch));
  return numbered.get(batch);
}

function number({ metadata = [], live, liveCount, count }: EntryBatch): NumberedMetadata | undefined {
  const ids = new Int32Array(count).fill(-1);
  const counted = new Int32Array(count);
  const numbers = new Map<readonly MetadataPair[], number>();
  const all: EncodedMetadata[] = [];
  for (let k = 0; k < liveCount; k++) {
    const i = live[k]!;
    const list = metadata[i];
    if (list === undefined) continue;
    let id = numbers.get(list);
    if (id === undefined) {
      if (all.length === NUMBERED_MAX) return undefined;
      id = all.push(encodeMetadata(list)) - 1;
      numbers.set(list, id);
    }
    ids[i] = id;
    counted[i] = all[id]!.counted;
  }
  const texts = all.map(({ bytes }) => bytes);
  return { tails: { ids, texts }, counted, bytesMax: texts.reduce((most, { length }) => Math.max(most, length), 0) };
}

/** Size of a pair as a LabelPairAdapter message. */
function pairBytes([name, value]: MetadataPair): number {
  const field = (bytes: number): number => (bytes === 0 ? 0 : 1 + varintBytes(bytes) + bytes);
  return field(Buffer.byteLength(name)) + field(Buffer.byteLength(value));
}
