// The journal export format (systemd.io/JOURNAL_EXPORT_FORMATS) as journalctl writes it, read as it comes:
//
//   __CURSOR=s=…;i=…\n            a field whose value is one line of text
//   MESSAGE\n                     a field with any bytes: the name alone,
//   <8 bytes, size, LE><value>\n  then the size of the value
//   \n                            an empty line ends the entry
//
// Only values somebody wants are looked at, and none is gathered past its bound: a core dump in the journal is stepped over.

import { EMPTY_BYTES, GrowingBytes } from "../growing-bytes.ts";

const LINE_FEED = 10;
const EQUALS = 61;
const SIZE_BYTES = 8;
/** journald's own limit is 64. */
const NAME_BYTES_MAX = 256;
/** Nothing is that large; a size past it means that these bytes are not what they seem. */
const VALUE_SIZE_MAX = 2 ** 40;
/** Distinct names remembered; programs choose names freely. */
const NAMES_MAX = 10_000;

export interface ExportHandler<Use> {
  /** What the field is wanted for; undefined when it is not. Asked once per name. */
  use(name: string): Use | undefined;
  /**
   * A wanted field, whose value is `bytes[start, end)`; the bytes stay as they are.
   *
   * @param cutBytes how much of the value was left out because it passes the bound
   */
  field(use: Use, bytes: Uint8Array, start: number, end: number, cutBytes: number): void;
  /** The entry of the fields before is complete. */
  entry(): void;
}

interface KnownName<Use> {
  readonly bytes: Uint8Array;
  readonly use: Use | undefined;
}

/** A value that has begun and goes on in the next chunk. */
interface OpenValue<Use> {
  readonly use: Use | undefined;
  /** Bytes still to come; undefined when a line feed ends the value. */
  remaining: number | undefined;
  readonly gathered: GrowingBytes;
  cutBytes: number;
}

export class ExportParser<Use> {
  readonly #handler: ExportHandler<Use>;
  readonly #valueBytesMax: number;
  #names = new Map<number, KnownName<Use>[]>();
  #nameCount = 0;
  /** A name or size that the next chunk goes on with. */
  #rest: Uint8Array = EMPTY_BYTES;
  #open: OpenValue<Use> | undefined;
  #entryHasFields = false;

  constructor(handler: ExportHandler<Use>, valueBytesMax: number) {
    this.#handler = handler;
    this.#valueBytesMax = valueBytesMax;
  }

  /** Reads on. @param chunk becomes the parser's: values that are handed over are views of it */
  push(chunk: Uint8Array): void {
    const from = this.#open === undefined ? 0 : this.#goOn(this.#open, chunk);
    if (this.#open !== undefined) return;
    if (this.#rest.length === 0) return this.#read(chunk, from);
    const whole = Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY_BYTES;
    this.#read(whole, 0);
  }

  #read(bytes: Uint8Array, from: number): void {
    const end = bytes.length;
    for (let at = from; at < end; ) {
      if (bytes[at] === LINE_FEED) {
        at++;
        if (this.#entryHasFields) this.#handler.entry();
        this.#entryHasFields = false;
        continue;
      }
      let nameEnd = at;
      let hash = 0;
      for (; nameEnd < end; nameEnd++) {
        const byte = bytes[nameEnd]!;
        if (byte === EQUALS || byte === LINE_FEED) break;
        hash = (Math.imul(hash, 31) + byte) | 0;
      }
      if (nameEnd === end) return this.#keepName(bytes, at);
      const next = bytes[nameEnd] === EQUALS ? this.#readText(bytes, at, nameEnd, hash) : this.#readSized(bytes, at, nameEnd, hash);
      if (next < 0) return;
      at = next;
    }
  }

  /** @returns where the next field begins, -1 when the value goes on in the next chunk */
  #readText(bytes: Uint8Array, nameStart: number, nameEnd: number, hash: number): number {
    const use = this.#useOf(bytes, nameStart, nameEnd, hash);
    this.#entryHasFields = true;
    const feed = bytes.indexOf(LINE_FEED, nameEnd + 1);
    if (feed < 0) return this.#begin(use, undefined, bytes, nameEnd + 1);
    if (use !== undefined) this.#hand(use, bytes, nameEnd + 1, feed);
    return feed + 1;
  }

  #readSized(bytes: Uint8Array, nameStart: number, nameEnd: number, hash: number): number {
    // A line that names no field (journalctl's remarks are such) has no value behind it.
    if (!isFieldName(bytes, nameStart, nameEnd)) return nameEnd + 1;
    const start = nameEnd + 1 + SIZE_BYTES;
    if (start > bytes.length) {
      this.#rest = bytes.slice(nameStart);
      return -1;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + nameEnd + 1, SIZE_BYTES);
    const size = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    if (size > VALUE_SIZE_MAX) return nameEnd + 1;
    const use = this.#useOf(bytes, nameStart, nameEnd, hash);
    this.#entryHasFields = true;
    if (start + size >= bytes.length) return this.#begin(use, size, bytes, start);
    if (use !== undefined) this.#hand(use, bytes, start, start + size);
    return start + size + 1;
  }

