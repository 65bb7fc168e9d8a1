// bzip2, decoding only, block by block. Layout of a stream (bits, most significant first):
//
//   "BZh" level '1'..'9' | block… | 0x177245385090 <48b> checksum of the stream <32b> | padding to a byte     (streams may follow)
//   block := 0x314159265359 <48b> | checksum <32b> | randomised <1b> | origin <24b> | used bytes <16b + 16b each>
//            | tables <3b> | selectors <15b, move-to-front in unary> | code lengths, one table each | Huffman symbols in groups of 50
//
// The symbols are run lengths (bijective base 2) and move-to-front places; undone, they are the last column of the sorted rotations
// (Burrows-Wheeler), from which the text is walked; runs of four equal bytes are followed by a count of more.

const BLOCK_MAGIC_HIGH = 0x314159;
const BLOCK_MAGIC_LOW = 0x265359;
const END_MAGIC_HIGH = 0x177245;
const END_MAGIC_LOW = 0x385090;
const GROUP_SYMBOLS = 50;
const CODE_BITS_MAX = 20;

/** What is wrong with a file that is not bzip2, or not whole. */
export class BadBzip2 extends Error {
  override readonly name = "BadBzip2";
}

/** Yields the text of a file, a block (up to 900 kB before runs are undone) at a time. @throws BadBzip2 */
export function* decodeBzip2(file: Uint8Array): Generator<Buffer> {
  const bits = new BitReader(file);
  do {
    if (bits.read(8) !== 0x42 || bits.read(8) !== 0x5a || bits.read(8) !== 0x68) throw new BadBzip2("does not begin with BZh");
    const level = bits.read(8) - 0x30;
    if (level < 1 || level > 9) throw new BadBzip2("has no block size from 1 to 9");
    yield* decodeStream(bits, level * 100_000);
    bits.alignToByte();
  } while (bits.remainingBytes >= 4);
}

function* decodeStream(bits: BitReader, blockBytesMax: number): Generator<Buffer> {
  let streamSum = 0;
  for (;;) {
    const high = bits.read(24);
    const low = bits.read(24);
    const sum = bits.read32();
    if (high === END_MAGIC_HIGH && low === END_MAGIC_LOW) {
      if (sum !== streamSum) throw new BadBzip2("has a wrong checksum");
      return;
    }
    if (high !== BLOCK_MAGIC_HIGH || low !== BLOCK_MAGIC_LOW) throw new BadBzip2("has no block where one must begin");
    const text = decodeBlock(bits, blockBytesMax);
    const found = checksum(text);
    if (found !== sum) throw new BadBzip2("has a block with a wrong checksum");
    streamSum = (((streamSum << 1) | (streamSum >>> 31)) ^ found) >>> 0;
    yield text;
  }
}

function decodeBlock(bits: BitReader, blockBytesMax: number): Buffer {
  if (bits.read(1) !== 0) throw new BadBzip2("has a randomised block, which only versions before 0.9.5 wrote");
  const origin = bits.read(24);
  const column = readLastColumn(bits, blockBytesMax);
  if (origin >= column.length) throw new BadBzip2("has a block without origin");
  return undoRuns(unsort(column, origin));
}

function readLastColumn(bits: BitReader, blockBytesMax: number): Uint8Array {
  const alphabet = readAlphabet(bits);
  const symbolCount = alphabet.length + 2;
  const end = symbolCount - 1;
  const tableCount = bits.read(3);
  if (tableCount < 2 || tableCount > 6) throw new BadBzip2(`has ${tableCount} tables, 2 to 6 are possible`);
  const selectors = readSelectors(bits, tableCount);
  const tables = Array.from({ length: tableCount }, () => readTable(bits, symbolCount));
  const out = new Uint8Array(blockBytesMax);
  const places = Uint8Array.from(alphabet);
  let count = 0;
  let run = 0;
  let runScale = 1;
  for (let group = 0; ; group++) {
    const selector = selectors[group];
    if (selector === undefined) throw new BadBzip2("has fewer selectors than groups");
    const table = tables[selector]!;
    for (let k = 0; k < GROUP_SYMBOLS; k++) {
      const symbol = table.next(bits);
      if (symbol <= 1) {
        run += runScale << symbol;
        runScale *= 2;
        if (run > blockBytesMax) throw new BadBzip2("has a run longer than a block");
        continue;
      }
      if (run > 0) {
        if (count + run > blockBytesMax) throw new BadBzip2("has a block longer than announced");
        out.fill(places[0]!, count, count + run);
        count += run;
        run = 0;
        runScale = 1;
      }
      if (symbol === end) return out.subarray(0, count);
      if (count === blockBytesMax) throw new BadBzip2("has a block longer than announced");
      const place = symbol - 1;
      const byte = places[place]!;
      places.copyWithin(1, 0, place);
      places[0] = byte;
      out[count++] = byte;
    }
  }
}

