// The byte-level hot loops, as one interface with two makers: WebAssembly (kernels-wasm.ts, from assembly/*.ts) and plain TypeScript
// (kernels-typescript.ts), which serves where SIMD is absent or an input is larger than the module's memory. Both are checked
// against each other by seeded differential fuzz tests. Every kernel checks bounds: decoders read network and disk input.
//
// Memory: inputs are any Uint8Array. An input that lives in the kernels' own memory (`allocate`) is used in place, any other is
// copied in first, which costs 1/13 ns per byte. Results are written to the caller's arrays, or returned as views that are valid
// until the next call of any kernel.

/** What a decoder of hostile input found wrong. */
export class MalformedInput extends Error {
  override readonly name = "MalformedInput";
}

/** Columns that `parseCri` fills, one slot per line. */
export interface CriColumns {
  /** 1: the line has CRI form and the other columns are set; 0: it has not. */
  readonly ok: Uint8Array;
  readonly contentStart: Int32Array;
  /** Time field: where it ends (it starts with the line), and its value when `timeOk`. */
  readonly timeEnd: Int32Array;
  readonly timeOk: Uint8Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  /** 0 stdout, 1 stderr; and where that word stands. */
  readonly stream: Uint8Array;
  readonly streamStart: Int32Array;
  readonly streamEnd: Int32Array;
  /** Flags field; `partial` is 1 when it is exactly `P`. */
  readonly flagsStart: Int32Array;
  readonly flagsEnd: Int32Array;
  readonly partial: Uint8Array;
}

/** How a JSON value was found by `scanJson`. */
export const JSON_ABSENT = 0;
/** A string without escapes: the span is its content, without quotes. */
export const JSON_PLAIN_STRING = 1;
/** A string with escapes: the span is its content, without quotes, still escaped. */
export const JSON_ESCAPED_STRING = 2;
export const JSON_NUMBER = 3;
export const JSON_TRUE = 4;
export const JSON_FALSE = 5;
export const JSON_NULL = 6;
/** An object or array: the span is its JSON text. */
export const JSON_NESTED = 7;

/** Rules of `scanJson`, to be added. A key with something other than ASCII letters at its ends is not told from one trimmed of it: unsure. */
export const JSON_TRIMMED_KEYS = 1;
/** The line is read no further than to the scalar that was the last one wanted. What comes behind is not judged. */
export const JSON_ENOUGH = 2;

/** What a line that is an object lacks is null: `kind` is JSON_NULL where it would be JSON_ABSENT. */
export const JSON_ABSENT_IS_NULL = 4;

/** `numberTexts` of an entry: it has null there, or something that has to be looked at by itself. */
export const TEXT_NOTHING = -1;
export const TEXT_ODD = -2;

/** Spans of values, with what they are (JSON_…): slot of entry i is `i * stride + offset` in each of the three arrays. */
export interface StridedSpans {
  readonly kind: Uint8Array;
  readonly start: Int32Array;
  readonly end: Int32Array;
  readonly stride: number;
  readonly offset: number;
}

/** `scanJson`'s verdict on a whole line. */
export const JSON_LINE_OBJECT = 1;
/** Not decided by the kernel (malformed, an escaped key, a duplicate of a wanted key, deep nesting …): ask a full parser. */
export const JSON_LINE_UNSURE = 0;

/** `scanLogfmt`'s verdict on a line: all that is asked of it is known, or a full parser has to be asked. */
export const LOGFMT_LINE_READ = 1;
export const LOGFMT_LINE_UNSURE = 0;
/** How a value was found by `scanLogfmt`: none, or the span of its content without quotes and escapes. */
export const LOGFMT_ABSENT = 0;
export const LOGFMT_PLAIN = 1;

/** Ids of `jsonFields` beside the numbers of values: the key is not there, or null. */
export const FIELD_ABSENT = 0;
/** The line has to be read: no well-formed object, or a value that is nested, escaped, long or beyond ASCII. */
export const FIELD_UNSURE = 255;
export const FIELD_KEYS_MAX = 8;
/** Different values of a key; one with more has no column. */
export const FIELD_VALUES_MAX = 250;
export const FIELD_VALUE_BYTES_MAX = 64;

