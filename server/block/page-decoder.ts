// From an encoded page to columns, each decoded when first asked for, into scratch memory of the reader.

import { kernels } from "../../lib/kernels/index.ts";
import { MalformedInput } from "../../lib/kernels/kernels.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { PAGE_BYTES_MAX, PAGE_BYTES_TARGET, PAGE_ENTRIES_MAX } from "../limits.ts";
import type { Page, PageField, PageStats } from "../page.ts";
import { decodeMetadata, decodeTimes } from "./page-columns.ts";
import { decodeFields } from "./page-fields.ts";
import {
  type ColumnBytes,
  FLAG_LENGTHS,
  FLAG_METADATA,
  FLAG_WIDE_TIMES,
  type PageHeader,
  readPageHeader,
  unpackColumn,
} from "./page-format.ts";
import { VarintReader } from "./varint.ts";

/** Memory that pages are decoded into, one page at a time. */
export class PageScratch {
  readonly #lines: Uint8Array;
  /** For pages that hold a line beyond the usual. */
  #largeLines = new Uint8Array(0);
  #column = new Uint8Array(64 * 1024);
  #fields = new Uint8Array(16 * 1024);
  #starts = new Int32Array(4096);
  #ends = new Int32Array(4096);
  #sec = new Int32Array(4096);
  #nanos = new Int32Array(4096);

  /** @param resident lines lie in the kernels' own memory, where they are searched without a copy; it is never given back */
  constructor(resident: boolean) {
    this.#lines = resident ? kernels.allocate(PAGE_BYTES_TARGET * 2 + PAGE_ENTRIES_MAX) : new Uint8Array(0);
  }

