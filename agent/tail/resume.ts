// Where to begin with a file when the agent starts: what an earlier run has noted of it, or a position by its path.

import { type BigIntStats, closeSync } from "node:fs";
import type { FileRecord } from "../file-records.ts";
import type { UnpackedFile } from "./compressed-generation.ts";
import {
  type FileId,
  idKey,
  idOf,
  isSame,
  matchesFingerprint,
  openIfSame,
  readAt,
  resolveLinks,
  statFile,
  traceAt,
} from "./file-identity.ts";
import { FileTail, FROM_START, type TailStart } from "./file-tail.ts";
import type { FollowContext } from "./follow-context.ts";
import { type FoundFile, findByIdentity, findCopy } from "./generations.ts";
import { type LossReason, reportLoss } from "./loss-ledger.ts";
import { leavingKey } from "./tail-pool.ts";
import { locate } from "./whereabouts.ts";

/** A position that is not at a line's start is moved back to it, at most this far. */
const ALIGN_BYTES_MAX = 64 * 1024;

export interface ResumedFile {
  readonly tail: FileTail;
  /** Open for reading, for the tail to adopt. */
  readonly fd: number;
}

/**
 * The file of a record where it was, to be gone on with. Undefined: another file is there, or none, or its content was replaced.
 *
 * @param stat of what is at the path now
 */
export function resumeInPlace(
  record: FileRecord,
  name: string,
  stat: BigIntStats | undefined,
  { setting, clock, byId }: FollowContext,
): ResumedFile | undefined {
  if (stat === undefined || !isSame(record, stat) || byId.has(idKey(record))) return undefined;
  const fd = openIfSame(name, record);
  if (fd === undefined) return undefined;
  if (!matchesFingerprint(fd, Number(stat.size), record)) {
    closeSync(fd);
    return undefined;
  }
  const start = { offset: record.offset, trace: traceAt(fd, record.offset) };
  const tail = new FileTail(setting, name, resolveLinks(name), idOf(stat), Number(stat.size), start, clock.nowMs());
  tail.modifiedNs = stat.mtimeNs;
  tail.expect(record);
  return { tail, fd };
}

/**
 * The file of a record that has left its path: among the neighbours by its identity, or as a copy of its content.
 *
 * @param stat of what is at the path now
 */
export function resumeElsewhere(
  record: FileRecord,
  name: string,
  stat: BigIntStats | undefined,
  context: FollowContext,
): ResumedFile | "read already" | "not found" {
  const { byId, log, setting, clock } = context;
  const sameId = byId.get(idKey(record));
  if (sameId !== undefined && isRecorded(sameId, record)) return "read already";
  const paths = [name, record.path];
  const isTaken = (id: FileId): boolean => byId.has(idKey(id)) || (stat !== undefined && isSame(id, stat));
  const found =
    (sameId === undefined ? findByIdentity(paths, record, record, record.seenMs) : undefined) ?? findCopy(paths, record, isTaken);
  if (found === undefined) return "not found";
  const { file, fd } = found;
  const start = { offset: record.offset, trace: traceAt(fd, record.offset) };
  log.info({ file: name, found: file.path, offset: record.offset }, "found a file again that was rotated away, reading it to its end");
  const tail = new FileTail(setting, name, file.path, file.id, file.sizeBytes, start, clock.nowMs());
  // Nothing was seen at the path since: what came and went there later is looked for after yet another restart, too.
  tail.seenMs = record.seenMs;
  return { tail, fd };
}

/**
 * A file that is at its path, to be gone on with where a stopped target has left it, if one has.
 *
 * @param isSuccessor whether another file was at the path before, so that a position by path is not this one's
 */
export function beginOpened(name: string, fd: number, opened: BigIntStats, isSuccessor: boolean, context: FollowContext): FileTail {
  const { setting, clock } = context;
  const { leaving } = setting.pool;
  const id = idOf(opened);
  const left = leaving.get(leavingKey(name, id));
  const from = left !== undefined || isSuccessor ? FROM_START() : startByPath(name, fd, Number(opened.size), context);
  const tail = new FileTail(setting, name, resolveLinks(name), id, Number(opened.size), from, clock.nowMs());
  if (left !== undefined) tail.inherit(left);
  leaving.delete(leavingKey(name, id));
  return tail;
}

