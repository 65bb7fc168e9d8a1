// One page: a run of entries of one stream in time order, column by column. The same bytes in memory and in a block.
//
//   page   := header times lengths lines metadata [fields | raw and packed bytes of fields <4b> each |]
//   header := | crc32 of all that follows <4b> | version <1b> | flags <1b> | codec of times, lengths, lines, metadata <1b> each |
//             | codec of fields <1b> | <1b> 0 |
//             | entries <4b> | line bytes <4b> | metadata bytes <4b> | min sec, min nanos, max sec, max nanos <4b> each |
//             | raw and packed bytes of times, lengths, lines, metadata <4b> each |                          72 bytes, little endian
//
//   times    := unit (power of ten, ns) <1b> | smallest delta <v> | (delta - smallest) <v> …      deltas in units, to the entry before
//               or, with flag WIDE_TIMES: sec <4b> nanos <4b> per entry
//   lengths  := bytes of each line <v> …; left out unless a line contains a line feed (flag LENGTHS)
//   lines    := each line and a line feed
//   metadata := strings | lists | list of each entry <v>, 0 for none; left out when no entry has any
//     strings  := count <v> | (bytes <v>, text) …
//     lists    := count <v> | (pairs <v>, (name <v>, value <v>) …) …        list 1 is the first
//   fields   := count <v> | (name, values <v>, value …) … | id of each entry <1b>, field by field        with flag FIELDS; at most 8
//     name, value := bytes <v>, text
//     id       := 0: the key is absent or null;  1..250: the value;  255: unsure, the line has to be read
//
// <v> is a varint of seven bits a byte, low first. A column is stored, packed by LZ4, or by the page codec, whichever is smaller.

import { crc32 } from "node:zlib";
import { kernels } from "../../lib/kernels/index.ts";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import type { PageStats } from "../page.ts";

export const PAGE_VERSION = 1;
export const PAGE_HEADER_BYTES = 72;
const FIELDS_TAIL_BYTES = 8;
export const FLAG_LENGTHS = 1;
export const FLAG_WIDE_TIMES = 2;
export const FLAG_METADATA = 4;
export const FLAG_FIELDS = 8;

export const CODEC_STORED = 0;
export const CODEC_LZ4 = 1;
export const CODEC_PACKED = 2;

export type ColumnName = "times" | "lengths" | "lines" | "metadata";
const COLUMNS: readonly ColumnName[] = ["times", "lengths", "lines", "metadata"];

export interface ColumnBytes {
  readonly codec: number;
  readonly rawBytes: number;
  readonly packed: Uint8Array;
}

export interface PageHeader {
  readonly flags: number;
  readonly stats: PageStats;
  readonly columns: Readonly<Record<ColumnName, ColumnBytes>>;
  readonly fields: ColumnBytes | undefined;
}

/** Puts an encoded page together. The result is a copy of its own. */
export function writePage(
  flags: number,
  stats: PageStats,
  columns: Readonly<Record<ColumnName, ColumnBytes>>,
  fields: ColumnBytes | undefined,
): Buffer {
  const columnBytes = COLUMNS.reduce((sum, name) => sum + columns[name].packed.length, 0);
  const fieldsBytes = fields === undefined ? 0 : fields.packed.length + FIELDS_TAIL_BYTES;
  const page = Buffer.allocUnsafeSlow(PAGE_HEADER_BYTES + columnBytes + fieldsBytes);
  page.fill(0, 0, PAGE_HEADER_BYTES);
  page[4] = PAGE_VERSION;
  page[5] = flags | (fields === undefined ? 0 : FLAG_FIELDS);
  COLUMNS.forEach((name, i) => {
    page[6 + i] = columns[name].codec;
  });
  page.writeUInt32LE(stats.entryCount, 12);
  page.writeUInt32LE(stats.lineBytes, 16);
  page.writeUInt32LE(stats.metadataBytes, 20);
  page.writeInt32LE(stats.minSec, 24);
  page.writeInt32LE(stats.minNanos, 28);
  page.writeInt32LE(stats.maxSec, 32);
  page.writeInt32LE(stats.maxNanos, 36);
  let at = PAGE_HEADER_BYTES;
  COLUMNS.forEach((name, i) => {
    page.writeUInt32LE(columns[name].rawBytes, 40 + i * 8);
    page.writeUInt32LE(columns[name].packed.length, 44 + i * 8);
    page.set(columns[name].packed, at);
    at += columns[name].packed.length;
  });
  if (fields !== undefined) {
    page[10] = fields.codec;
    page.set(fields.packed, at);
    page.writeUInt32LE(fields.rawBytes, page.length - 8);
    page.writeUInt32LE(fields.packed.length, page.length - 4);
  }
  page.writeUInt32LE(crc32(page.subarray(4)), 0);
  return page;
}