  lines(bytes: number): Uint8Array {
    if (bytes <= this.#lines.length) return this.#lines;
    if (bytes > this.#largeLines.length) this.#largeLines = new Uint8Array(bytes);
    return this.#largeLines;
  }

  column(bytes: number): Uint8Array {
    if (bytes > this.#column.length) this.#column = new Uint8Array(bytes * 2);
    return this.#column;
  }

  fields(bytes: number): Uint8Array {
    if (bytes > this.#fields.length) this.#fields = new Uint8Array(bytes * 2);
    return this.#fields;
  }

  offsets(entries: number): { starts: Int32Array; ends: Int32Array } {
    if (entries > this.#ends.length) {
      this.#starts = new Int32Array(entries * 2);
      this.#ends = new Int32Array(entries * 2);
    }
    return { starts: this.#starts, ends: this.#ends };
  }

  times(entries: number): { sec: Int32Array; nanos: Int32Array } {
    if (entries > this.#sec.length) {
      this.#sec = new Int32Array(entries * 2);
      this.#nanos = new Int32Array(entries * 2);
    }
    return { sec: this.#sec, nanos: this.#nanos };
  }
}

/**
 * @param encoded the page's bytes; must stay as they are while the page is used
 * @returns a page valid until the next page is decoded into the same scratch
 * @throws MalformedInput for damage, at once or when a column is first asked for
 */
export function decodePage(encoded: Uint8Array, scratch: PageScratch): Page {
  const header = readPageHeader(encoded);
  const { entryCount } = header.stats;
  const { rawBytes } = header.columns.lines;
  // A line takes a byte at least: its line feed. Nothing is allocated for more than the page can hold.
  if (entryCount === 0 || entryCount > rawBytes || rawBytes > PAGE_BYTES_MAX) {
    throw new MalformedInput(`a page of ${entryCount} entries and ${rawBytes} bytes of lines (at most ${PAGE_BYTES_MAX})`);
  }
  return new DecodedPage(header, scratch);
}

class DecodedPage implements Page {
  readonly #header: PageHeader;
  readonly #scratch: PageScratch;
  #bytes: Uint8Array | undefined;
  #ends: Int32Array | undefined;
  #times: { sec: Int32Array; nanos: Int32Array } | undefined;
  #metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  #fields: readonly PageField[] | undefined;

  constructor(header: PageHeader, scratch: PageScratch) {
    this.#header = header;
    this.#scratch = scratch;
  }

  get stats(): PageStats {
    return this.#header.stats;
  }

  get bytes(): Uint8Array {
    if (this.#bytes === undefined) {
      const { lines } = this.#header.columns;
      const out = this.#scratch.lines(lines.rawBytes);
      unpackColumn(lines, out);
      this.#bytes = out.subarray(0, lines.rawBytes);
    }
    return this.#bytes;
  }

  get ends(): Int32Array {
    return (this.#ends ??= (this.#header.flags & FLAG_LENGTHS) === 0 ? this.#endsOfLines() : this.#endsOfLengths());
  }

  get sec(): Int32Array {
    return (this.#times ??= this.#decodeTimes()).sec;
  }

  get nanos(): Int32Array {
    return (this.#times ??= this.#decodeTimes()).nanos;
  }

  get metadata(): readonly (readonly MetadataPair[] | undefined)[] | undefined {
    if ((this.#header.flags & FLAG_METADATA) === 0) return undefined;
    if (this.#metadata === undefined) {
      const raw = this.#unpack("metadata");
      this.#metadata = decodeMetadata(raw, raw.length, this.stats.entryCount);
    }
    return this.#metadata;
  }

  get fields(): readonly PageField[] | undefined {
    const { fields } = this.#header;
    if (fields === undefined) return undefined;
    if (this.#fields === undefined) {
      checkColumn("fields", fields);
      const out = this.#scratch.fields(fields.rawBytes);
      unpackColumn(fields, out);
      this.#fields = decodeFields(out.subarray(0, fields.rawBytes), this.stats.entryCount);
    }
    return this.#fields;
  }

  #endsOfLines(): Int32Array {
    const { entryCount } = this.stats;
    const { starts, ends } = this.#scratch.offsets(entryCount + 1);
    const { bytes } = this;
    const found = kernels.splitLines(bytes, 0, bytes.length, starts, ends);
    if (found !== entryCount || ends[entryCount - 1] !== bytes.length - 1)
      throw new MalformedInput(`the page has ${entryCount} entries and ${found} lines`);
    return ends;
  }

  #endsOfLengths(): Int32Array {
    const { entryCount } = this.stats;
    const { ends } = this.#scratch.offsets(entryCount);
    const reader = new VarintReader(this.#unpack("lengths"));
    let end = -1;
    for (let i = 0; i < entryCount; i++) ends[i] = end = end + 1 + reader.varint();
    if (end !== this.#header.columns.lines.rawBytes - 1) throw new MalformedInput("the page's line lengths do not add up to its lines");
    return ends;
  }

  #decodeTimes(): { sec: Int32Array; nanos: Int32Array } {
    const { entryCount, minSec, minNanos } = this.stats;
    const times = this.#scratch.times(entryCount);
    const raw = this.#unpack("times");
    if ((this.#header.flags & FLAG_WIDE_TIMES) === 0) {
      decodeTimes(raw, raw.length, minSec, minNanos, entryCount, times.sec, times.nanos);
      return times;
    }
    if (raw.length !== entryCount * 8) throw new MalformedInput("the page's wide times do not fit its entries");
    const view = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    for (let i = 0; i < entryCount; i++) {
      times.sec[i] = view.readInt32LE(i * 8);
      times.nanos[i] = view.readInt32LE(i * 8 + 4);
    }
    return times;
  }

  /** A small column, in scratch that the next small column overwrites. */
  #unpack(name: "times" | "lengths" | "metadata"): Uint8Array {
    const column = this.#header.columns[name];
    checkColumn(name, column);
    const out = this.#scratch.column(column.rawBytes);
    unpackColumn(column, out);
    return out.subarray(0, column.rawBytes);
  }
}

function checkColumn(name: string, { rawBytes }: ColumnBytes): void {
  if (rawBytes > PAGE_BYTES_MAX) throw new MalformedInput(`the page's ${name} column declares ${rawBytes} bytes`);
}