/** What `decodePush` found. All views are valid until the next call of any kernel. */
export interface DecodedPush {
  /** All lines, in order of arrival, each followed by one line feed (lines may contain line feeds themselves). */
  readonly bytes: Uint8Array;
  readonly entryCount: number;
  /** Line i is `bytes[i === 0 ? 0 : ends[i - 1] + 1, ends[i])`. */
  readonly ends: Int32Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  readonly streamCount: number;
  /** Four per stream: labels' start and end in the body, first entry, end of entries. */
  readonly streams: Int32Array;
  readonly metadataCount: number;
  /** Five per pair of structured metadata: entry, name start and end, value start and end, in the body. Sorted by entry. */
  readonly metadata: Int32Array;
}

/** A literal to look for, prepared once: which two of its bytes are the rarest, and its folded form. */
export interface Needle {
  readonly bytes: Uint8Array;
  readonly ignoreCase: boolean;
  readonly probeA: number;
  readonly probeB: number;
}

/** What lines of a block come to. */
export interface LineSurvey {
  /** The part of the block they all lie in. */
  readonly from: number;
  readonly to: number;
  /** Of all lines together. */
  readonly lineBytes: number;
  /** Lines that begin within a UTF-8 character of the block, or end within one. */
  readonly cutCount: number;
}

/** Bytes behind the lines of some entries: entry i has `texts[ids[i]]`, or none where its id is negative. */
export interface EntryTails {
  readonly ids: Int32Array;
  readonly texts: readonly Uint8Array[];
}

export interface Kernels {
  readonly flavour: "wasm" | "typescript";

  /** Memory inside the kernels' own, never freed, for buffers that live as long as the program (page scratch, read buffers).
   *  Falls back to ordinary memory when the kernels' is used up. */
  allocate(bytes: number): Uint8Array;

  /**
   * Finds the lines of `bytes[from, to)` that end with a line feed. Writes start and end (without the line feed) of each, at most
   * `starts.length` of them, and returns how many. The next byte to read is `ends[count - 1] + 1`.
   */
  splitLines(bytes: Uint8Array, from: number, to: number, starts: Int32Array, ends: Int32Array): number;

  /**
   * Kubernetes' container log form `<time> <stdout|stderr> <flags> <content>` of the lines 0..count, reference agent-features §2.7.
   * Returns how many of them are irregular: not of that form, partial, or with a time that is not `timeOk`.
   */
  parseCri(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, out: CriColumns): number;

  /** Where the lines `picks[0, pickCount)` of `bytes` lie, and what they come to. */
  surveyLines(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, picks: Int32Array, pickCount: number): LineSurvey;

  /** How many of the first lines of `picks[0, pickCount)` come to no more than `bytesMax`, and what they come to. */
  fitLines(
    starts: Int32Array,
    ends: Int32Array,
    picks: Int32Array,
    pickCount: number,
    bytesMax: number,
  ): { readonly count: number; readonly bytes: number };

  /**
   * Sorts `picks[0, pickCount)` by their groups `groups[pick]`, which are less than `groupCount`, order kept within each. Group g goes to
   * `sorted[g === 0 ? 0 : groupEnds[g - 1], groupEnds[g])`.
   */
  groupPicks(picks: Int32Array, pickCount: number, groups: Int32Array, groupCount: number, sorted: Int32Array, groupEnds: Int32Array): void;

  /** RFC 3339 with any number of fraction digits, as Go's RFC3339Nano parses it, of the spans 0..count. A span with start < 0 is not ok.
   *  Returns how many are. */
  parseRfc3339(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    sec: Int32Array,
    nanos: Int32Array,
    ok: Uint8Array,
  ): number;