/** Reads and checks an encoded page's header. @throws MalformedInput for damage anywhere in the page */
export function readPageHeader(page: Uint8Array): PageHeader {
  const view = Buffer.from(page.buffer, page.byteOffset, page.length);
  if (view.length < PAGE_HEADER_BYTES) throw new MalformedInput(`a page of ${view.length} bytes is shorter than its header`);
  if (crc32(view.subarray(4)) !== view.readUInt32LE(0)) throw new MalformedInput("the page's checksum is wrong");
  if (view[4] !== PAGE_VERSION) throw new MalformedInput(`the page has version ${view[4]}, this program reads ${PAGE_VERSION}`);
  const columns = {} as Record<ColumnName, ColumnBytes>;
  let at = PAGE_HEADER_BYTES;
  COLUMNS.forEach((name, i) => {
    const packedBytes = view.readUInt32LE(44 + i * 8);
    if (at + packedBytes > view.length) throw new MalformedInput(`the page's ${name} column ends behind the page`);
    columns[name] = { codec: view[6 + i]!, rawBytes: view.readUInt32LE(40 + i * 8), packed: page.subarray(at, at + packedBytes) };
    at += packedBytes;
  });
  return {
    flags: view[5]!,
    columns,
    fields: (view[5]! & FLAG_FIELDS) === 0 ? undefined : readFields(view, at),
    stats: {
      entryCount: view.readUInt32LE(12),
      lineBytes: view.readUInt32LE(16),
      metadataBytes: view.readUInt32LE(20),
      minSec: view.readInt32LE(24),
      minNanos: view.readInt32LE(28),
      maxSec: view.readInt32LE(32),
      maxNanos: view.readInt32LE(36),
    },
  };
}

/** The fields' lengths are behind them, so that the header is the same without them, and programs that know no fields read the rest. */
function readFields(view: Buffer, at: number): ColumnBytes {
  const to = view.length - FIELDS_TAIL_BYTES;
  if (to < at || view.readUInt32LE(to + 4) !== to - at) throw new MalformedInput("the page's fields do not end with the page");
  return { codec: view[10]!, rawBytes: view.readUInt32LE(to), packed: view.subarray(at, to) };
}

/** Below this a column is stored as it is. */
const PACK_BYTES_MIN = 64;

/**
 * The smaller of stored and packed.
 *
 * @param keep takes the packed bytes out of the kernels' memory; by default a copy of their own
 */
export function packColumn(raw: Uint8Array, keep = (packed: Uint8Array): Uint8Array => packed.slice()): ColumnBytes {
  if (raw.length >= PACK_BYTES_MIN) {
    const packed = kernels.packPage(raw);
    if (packed.length < raw.length) return { codec: CODEC_PACKED, rawBytes: raw.length, packed: keep(packed) };
  }
  return storeColumn(raw);
}

const SCRATCH_BYTES_MAX = 1024 * 1024;
let scratch = new Uint8Array(64 * 1024);

/** `packColumn` for the one large column of a page: what it gives is valid until the next call. */
export function packLines(raw: Uint8Array): ColumnBytes {
  return packColumn(raw, (packed) => {
    if (packed.length > SCRATCH_BYTES_MAX) return packed.slice();
    if (packed.length > scratch.length) scratch = new Uint8Array(Math.min(SCRATCH_BYTES_MAX, packed.length * 2));
    scratch.set(packed);
    return scratch.subarray(0, packed.length);
  });
}

/** The bytes as they are, copied. */
export function storeColumn(raw: Uint8Array): ColumnBytes {
  return { codec: CODEC_STORED, rawBytes: raw.length, packed: raw.slice() };
}

/** Decodes a column into `out`, which holds at least `rawBytes`. @throws MalformedInput */
export function unpackColumn({ codec, rawBytes, packed }: ColumnBytes, out: Uint8Array): void {
  if (rawBytes > out.length) throw new MalformedInput(`a column of ${rawBytes} bytes does not fit into ${out.length}`);
  if (codec === CODEC_PACKED) kernels.unpackPage(packed, out, rawBytes);
  else if (codec === CODEC_LZ4) kernels.lz4Decompress(packed, out, rawBytes);
  else if (codec === CODEC_STORED && packed.length === rawBytes) out.set(packed);
  else throw new MalformedInput(`column codec ${codec} with ${packed.length} bytes for ${rawBytes}`);
}