/** A copy of a file's former content, to be gone on with where the file was. */
export function copiedContent(tail: FileTail, copy: FoundFile, seenMs: number): FileTail {
  const former = new FileTail(tail.setting, tail.name, copy.path, copy.id, copy.sizeBytes, FROM_START(), tail.changedMs);
  former.inherit(tail);
  former.seenMs = seenMs;
  return former;
}

/** What was read of content that is gone, and is not acknowledged yet. */
export function formerContent(tail: FileTail): FileTail {
  const former = new FileTail(tail.setting, tail.name, tail.path, tail.id, tail.offset, FROM_START(), tail.changedMs);
  former.inherit(tail);
  former.rotated = true;
  former.finished = true;
  return former;
}

/** Rotated files of a path that a stopped target has left, to be gone on with by their descriptors. */
export function takeOverRotated(name: string, { setting, clock }: FollowContext): ResumedFile[] {
  const taken: ResumedFile[] = [];
  for (const [key, left] of setting.pool.leaving) {
    if (left.name !== name || !left.rotated) continue;
    const path = locate(left) ?? left.path;
    // What is not found stays noted by who has left it.
    const fd = left.file === undefined ? undefined : openIfSame(`/proc/self/fd/${left.file.fd}`, left.id);
    if (fd === undefined) continue;
    setting.pool.leaving.delete(key);
    const tail = new FileTail(setting, name, path, left.id, left.sizeBytes, FROM_START(), clock.nowMs());
    tail.inherit(left);
    left.close();
    taken.push({ tail, fd });
  }
  return taken;
}

/** A generation that was unpacked, from where it was read to, or from its start if nobody has seen it. */
export function resumeUnpacked(
  { path, id, fd, sizeBytes, records: [record] }: UnpackedFile,
  name: string,
  context: FollowContext,
): ResumedFile {
  const { setting, clock, log } = context;
  const offset = record?.offset ?? 0;
  log.info({ file: name, found: path, offset }, "found a generation that was compressed before it was read, reading it to its end");
  return { tail: new FileTail(setting, name, path, id, sizeBytes, { offset, trace: traceAt(fd, offset) }, clock.nowMs()), fd };
}

/** Whether a file that is being read is the record's, and not one that has its inode by now. */
function isRecorded(tail: FileTail, record: FileRecord): boolean {
  return tail.open() && matchesFingerprint(tail.file!.fd, tail.sizeBytes, record);
}

/** Of a file that is not there any more, what was not read is a loss. */
export function reportGone(record: FileRecord, { metrics, log }: FollowContext): void {
  const { offset, sizeBytes } = record;
  const stat = statFile(record.name);
  const atPath = stat !== undefined && isSame(record, stat);
  if (sizeBytes > offset) {
    const text = atPath ? "file was replaced before it was read to its end" : "file was gone before it was read to its end";
    const reason = atPath ? "truncated" : "rotated_away";
    reportLoss({ reason, path: record.name, fromByte: offset, toByte: sizeBytes, text }, metrics, log);
  } else {
    const text = "file is not there any more; what was written to it while nobody looked, if anything, is not read";
    log.info({ file: record.name, was: record.path, offset }, text);
  }
}

/** What a file had beyond what was read of it is gone. */
export function reportUnread(tail: FileTail, reason: LossReason, text: string, { metrics, log }: FollowContext): void {
  reportLoss({ reason, path: tail.name, fromByte: tail.offset, toByte: tail.sizeBytes, text }, metrics, log);
}

/** Where to begin with a file nothing is known of but, perhaps, a position by its path (Promtail's, or of a lost sidecar). */
function startByPath(name: string, fd: number, sizeBytes: number, { positionOf, log, setting }: FollowContext): TailStart {
  const position = positionOf(name);
  if (position === undefined || position === 0) return FROM_START();
  if (position > sizeBytes) {
    log.info({ file: name, position, size: sizeBytes }, "position is beyond the file's end, reading it from its start");
    return FROM_START();
  }
  const offset = setting.encoding === undefined ? lineStartBefore(fd, position) : position;
  return { offset, trace: traceAt(fd, offset) };
}

function lineStartBefore(fd: number, position: number): number {
  const bytes = Math.min(ALIGN_BYTES_MAX, position);
  const before = readAt(fd, position - bytes, bytes);
  const feed = before.lastIndexOf(10);
  return feed >= 0 ? position - bytes + feed + 1 : bytes === position ? 0 : position;
}
