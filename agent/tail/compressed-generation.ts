// A generation that was compressed before it was read to its end (rotated and packed while the agent was away). It is known by what
// had been read of it, unpacked beside memory into a file that has no name any more, and read on from there like any rotated file.

import { closeSync, fstatSync, openSync, rmSync, write as writeCallback } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { digest, type FileRecord } from "../file-records.ts";
import { COMPRESSIONS, type Compression, decompress } from "./decompress.ts";
import { type FileId, HEAD_BYTES_MAX, idKey, idOf, matchesFingerprint, openIfSame, readAt } from "./file-identity.ts";
import { compressedFamily, type FoundFile, foldersChanged, namesChangedSince } from "./generations.ts";

const write = promisify(writeCallback);

/** Packed neighbours looked into for one path: the newest. Of most only the head is unpacked. */
const LOOKED_INTO_MAX = 512;
const PASSES = 4;
/** While generations go on being renamed. */
const PASSES_MAX = 12;
const PASS_GAP_MS = 30;

export interface UnpackedFile {
  /** The compressed file. */
  readonly path: string;
  /** Of the unpacked content, which is open at `fd` and has no path. */
  readonly id: FileId;
  readonly fd: number;
  readonly sizeBytes: number;
  /** When its content was written last. */
  readonly modifiedMs: number;
  /** What was noted of it, the least that is acknowledged first: parts of one file may have been read by different ways. None: nobody has seen it. */
  readonly records: readonly FileRecord[];
}

export interface KnownFile {
  readonly headBytes: number;
  readonly headDigest: string;
  /** Of a file that was read to its end; undefined: it may still grow. */
  readonly sizeBytes?: number;
}

export interface Wanted {
  /** Files that are not found otherwise. */
  readonly records: readonly FileRecord[];
  /** Files that are known and need no unpacking. */
  readonly known: readonly KnownFile[];
  /** Packed files written to after this are unpacked even if nothing is noted of them. */
  readonly unseenAfterMs: number;
}

/** Whether there is anything to look into. */
export function hasCompressed(paths: readonly string[], wanted: Wanted): boolean {
  return candidates(paths, wanted).length > 0;
}

/**
 * The generations wanted, oldest first. A packed file that is damaged or for which there is no room is passed to `onFailure`.
 *
 * @param paths the path, and where its files were last
 */
export async function unpackGenerations(
  paths: readonly string[],
  wanted: Wanted,
  onFailure: (path: string, error: unknown) => void,
): Promise<UnpackedFile[]> {
  const found: UnpackedFile[] = [];
  const missing = new Set(wanted.records);
  const lookedInto = new Set<string>();
  let moved = true;
  for (let pass = 0; pass < (moved ? PASSES_MAX : PASSES) && (moved || missing.size > 0); pass++) {
    // Files are renamed again and again: one may be missed while it is on its way from one name to the next.
    if (pass > 0) await new Promise((resolve) => setTimeout(resolve, PASS_GAP_MS));
    const before = foldersChanged(paths);
    // What is looked for was packed lately: mostly it is the first, and the others need not be opened.
    const files = candidates(paths, wanted).reverse();
    moved = foldersChanged(paths) !== before;
    for (const file of files) {
      if (lookedInto.has(idKey(file.id)) || (missing.size === 0 && !isUnseen(file, wanted))) continue;
      const source = openIfSame(file.path, file.id);
      if (source === undefined) {
        moved = true;
        continue;
      }
      lookedInto.add(idKey(file.id));
      try {
        const unpacked = await unpackIfWanted(file, source, missing, wanted);
        if (unpacked === undefined) continue;
        for (const record of unpacked.records) missing.delete(record);
        found.push({ ...unpacked, modifiedMs: file.modifiedMs });
      } catch (error) {
        onFailure(file.path, error);
      } finally {
        closeSync(source);
      }
    }
  }
  return found.reverse().sort((a, b) => a.modifiedMs - b.modifiedMs);
}

async function unpackIfWanted(
  file: FoundFile,
  source: number,
  missing: ReadonlySet<FileRecord>,
  wanted: Wanted,
): Promise<Omit<UnpackedFile, "modifiedMs"> | undefined> {
  const head = await headOf(source, file.path);
  const begins = (print: { readonly headBytes: number; readonly headDigest: string }): boolean =>
    print.headBytes > 0 && head.length >= print.headBytes && digest(head.subarray(0, print.headBytes)) === print.headDigest;
  const records = [...missing].filter(begins);
  const isKnown = (known: KnownFile): boolean =>
    begins(known) && (known.sizeBytes === undefined || (plainBytes(source, file) ?? known.sizeBytes) === known.sizeBytes);
  if (records.length === 0 && (wanted.known.some(isKnown) || !isUnseen(file, wanted))) return undefined;
  const unpacked = await unpack(source, file.path);
  const noted = records.filter((one) => matchesFingerprint(unpacked.fd, unpacked.sizeBytes, one)).sort((a, b) => a.offset - b.offset);
  if (records.length === 0 || noted.length > 0) return { ...unpacked, records: noted };
  closeSync(unpacked.fd);
  return undefined;
}

function candidates(paths: readonly string[], wanted: Wanted): FoundFile[] {
  if (wanted.records.length === 0 && !namesChangedSince(paths, wanted.unseenAfterMs)) return [];
  const packed = compressedFamily(paths).filter((file) => compressionOf(file.path) !== undefined);
  const some = wanted.records.length > 0 ? packed : packed.filter((file) => isUnseen(file, wanted));
  return some.slice(-LOOKED_INTO_MAX);
}

/** Size of what a file of gzip's has packed (modulo 2^32), which its last four bytes say; undefined for other kinds. */
function plainBytes(source: number, { path, sizeBytes }: FoundFile): number | undefined {
  if (compressionOf(path) !== "gz" || sizeBytes < 4) return undefined;
  return readAt(source, sizeBytes - 4, 4).readUInt32LE(0);
}

/** Packing makes a file of its own, and keeps the time of the last writing; kubelet's does not. */
function isUnseen({ modifiedMs, bornMs }: FoundFile, { unseenAfterMs }: Wanted): boolean {
  return modifiedMs > unseenAfterMs && (bornMs > unseenAfterMs || bornMs === 0);
}

function compressionOf(path: string): Compression | undefined {
  return COMPRESSIONS.find((one) => extname(path).toLowerCase() === `.${one}`);
}

async function headOf(source: number, path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const piece of decompress(`/proc/self/fd/${source}`, compressionOf(path)!)) {
    parts.push(Buffer.from(piece.subarray(0, HEAD_BYTES_MAX)));
    bytes += piece.length;
    if (bytes >= HEAD_BYTES_MAX) break;
  }
  return Buffer.concat(parts);
}

let unpackedCount = 0;

async function unpack(source: number, path: string): Promise<Omit<UnpackedFile, "records" | "modifiedMs">> {
  const scratch = join(tmpdir(), `skald-unpacked-${process.pid}-${++unpackedCount}`);
  const fd = openSync(scratch, "wx+", 0o600);
  try {
    rmSync(scratch);
    let sizeBytes = 0;
    for await (const piece of decompress(`/proc/self/fd/${source}`, compressionOf(path)!)) {
      for (let at = 0; at < piece.length; ) at += (await write(fd, piece, at, piece.length - at, sizeBytes + at)).bytesWritten;
      sizeBytes += piece.length;
    }
    return { path, id: idOf(fstatSync(fd, { bigint: true })), fd, sizeBytes };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
