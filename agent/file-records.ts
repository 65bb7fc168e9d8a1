// What we know of each file beyond Promtail's path: which physical file an offset belongs to. Kept in a sidecar beside the
// positions file, so that a renamed file is found again and an offset of another file is recognised.
//
//   line 1     {"format":"skald-identity-1","positions":"<digest>","before":"<digest>","removed":[<key>, …],"records":<count>}
//   line 2..   one JSON object per file (FileRecord)
//
// The digests are of the positions file this sidecar was written along with, and of the one it replaced (after an orderly end the same
// again): if the positions file on disk is neither, somebody else (Promtail, a person) has written it since, and its offsets count.

import { createHash, hash } from "node:crypto";

export interface FileRecord {
  /** Who reads it: labels and glob of the target, digested. Two targets may read one file. */
  readonly owner: string;
  /** Where the file was last seen. */
  readonly path: string;
  /** The matched path it is read as: value of the `filename` label and key in the positions file. */
  readonly name: string;
  /** Device and inode, decimal: they may exceed 2^53. */
  readonly dev: string;
  readonly ino: string;
  /** Digest of the file's first bytes, and how many they are (at most 1 KiB, fewer when less had been read). */
  readonly headBytes: number;
  readonly headDigest: string;
  /** Acknowledged up to here. */
  readonly offset: number;
  /** Digest of the bytes before `offset`; empty when unknown. */
  readonly markDigest: string;
  readonly sizeBytes: number;
  /** Whether `name` belongs to another file by now, and this one is only read to its end. */
  readonly rotated: boolean;
  /** When the file was last looked at, ms since 1970. */
  readonly seenMs: number;
  /** Read to its end and left alone since: noted only to be known again if it is packed later. */
  readonly done?: true;
}

/** Records in the order they were added, found by name: with 100 000 files, each asks for its own at the start. */
export class RecordStore implements Iterable<FileRecord> {
  readonly #byName = new Map<string, Set<FileRecord>>();

  add(record: FileRecord): void {
    const records = this.#byName.get(record.name);
    if (records === undefined) this.#byName.set(record.name, new Set([record]));
    else records.add(record);
  }

  delete(record: FileRecord): void {
    const records = this.#byName.get(record.name);
    if (records?.delete(record) === true && records.size === 0) this.#byName.delete(record.name);
  }

  of(name: string): readonly FileRecord[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  *[Symbol.iterator](): Iterator<FileRecord> {
    for (const records of this.#byName.values()) yield* records;
  }
}

const FORMAT = "skald-identity-1";
const PIECE_LENGTH = 64 * 1024;

export interface Sidecar {
  readonly positionsDigest: string;
  readonly beforeDigest: string;
  /** Keys of the positions file before that this one has no longer: a file that comes to such a path has nothing to do with the position. */
  readonly removed: readonly string[];
  readonly records: readonly FileRecord[];
}

/** 96 bits of SHA-1 in base64url: for telling apart, not for secrecy. */
export function digest(content: string | Uint8Array): string {
  return hash("sha1", content, "base64url").slice(0, 16);
}

/** What of records is worth writing, digested: that a file was looked at again is not. */
export function digestRecords(records: readonly FileRecord[]): string {
  const hash = createHash("sha1");
  for (const record of records) hash.update(`${JSON.stringify({ ...record, seenMs: 0 })}\n`);
  return hash.digest("base64url");
}

/** Prints a sidecar in pieces: of 100 000 files it has 40 MB. */
export function* printSidecar({ positionsDigest, beforeDigest, removed, records }: Sidecar): Iterable<string> {
  const head = { format: FORMAT, positions: positionsDigest, before: beforeDigest, removed, records: records.length };
  let piece = `${JSON.stringify(head)}\n`;
  for (const record of records) {
    piece += `${JSON.stringify(record)}\n`;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}

/** @throws Error when the text is not a whole sidecar of this format */
export function parseSidecar(text: string): Sidecar {
  const lines = text.trimEnd().split("\n");
  const head = JSON.parse(lines[0] ?? "") as Partial<Record<"format" | "positions" | "before" | "removed" | "records", unknown>>;
  if (head.format !== FORMAT) throw new Error(`format is ${JSON.stringify(head.format)}, expected "${FORMAT}"`);
  if (head.records !== lines.length - 1)
    throw new Error(`has ${lines.length - 1} records, its first line says ${JSON.stringify(head.records)}`);
  return {
    positionsDigest: String(head.positions),
    beforeDigest: String(head.before),
    removed: Array.isArray(head.removed) ? head.removed.map(String) : [],
    records: lines.slice(1).map((line) => checkRecord(JSON.parse(line))),
  };
}

const TEXTS = ["owner", "path", "name", "dev", "ino", "headDigest", "markDigest"] as const;
const NUMBERS = ["headBytes", "offset", "sizeBytes", "seenMs"] as const;

function checkRecord(value: unknown): FileRecord {
  const record = value as Record<string, unknown>;
  for (const key of TEXTS) if (typeof record[key] !== "string") throw new Error(`record without ${key}`);
  for (const key of NUMBERS)
    if (!Number.isSafeInteger(record[key]) || (record[key] as number) < 0) throw new Error(`record without ${key}`);
  if (typeof record.rotated !== "boolean") throw new Error("record without rotated");
  if (record.done !== undefined && record.done !== true) throw new Error(`record with done ${JSON.stringify(record.done)}`);
  return value as FileRecord;
}
