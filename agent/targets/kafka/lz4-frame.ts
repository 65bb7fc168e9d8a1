// LZ4 frames (lz4/doc/lz4_Frame_format.md) as producers of Kafka write them, blocks linked or not. Only read; checksums are left to
// Kafka's own over the whole batch.
//
//   frame  := magic<4b> flags<1b> block size<1b> [content size<8b>] [dictionary id<4b>] header checksum<1b>
//             block* end mark<4b, zero> [content checksum<4b>]
//   block  := size<4b, highest bit: not compressed> bytes [checksum<4b>]                              all numbers little endian

const MAGIC = 0x184d2204;
const HAS_BLOCK_CHECKSUM = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_CONTENT_CHECKSUM = 0x04;
const HAS_DICTIONARY = 0x01;
const STORED = 0x8000_0000;
const MATCH_BYTES_MIN = 4;

/** What a block may hold at most, by the three bits of the header. */
const blockBytesMax = (bits: number): number => 1 << (8 + 2 * bits);

/** All frames of the buffer, one after the other. @throws Error for what is no frame, or becomes more than `maxBytes` */
export function decodeLz4Frames(source: Buffer, maxBytes: number): Buffer {
  const reader = new FrameReader(source, maxBytes);
  while (reader.at < source.length) reader.frame();
  return reader.output();
}

class FrameReader {
  readonly #source: Buffer;
  readonly #maxBytes: number;
  #out: Buffer = Buffer.alloc(0);
  #used = 0;
  at = 0;

  constructor(source: Buffer, maxBytes: number) {
    this.#source = source;
    this.#maxBytes = maxBytes;
  }

  output(): Buffer {
    return this.#out.subarray(0, this.#used);
  }

  frame(): void {
    if (this.#u32() !== MAGIC) throw new Error("not an LZ4 frame");
    const flags = this.#byte();
    const blockBytes = blockBytesMax((this.#byte() >> 4) & 7);
    if ((flags & HAS_DICTIONARY) !== 0) throw new Error("an LZ4 frame with a dictionary cannot be read");
    this.#skip((flags & HAS_CONTENT_SIZE) === 0 ? 1 : 9);
    const frameStart = this.#used;
    for (let size = this.#u32(); size !== 0; size = this.#u32()) {
      this.#block(size, blockBytes, frameStart);
      if ((flags & HAS_BLOCK_CHECKSUM) !== 0) this.#skip(4);
    }
    if ((flags & HAS_CONTENT_CHECKSUM) !== 0) this.#skip(4);
  }

  #block(size: number, blockBytes: number, frameStart: number): void {
    const bytes = size & ~STORED;
    const end = this.at + bytes;
    if (end > this.#source.length) throw new Error("an LZ4 block is cut off");
    this.#reserve(Math.min(blockBytes, this.#maxBytes - this.#used));
    if (size >>> 31 === 1) {
      if (bytes > this.#out.length - this.#used) throw this.#tooLarge();
      this.#used += this.#source.copy(this.#out, this.#used, this.at, end);
      this.at = end;
    } else this.#sequences(end, this.#used + blockBytes, frameStart);
  }

  #sequences(end: number, outMax: number, frameStart: number): void {
    while (this.at < end) {
      const token = this.#byte();
      const literals = this.#length(token >> 4);
      if (this.at + literals > end) throw new Error("an LZ4 block ends inside its literals");
      if (this.#used + literals > Math.min(outMax, this.#out.length)) throw this.#tooLarge();
      this.#used += this.#source.copy(this.#out, this.#used, this.at, this.at + literals);
      this.at += literals;
      if (this.at === end) return;
      const offset = this.#byte() | (this.#byte() << 8);
      const length = this.#length(token & 15) + MATCH_BYTES_MIN;
      if (offset === 0 || offset > this.#used - frameStart) throw new Error("an LZ4 match lies before its frame");
      if (this.#used + length > Math.min(outMax, this.#out.length)) throw this.#tooLarge();
      for (let i = 0; i < length; i++, this.#used++) this.#out[this.#used] = this.#out[this.#used - offset]!;
    }
  }

  #length(code: number): number {
    let length = code;
    if (code < 15) return length;
    for (let more = 255; more === 255; length += more) more = this.#byte();
    return length;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#out.length) return;
    const grown = Buffer.alloc(Math.min(this.#maxBytes, Math.max(this.#used + bytes, this.#out.length * 2)));
    this.#out.copy(grown, 0, 0, this.#used);
    this.#out = grown;
  }

  #byte(): number {
    if (this.at >= this.#source.length) throw new Error("an LZ4 frame is cut off");
    return this.#source[this.at++]!;
  }

  #u32(): number {
    return (this.#byte() | (this.#byte() << 8) | (this.#byte() << 16) | (this.#byte() << 24)) >>> 0;
  }

  #skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.#source.length) throw new Error("an LZ4 frame is cut off");
  }

  #tooLarge(): Error {
    return new Error(`an LZ4 block becomes larger than it may, or the whole larger than ${this.#maxBytes} bytes`);
  }
}