  #hand(use: Use, bytes: Uint8Array, start: number, end: number): void {
    const kept = Math.min(end, start + this.#valueBytesMax);
    this.#handler.field(use, bytes, start, kept, end - kept);
  }

  #begin(use: Use | undefined, size: number | undefined, bytes: Uint8Array, from: number): -1 {
    const open = { use, remaining: size, gathered: new GrowingBytes(), cutBytes: 0 };
    this.#open = open;
    this.#take(open, bytes, from, bytes.length);
    return -1;
  }

  /** Takes the open value's next bytes; the value stays open when the chunk does not end it. @returns where it ends */
  #goOn(open: OpenValue<Use>, chunk: Uint8Array): number {
    const end = open.remaining ?? chunk.indexOf(LINE_FEED);
    if (end < 0 || end >= chunk.length) {
      this.#take(open, chunk, 0, chunk.length);
      return chunk.length;
    }
    this.#take(open, chunk, 0, end);
    this.#open = undefined;
    if (open.use !== undefined) this.#handler.field(open.use, open.gathered.bytes, 0, open.gathered.length, open.cutBytes);
    return end + 1;
  }

  #take(open: OpenValue<Use>, bytes: Uint8Array, from: number, to: number): void {
    if (open.remaining !== undefined) open.remaining -= Math.min(open.remaining, to - from);
    if (open.use === undefined) return;
    const kept = Math.min(to - from, this.#valueBytesMax - open.gathered.length);
    open.gathered.append(bytes.subarray(from, from + kept));
    open.cutBytes += to - from - kept;
  }

  #keepName(bytes: Uint8Array, from: number): void {
    if (bytes.length - from <= NAME_BYTES_MAX) this.#rest = bytes.slice(from);
    else this.#open = { use: undefined, remaining: undefined, gathered: new GrowingBytes(), cutBytes: 0 };
  }

  #useOf(bytes: Uint8Array, start: number, end: number, hash: number): Use | undefined {
    const known = this.#names.get(hash);
    if (known !== undefined) {
      for (const name of known) if (isSame(name.bytes, bytes, start, end)) return name.use;
    }
    if (this.#nameCount >= NAMES_MAX) {
      this.#names = new Map();
      this.#nameCount = 0;
    }
    const name = { bytes: bytes.slice(start, end), use: this.#handler.use(Buffer.from(bytes.subarray(start, end)).toString("latin1")) };
    this.#names.set(hash, [...(known ?? []), name]);
    this.#nameCount++;
    return name.use;
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}

/** `[A-Z0-9_]+` */
function isFieldName(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (!((byte >= 65 && byte <= 90) || (byte >= 48 && byte <= 57) || byte === 95)) return false;
  }
  return end > start;
}