  /**
   * Looks for top-level keys of a JSON object in each of the lines 0..count. For key k of line i, slot `i * keys.length + k` of
   * `kind` says what was found (JSON_…) and of `valueStart`/`valueEnd` where. `verdict[i]` is JSON_LINE_OBJECT only when the whole
   * line is one well-formed object (leading and trailing white space allowed) and each slot is certain.
   *
   * @param rules sum of JSON_TRIMMED_KEYS, JSON_ENOUGH and JSON_ABSENT_IS_NULL, or 0
   * @returns how many lines are unsure
   */
  scanJson(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    keys: readonly Uint8Array[],
    rules: number,
    verdict: Uint8Array,
    kind: Uint8Array,
    valueStart: Int32Array,
    valueEnd: Int32Array,
  ): number;

  /**
   * Numbers the texts of one value of the entries `picks[0, pickCount)`, which are below `count`, by first appearance: `numbers[i]` of entry i, and
   * of text number v the entry `firsts[v]` that has it first. Texts are what stands in the bytes: of strings without escapes,
   * whole numbers, true and false. Null is TEXT_NOTHING; TEXT_ODD is everything else, texts of more than 64 bytes, and texts that were new
   * when there were 256 of them, or `firsts.length`.
   */
  numberTexts(
    bytes: Uint8Array,
    spans: StridedSpans,
    count: number,
    picks: Int32Array,
    pickCount: number,
    numbers: Int32Array,
    firsts: Int32Array,
  ): { readonly textCount: number; readonly oddCount: number };

  /**
   * Writes the spans 0..count as JSON strings, as Go writes them, each behind a prefix (number `prefixOf[i]` of `prefixes`) and before
   * the suffix. Text i goes to where the text before ended, up to `textEnds[i]`, in the view that is returned, which is valid until the
   * next call of any kernel. A span with a byte that is not ASCII, for which rules are others, is left out: its end is -1.
   */
  escapeJson(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    prefixes: readonly Uint8Array[],
    prefixOf: Int32Array,
    suffix: Uint8Array,
    textEnds: Int32Array,
  ): Uint8Array;

  /**
   * Undoes the escapes of the JSON strings whose content, without quotes, the spans 0..count are; halves of surrogate pairs become
   * U+FFFD. Texts go where those of `escapeJson` go. A span with an escape that JSON does not have is left out: its end is -1.
   */
  unescapeJson(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, textEnds: Int32Array): Uint8Array;

  /**
   * Finds `keys` (ASCII) in the logfmt lines `bytes[starts[i], ends[i])`: of each key its first value that is not empty. Results as those of
   * `scanJson`, with the LOGFMT constants. A line is read no further than to the last of the first `needed` keys; 0: to its end.
   */
  scanLogfmt(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    keys: readonly Uint8Array[],
    needed: number,
    verdict: Uint8Array,
    kind: Uint8Array,
    valueStart: Int32Array,
    valueEnd: Int32Array,
  ): void;

  /**
   * Finds `keys` in those of the logfmt lines 0..count that are among `picks[0, pickCount)`, as go-logfmt does, which stops at a fault: of
   * each key its last value, which may be empty. Results as those of `scanLogfmt`. A line with a fault or an escape is unsure, as is one
   * that is not among the picks.
   */
  scanStrictLogfmt(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    picks: Int32Array,
    pickCount: number,
    keys: readonly Uint8Array[],
    verdict: Uint8Array,
    kind: Uint8Array,
    valueStart: Int32Array,
    valueEnd: Int32Array,
  ): void;

  /**
   * Numbers the values of up to FIELD_KEYS_MAX top-level keys of the JSON lines of a page (line i as in `findLines`). `ids[k * count + i]`
   * is FIELD_ABSENT, FIELD_UNSURE, or 1 + the number of key k's value, by first appearance. Value v of key k is
   * `bytes[valueStart[s], valueEnd[s])`, s = k * FIELD_VALUES_MAX + v. Of `counts`, two per key, the first says how many values there are,
   * -1 when there are too many (from there on, all lines are unsure), the second how many lines are unsure. Keys are `scanJson`'s with
   * JSON_TRIMMED_KEYS, values as they stand in the line: the string "5" and the number 5 are one.
   */
  jsonFields(
    bytes: Uint8Array,
    ends: Int32Array,
    count: number,
    keys: readonly Uint8Array[],
    ids: Uint8Array,
    valueStart: Int32Array,
    valueEnd: Int32Array,
    counts: Int32Array,
  ): void;