function readAlphabet(bits: BitReader): number[] {
  const groups = bits.read(16);
  const alphabet: number[] = [];
  for (let high = 0; high < 16; high++) {
    if ((groups & (0x8000 >> high)) === 0) continue;
    const low = bits.read(16);
    for (let k = 0; k < 16; k++) if ((low & (0x8000 >> k)) !== 0) alphabet.push(high * 16 + k);
  }
  if (alphabet.length === 0) throw new BadBzip2("has a block that uses no byte");
  return alphabet;
}

function readSelectors(bits: BitReader, tableCount: number): Uint8Array {
  const count = bits.read(15);
  const selectors = new Uint8Array(count);
  const places = [0, 1, 2, 3, 4, 5];
  for (let i = 0; i < count; i++) {
    let place = 0;
    while (bits.read(1) === 1) if (++place >= tableCount) throw new BadBzip2("selects a table that is not there");
    const [table] = places.splice(place, 1);
    places.unshift(table!);
    selectors[i] = table!;
  }
  return selectors;
}

/** Canonical Huffman codes by their lengths. */
class HuffmanTable {
  readonly #symbols: Uint16Array;
  /** By code length: the first code, and where its symbol stands. */
  readonly #first = new Int32Array(CODE_BITS_MAX + 2);
  readonly #index = new Int32Array(CODE_BITS_MAX + 2);
  readonly #count = new Int32Array(CODE_BITS_MAX + 2);

  constructor(lengths: Uint8Array) {
    for (const length of lengths) this.#count[length]!++;
    this.#symbols = new Uint16Array(lengths.length);
    let at = 0;
    let code = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length++) {
      this.#first[length] = code;
      this.#index[length] = at;
      for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) this.#symbols[at++] = symbol;
      code = (code + this.#count[length]!) << 1;
    }
  }

  next(bits: BitReader): number {
    let code = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length++) {
      code = (code << 1) | bits.read(1);
      const offset = code - this.#first[length]!;
      if (offset < this.#count[length]!) return this.#symbols[this.#index[length]! + offset]!;
    }
    throw new BadBzip2("has a code that no table knows");
  }
}

function readTable(bits: BitReader, symbolCount: number): HuffmanTable {
  const lengths = new Uint8Array(symbolCount);
  let length = bits.read(5);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    while (bits.read(1) === 1) length += bits.read(1) === 0 ? 1 : -1;
    if (length < 1 || length > CODE_BITS_MAX) throw new BadBzip2(`has a code of ${length} bits, 1 to ${CODE_BITS_MAX} are possible`);
    lengths[symbol] = length;
  }
  return new HuffmanTable(lengths);
}

/** Walks the rotations: the k-th occurrence of a byte in the last column is its k-th in the first, which is sorted. */
function unsort(column: Uint8Array, origin: number): Uint8Array {
  const starts = new Int32Array(257);
  for (const byte of column) starts[byte + 1]!++;
  for (let byte = 0; byte < 256; byte++) starts[byte + 1]! += starts[byte]!;
  const next = new Int32Array(column.length);
  for (let i = 0; i < column.length; i++) next[starts[column[i]!]!++] = i;
  const out = new Uint8Array(column.length);
  for (let i = 0, at = next[origin]!; i < out.length; i++, at = next[at]!) out[i] = column[at]!;
  return out;
}

function undoRuns(bytes: Uint8Array): Buffer {
  let room = bytes.length;
  forEachRun(bytes, (_, count) => {
    room += count;
  });
  const out = Buffer.allocUnsafe(room);
  let at = 0;
  let from = 0;
  forEachRun(bytes, (countAt, count) => {
    out.set(bytes.subarray(from, countAt), at);
    at += countAt - from;
    out.fill(bytes[countAt - 1]!, at, at + count);
    at += count;
    from = countAt + 1;
  });
  out.set(bytes.subarray(from), at);
  return out.subarray(0, at + bytes.length - from);
}

/** Calls back for each byte that is a count, which stands behind four equal bytes. */
function forEachRun(bytes: Uint8Array, visit: (countAt: number, count: number) => void): void {
  let equal = 1;
  for (let i = 1; i < bytes.length; i++) {
    equal = bytes[i] === bytes[i - 1] ? equal + 1 : 1;
    if (equal < 4 || i + 1 >= bytes.length) continue;
    visit(i + 1, bytes[i + 1]!);
    i += 2;
    equal = 1;
  }
}

class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #held = 0;
  #heldBits = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remainingBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** At most 24 bits. */
  read(count: number): number {
    while (this.#heldBits < count) {
      if (this.#at >= this.#bytes.length) throw new BadBzip2("ends within a block");
      this.#held = ((this.#held << 8) | this.#bytes[this.#at++]!) >>> 0;
      this.#heldBits += 8;
    }
    this.#heldBits -= count;
    const value = this.#held >>> this.#heldBits;
    this.#held &= (1 << this.#heldBits) - 1;
    return value;
  }

  read32(): number {
    return ((this.read(16) << 16) | this.read(16)) >>> 0;
  }

  alignToByte(): void {
    this.#heldBits = 0;
    this.#held = 0;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let k = 0; k < 8; k++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

/** CRC-32 with the most significant bit first, as bzip2 has it. */
function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = ((crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ bytes[i]!]!) >>> 0;
  return ~crc >>> 0;
}
