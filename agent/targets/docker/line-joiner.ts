// Entries out of the text of one output: `<time> <line>\n`. Docker cuts lines at 16 KiB and writes each part with the time of the whole
// in front; the parts are put together again.
//
//   framed     2024-05-01T10:00:00.000000001Z aaaa… | 2024-05-01T10:00:00.000000001Z aaaa\n        (| where a frame begins)
//   terminal   2024-05-01T10:00:00.000000001Z aaaa…2024-05-01T10:00:00.000000001Z aaaa\n           (16 384 bytes between the times)

export interface JoinedLine {
  readonly sec: number;
  readonly nanos: number;
  /** Whether the text had a time; else the numbers are 0. */
  readonly timed: boolean;
  /** Without the line's end. */
  readonly text: Buffer;
  /** Bytes that were beyond the longest line, and are not in `text`. */
  readonly cutBytes: number;
}

export interface JoinerOptions {
  /** A line's longest text. */
  readonly textBytesMax: number;
  /** Parts follow each other without a frame between them. */
  readonly terminal: boolean;
  readonly onLine: (line: JoinedLine) => void;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
/** Docker's `defaultBufSize` of its copier. */
const PART_BYTES = 16 * 1024;
/** `2024-05-01T10:00:00.000000001+01:00` has 35. */
const STAMP_BYTES_MAX = 40;

export class LineJoiner {
  readonly #options: JoinerOptions;
  /** What stands before the first space, while it is not there yet. Undefined: the text of a line is read. */
  #stampBytes: Buffer | undefined = Buffer.alloc(0);
  /** Of the line that is open: it has begun and its end was not seen. */
  #stamp: string | undefined;
  #time: readonly [sec: number, nanos: number] | undefined;
  #pieces: Buffer[] = [];
  #textBytes = 0;
  #cutBytes = 0;

  constructor(options: JoinerOptions) {
    this.#options = options;
  }

  /** A frame begins, hence a time. */
  beginFrame(): void {
    if (this.#stampBytes !== undefined && this.#stampBytes.length > 0) this.#noStamp();
    this.#stampBytes = Buffer.alloc(0);
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      at = this.#stampBytes === undefined ? this.#takeText(bytes, at) : this.#takeStamp(bytes, at);
    }
  }

  /** The end of the text: what is open is a line. */
  end(): void {
    if (this.#stampBytes !== undefined && this.#stampBytes.length > 0) this.#noStamp();
    if (this.#isOpen) this.#emit();
  }

  get #isOpen(): boolean {
    return this.#stamp !== undefined || this.#textBytes > 0 || this.#cutBytes > 0;
  }

  /** @returns where to go on */
  #takeStamp(bytes: Buffer, from: number): number {
    const before = this.#stampBytes!;
    let end = from;
    const last = Math.min(bytes.length, from + STAMP_BYTES_MAX - before.length);
    while (end < last && bytes[end] !== SPACE && bytes[end] !== LINE_FEED) end++;
    this.#stampBytes = before.length === 0 ? bytes.subarray(from, end) : Buffer.concat([before, bytes.subarray(from, end)]);
    if (end === bytes.length && this.#stampBytes.length < STAMP_BYTES_MAX) return end;
    const stamp = this.#stampBytes.toString("latin1");
    const time = bytes[end] === SPACE ? parseStamp(stamp) : undefined;
    if (time === undefined) {
      this.#noStamp();
      return end;
    }
    this.#stampBytes = undefined;
    // A part of the line that is open has its time; anything else begins another line.
    if (this.#isOpen && stamp !== this.#stamp) this.#emit();
    this.#stamp = stamp;
    this.#time = time;
    return end + 1;
  }

  /** What was taken for a time is text: of the line that is open, or of one that has no time. */
  #noStamp(): void {
    const text = this.#stampBytes!;
    this.#stampBytes = undefined;
    this.#add(text);
  }

  #takeText(bytes: Buffer, from: number): number {
    const feed = bytes.indexOf(LINE_FEED, from);
    const lineEnd = feed < 0 ? bytes.length : feed;
    const end = this.#options.terminal ? Math.min(lineEnd, from + this.#partLeft) : lineEnd;
    if (end > from) this.#add(bytes.subarray(from, end));
    if (end === feed) {
      this.#emit();
      this.#stampBytes = Buffer.alloc(0);
      return end + 1;
    }
    if (this.#options.terminal && this.#partLeft === PART_BYTES) return this.#expectPart(bytes, end);
    return end;
  }

  /** Bytes of a terminal's line to where Docker would cut it. */
  get #partLeft(): number {
    return PART_BYTES - ((this.#textBytes + this.#cutBytes) % PART_BYTES);
  }

  /** Behind a full part: the same time again, or the line's end, or text of a longer part. */
  #expectPart(bytes: Buffer, at: number): number {
    if (bytes[at] !== LINE_FEED) this.#stampBytes = Buffer.alloc(0);
    return at;
  }

  #add(piece: Buffer): void {
    const room = Math.max(0, this.#options.textBytesMax - this.#textBytes);
    if (room > 0 && piece.length > 0) this.#pieces.push(piece.subarray(0, room));
    this.#textBytes += Math.min(room, piece.length);
    this.#cutBytes += Math.max(0, piece.length - room);
  }

  #emit(): void {
    const text = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    let end = text.length;
    while (end > 0 && text[end - 1] === CARRIAGE_RETURN) end--;
    const [sec, nanos] = this.#time ?? [0, 0];
    const line = { sec, nanos, timed: this.#time !== undefined, text: text.subarray(0, end), cutBytes: this.#cutBytes };
    this.#stamp = undefined;
    this.#time = undefined;
    this.#pieces = [];
    this.#textBytes = 0;
    this.#cutBytes = 0;
    this.#options.onLine(line);
  }
}

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 as whole seconds since 1970 and nanoseconds. */
function parseStamp(text: string): readonly [sec: number, nanos: number] | undefined {
  const match = STAMP.exec(text);
  if (match === null) return undefined;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  return Number.isNaN(ms) ? undefined : [ms / 1000, Number((match[2] ?? "").padEnd(9, "0"))];
}