  /**
   * Appends protobuf EntryAdapter fields (tag 0x12, reference agent-features §7.2) for the entries `picks[0, pickCount)` to `out` at
   * `at`. Returns the new end, or -1 when `out` is too small (nothing is promised about its content then). An upper bound of the
   * room needed: line bytes + 40 per entry, and its tail.
   *
   * @param tails encoded fields (structured metadata) that go behind the line
   */
  encodeEntries(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    sec: Int32Array,
    nanos: Int32Array,
    picks: Int32Array,
    pickCount: number,
    out: Uint8Array,
    at: number,
    tails?: EntryTails,
  ): number;

  /**
   * As `encodeEntries`, for picks sorted by groups (`groupPicks`): those of group g are appended to `outs[g]` at `ats[g]`, which takes the
   * new end, or -1 when there is no room.
   */
  encodeGroups(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    sec: Int32Array,
    nanos: Int32Array,
    sorted: Int32Array,
    groupEnds: Int32Array,
    outs: readonly Uint8Array[],
    ats: Int32Array,
    tails?: EntryTails,
  ): void;

  /** Decodes a protobuf PushRequest. Throws MalformedInput. Unknown fields are skipped. */
  decodePush(body: Uint8Array): DecodedPush;

  /** Snappy block format. Returns a view of the compressed bytes. */
  snappyCompress(source: Uint8Array): Uint8Array;
  /** @param maxBytes refuses a larger declared length before anything is allocated. Throws MalformedInput. */
  snappyDecompress(source: Uint8Array, maxBytes: number): Uint8Array;

  /** LZ4 block format (no frame); the caller keeps the raw length. */
  lz4Compress(source: Uint8Array): Uint8Array;
  /** Decodes exactly `rawBytes` into `out` at 0. Throws MalformedInput. */
  lz4Decompress(source: Uint8Array, out: Uint8Array, rawBytes: number): void;

  /**
   * Page codec: LZ77 over the whole page, Huffman coded (format and figures: page-codec.ts). The ratio of zstd -3 on the same pages;
   * packs at 300 to 400 MB/s, unpacks at 1.3 to 1.9 GB/s. Returns a view that is valid until the next call of any kernel.
   */
  packPage(source: Uint8Array): Uint8Array;
  /** Decodes exactly `rawBytes` into `out` at 0. Throws MalformedInput. */
  unpackPage(source: Uint8Array, out: Uint8Array, rawBytes: number): void;

  /** Position of the needle in `bytes[from, to)`, or -1. */
  find(bytes: Uint8Array, from: number, to: number, needle: Needle): number;

  /**
   * Line filter over a whole page: sets `hits[0..n)` to the ascending indexes of the lines that contain the needle, returns n. Line i is
   * `bytes[i === 0 ? 0 : ends[i - 1] + 1, ends[i])`.
   */
  findLines(bytes: Uint8Array, ends: Int32Array, count: number, needle: Needle, hits: Int32Array): number;

  /**
   * How often the needle, which is not empty, occurs in each of the spans 0..count that are among `picks[0, pickCount)`: `counts[i]` for
   * span i, counted no further than `most` (255 at most); 0 for the others. Occurrences may overlap.
   */
  countInSpans(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    picks: Int32Array,
    pickCount: number,
    needle: Needle,
    most: number,
    counts: Uint8Array,
  ): void;

  /**
   * The gram filter of a page (format and reasoning: gram-filter.ts), which `filterMayContain` asks. Returns a view that is valid until
   * the next call of any kernel.
   */
  buildGramFilter(bytes: Uint8Array): Uint8Array;
}
