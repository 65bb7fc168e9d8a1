// LZ4 frames, which OTLP exporters may send (lz4_Frame_format.md 1.6): magic, FLG, BD, [content size], [dictionary], HC, then blocks of
// `size u32 (highest bit: stored as it is), bytes, [checksum]` up to a size of 0. Checksums are not compared: TCP has its own, and the
// decoder checks every bound.

const MAGIC = 0x184d2204;
const FLAG = { blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 } as const;
const STORED = 0x80000000;
const BLOCK_BYTES_MAX = 4 * 1024 * 1024;

export class Lz4FrameError extends Error {
  override readonly name: string = "Lz4FrameError";
}

/** The content would be longer than the caller allows. */
export class Lz4FrameTooLong extends Lz4FrameError {
  override readonly name = "Lz4FrameTooLong";
}

/** The content of one or more frames. @throws Lz4FrameError */
export function decodeLz4Frames(packed: Buffer, limitBytes: number): Buffer {
  const out = new Output(limitBytes);
  for (let at = 0; at < packed.length; ) at = decodeFrame(packed, at, out);
  return out.content();
}

function decodeFrame(packed: Buffer, from: number, out: Output): number {
  if (uint32(packed, from) !== MAGIC) throw new Lz4FrameError("lz4: bad magic number");
  const flags = packed[from + 4] ?? 0;
  if (flags >> 6 !== 1) throw new Lz4FrameError(`lz4: unsupported frame version ${flags >> 6}`);
  if ((flags & FLAG.dictionary) !== 0) throw new Lz4FrameError("lz4: frames with a dictionary are not supported");
  let at = from + 7 + ((flags & FLAG.contentSize) !== 0 ? 8 : 0);
  for (;;) {
    const size = uint32(packed, at);
    at += 4;
    if (size === 0) break;
    const length = size & (STORED - 1);
    if (length > BLOCK_BYTES_MAX || at + length > packed.length) throw new Lz4FrameError("unexpected EOF");
    const block = packed.subarray(at, at + length);
    if (size >= STORED) out.append(block);
    else decodeBlock(block, out);
    at += length + ((flags & FLAG.blockChecksum) !== 0 ? 4 : 0);
  }
  return at + ((flags & FLAG.contentChecksum) !== 0 ? 4 : 0);
}

/** Matches may reach into earlier blocks of the frame. */
function decodeBlock(block: Buffer, out: Output): void {
  let at = 0;
  const extended = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (;;) {
      if (at >= block.length) throw new Lz4FrameError("unexpected EOF");
      const byte = block[at++]!;
      length += byte;
      if (byte < 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw new Lz4FrameError("unexpected EOF");
    out.append(block.subarray(at, at + literals));
    at += literals;
    if (at === block.length) return;
    if (at + 2 > block.length) throw new Lz4FrameError("unexpected EOF");
    const offset = block.readUInt16LE(at);
    at += 2;
    out.repeat(offset, extended(token & 15) + 4);
  }
}

class Output {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #used = 0;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  append(bytes: Buffer): void {
    this.#reserve(bytes.length);
    bytes.copy(this.#bytes, this.#used);
    this.#used += bytes.length;
  }

  /** The match may overlap what it writes: bytes one by one then. */
  repeat(offset: number, length: number): void {
    if (offset === 0 || offset > this.#used) throw new Lz4FrameError("lz4: a match reaches before the content");
    this.#reserve(length);
    const from = this.#used - offset;
    if (offset >= length) this.#bytes.copyWithin(this.#used, from, from + length);
    else for (let i = 0; i < length; i++) this.#bytes[this.#used + i] = this.#bytes[from + i]!;
    this.#used += length;
  }

  content(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  #reserve(more: number): void {
    const wanted = this.#used + more;
    if (wanted > this.#limitBytes) throw new Lz4FrameTooLong(`request body too large: ${wanted} bytes, limit: ${this.#limitBytes} bytes`);
    if (wanted <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(wider, 0, 0, this.#used);
    this.#bytes = wider;
  }
}

function uint32(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new Lz4FrameError("unexpected EOF");
  return bytes.readUInt32LE(at);
}
