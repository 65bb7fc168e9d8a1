// Which physical file this is. Device and inode name it while it exists; an inode is reused once the file is gone, and a file's
// content may be replaced in place. So what was read is remembered by two digests, checked before an offset is trusted again:
//
//   |head, up to 1 KiB|  ...read...  |mark, up to 256 B|  <- offset   ...not read yet...
//
// The head tells files of different beginnings apart, the mark those that begin alike.

import { type BigIntStats, closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { digest } from "../file-records.ts";

export const HEAD_BYTES_MAX = 1024;
export const MARK_BYTES_MAX = 256;

/** What of a file is compared. Sizes beyond 2^53 do not occur, inodes beyond it do. */
export interface FileId {
  readonly dev: string;
  readonly ino: string;
}

export interface Fingerprint {
  readonly headBytes: number;
  readonly headDigest: string;
  readonly offset: number;
  /** Empty: unknown, not compared. */
  readonly markDigest: string;
}

export function idKey(id: FileId): string {
  return `${id.dev}:${id.ino}`;
}

export function statFile(path: string): BigIntStats | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat?.isFile() === true ? stat : undefined;
  } catch {
    return undefined;
  }
}

export function idOf(stat: BigIntStats): FileId {
  return { dev: String(stat.dev), ino: String(stat.ino) };
}

export function isSame(id: FileId, other: BigIntStats | FileId): boolean {
  return String(other.ino) === id.ino && String(other.dev) === id.dev;
}

/** Opens a path if it leads to the file of this identity. */
export function openIfSame(path: string, id: FileId): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return undefined;
  }
  const stat = fstatSync(fd, { bigint: true });
  if (String(stat.dev) === id.dev && String(stat.ino) === id.ino) return fd;
  closeSync(fd);
  return undefined;
}

export function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Whether the open file is, up to the fingerprint's offset, the one the fingerprint was taken of. */
export function matchesFingerprint(fd: number, sizeBytes: number, print: Fingerprint): boolean {
  if (sizeBytes < print.offset || sizeBytes < print.headBytes) return false;
  if (print.headBytes > 0 && digest(readAt(fd, 0, print.headBytes)) !== print.headDigest) return false;
  return print.markDigest === "" || digest(readMark(fd, print.offset)) === print.markDigest;
}

/** The fingerprint of an open file up to its size as it was asked for. Cut off since, the file has another head, or a shorter one. */
export function takeFingerprint(fd: number, sizeBytes: number): Fingerprint {
  const head = readAt(fd, 0, Math.min(HEAD_BYTES_MAX, sizeBytes));
  return { headBytes: head.length, headDigest: digest(head), offset: sizeBytes, markDigest: digest(readMark(fd, sizeBytes)) };
}

/** The bytes before `offset`, at most MARK_BYTES_MAX of them. */
export function readMark(fd: number, offset: number): Buffer {
  const bytes = Math.min(MARK_BYTES_MAX, offset);
  return readAt(fd, offset - bytes, bytes);
}

/** Up to `bytes` bytes at `position`; fewer at the file's end. */
export function readAt(fd: number, position: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let got = 0;
  while (got < bytes) {
    const n = readSync(fd, buffer, got, bytes - got, position + got);
    if (n === 0) break;
    got += n;
  }
  return buffer.subarray(0, got);
}

/**
 * What has been read of one file, as far as it identifies it. Bytes are kept as texts of one character each: small buffers are cut
 * from pieces of 8 KiB, and the last one of an idle file would keep its whole piece in memory.
 */
export class ReadTrace {
  /** Taken for its digest as soon as it will not grow any more: of a thousand files, the texts are a megabyte. */
  #head = "";
  #headBytes = 0;
  #headDigest: string | undefined;
  #mark: string;

  /** @param head the file's first bytes, at most HEAD_BYTES_MAX of those before the offset; @param mark the bytes before the offset */
  constructor(head: Uint8Array = new Uint8Array(), mark: Uint8Array = head) {
    this.#addHead(textOf(head, 0, head.length));
    this.#mark = textOf(mark, 0, mark.length);
  }

  /** How many bytes before the offset are known: each read fetches them again. */
  get markBytes(): number {
    return this.#mark.length;
  }

  /** Whether `bytes` begins with those that stood before the offset. */
  isMark(bytes: Uint8Array): boolean {
    return bytes.length >= this.#mark.length && textOf(bytes, 0, this.#mark.length) === this.#mark;
  }

  get headBytes(): number {
    return this.#headBytes;
  }

  get headDigest(): string {
    this.#headDigest ??= digest(Buffer.from(this.#head, "latin1"));
    return this.#headDigest;
  }

  #addHead(text: string): void {
    this.#head += text;
    this.#headBytes = this.#head.length;
    this.#headDigest = undefined;
    if (this.#headBytes < HEAD_BYTES_MAX) return;
    this.#headDigest = this.headDigest;
    this.#head = "";
  }

  markDigest(): string {
    return this.#mark === "" ? "" : digest(Buffer.from(this.#mark, "latin1"));
  }

  /** Notes that `bytes[start, end)` was read from `offset` on: `mark` and `headDigest` speak of the new offset from now. */
  advance(offset: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#headBytes < HEAD_BYTES_MAX && offset === this.#headBytes) {
      this.#addHead(textOf(bytes, start, Math.min(end, start + HEAD_BYTES_MAX - this.#headBytes)));
    }
    const fresh = textOf(bytes, Math.max(start, end - MARK_BYTES_MAX), end);
    this.#mark = fresh.length === MARK_BYTES_MAX ? fresh : ownText((this.#mark + fresh).slice(-MARK_BYTES_MAX));
  }

  /** Notes that the offset has moved over bytes that were not looked at. */
  jump(mark: Uint8Array): void {
    this.#mark = textOf(mark, 0, mark.length);
  }

  /** Of the file as it has been read, for an offset and the digest of the bytes before it. */
  fingerprint(offset: number, markDigest: string): Fingerprint {
    return { headBytes: this.headBytes, headDigest: this.headDigest, offset, markDigest };
  }
}

/** The trace of a file that is gone on with at `offset`. */
export function traceAt(fd: number, offset: number): ReadTrace {
  return new ReadTrace(readAt(fd, 0, Math.min(HEAD_BYTES_MAX, offset)), readMark(fd, offset));
}

/** A copy of a text that is a part of a larger one or a sum of smaller ones, which would all stay in memory with it. */
function ownText(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
