// One matched path over time: the file that is there now, and those that have left it and are not read to their end.
//
//   chain   [app.log.2, rotated] [app.log.1, rotated] [app.log]      read in this order; the last one follows the path
//
// What a look can find: the file has grown; it was truncated (copytruncate: its former content goes on in a copy); another file is at
// the path (rename and create, delete and create, a link set anew); nothing is at the path any more.

import { type BigIntStats, closeSync, fstatSync, openSync } from "node:fs";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { FileRecord } from "../file-records.ts";
import { hasCompressed, unpackGenerations, type Wanted } from "./compressed-generation.ts";
import { DoneGenerations } from "./done-generations.ts";
import { type FileId, idKey, idOf, isSame, matchesFingerprint, readMark, resolveLinks, statFile } from "./file-identity.ts";
import type { FileTail } from "./file-tail.ts";
import type { FollowContext } from "./follow-context.ts";
import { CLOCK_TICK_MS, findCopy } from "./generations.ts";
import {
  beginOpened,
  copiedContent,
  formerContent,
  reportGone,
  reportUnread,
  resumeElsewhere,
  resumeInPlace,
  resumeUnpacked,
  takeOverRotated,
} from "./resume.ts";
import { rewind } from "./rewind.ts";
import { leavingKey } from "./tail-pool.ts";
import { openUnseen } from "./unseen.ts";
import { locate } from "./whereabouts.ts";

export class PathFollower {
  readonly name: string;
  chain: FileTail[] = [];
  nextLookMs = 0;
  intervalMs = 0;
  lookedMs = 0;
  /** Another path of the target leads to the same file, which is read there. */
  aliasOf: string | undefined;
  readonly #context: FollowContext;
  #seenMs: number | undefined;
  #begun = false;
  #failure = "";
  #closed = false;
  /** What is looked for among compressed files. */
  unpacking: Wanted | undefined;
  readonly done = new DoneGenerations();
  /** Where links led when a file was last begun here. */
  #ledTo: string | undefined;

  constructor(name: string, context: FollowContext) {
    this.name = name;
    this.#context = context;
  }

  /** The file that is at the path, as far as known. */
  get current(): FileTail | undefined {
    const last = this.chain.at(-1);
    return last === undefined || last.rotated ? undefined : last;
  }

  get isEmpty(): boolean {
    return this.chain.length === 0 && this.unpacking === undefined;
  }

  /** Whether there has been a file at the path. */
  get hasFollowed(): boolean {
    return this.#seenMs !== undefined;
  }

  /** The oldest file with something to read; later ones wait for it. */
  nextReadable(): FileTail | undefined {
    if (this.unpacking !== undefined) return undefined;
    return this.chain.find((tail) => tail.hasUnread || this.wantsFinal(tail));
  }

  /** A last line without line feed is taken when its file has left the path and rests. */
  wantsFinal(tail: FileTail, nowMs: number = this.#context.clock.nowMs()): boolean {
    const { partialIdleMs } = this.#context;
    return (
      tail.rotated && !tail.finished && tail.nextName === undefined && tail.partialBytes > 0 && nowMs - tail.changedMs >= partialIdleMs
    );
  }

  /**
   * Takes up what an earlier run or a stopped target has left of this path. To be called for all paths before the first look at any:
   * what was renamed from one to another is then known to be under way, and not taken for a new file.
   */
  resume(): void {
    if (this.#begun) return;
    this.#begun = true;
    for (const { tail, fd } of takeOverRotated(this.name, this.#context)) this.#addRotated(tail, fd, this.chain.length);
    this.#resume(this.done.resume(this.#context.takeRecords(this.name)), statFile(this.name));
  }

  /** Compares the path with what is known. Returns whether anything has changed. */
  look(): boolean {
    const nowMs = this.#context.clock.nowMs();
    this.lookedMs = nowMs;
    if (this.unpacking !== undefined || this.chain.some((tail) => tail.reading)) return false;
    const stat = statFile(this.name);
    let changed = false;
    if (!this.#begun) {
      this.resume();
      if (this.unpacking !== undefined) return true;
      changed = true;
    }
    const current = this.current;
    if (current === undefined) changed = (stat !== undefined && this.#begin(stat)) || changed;
    else if (stat === undefined) changed = this.#left(current);
    else if (isSame(current.id, stat)) changed = this.#compare(current, stat) || changed;
    else {
      this.#context.metrics.rotations.inc({ kind: "replace" });
      this.#left(current);
      this.#begin(stat);
      changed = true;
    }
    for (const tail of this.chain.filter(({ ledger }) => ledger.hasAbandoned)) {
      changed = true;
      if (this.unpacking === undefined && !rewind(tail, this.#context)) this.#gone(tail, tail.record());
    }
    for (const tail of [...this.chain]) if (tail.rotated) changed = this.#lookRotated(tail, nowMs) || changed;
    if (this.current !== undefined) this.#seenMs = nowMs;
    if (this.chain.some((tail) => tail.isDone)) this.chain = this.chain.filter((tail) => !tail.isDone);
    return changed;
  }

  /** The content before the offset is not what was read: it was replaced in place. */
  contentReplaced(tail: FileTail): void {
    const stat = statFile(tail.rotated ? tail.path : tail.name);
    if (tail.rotated) this.#finish(tail, "truncated");
    else if (stat !== undefined && isSame(tail.id, stat)) this.#truncated(tail, Number(stat.size));
    else this.look();
  }

  /** Ends a search among compressed files. Returns what was looked for, which is to be found by who follows the path next. */
  stopUnpacking(): readonly FileRecord[] {
    if (this.unpacking === undefined) return [];
    const { records, unseenAfterMs } = this.unpacking;
    this.unpacking = undefined;
    for (const tail of this.chain) tail.seenMs = Math.min(tail.seenMs, unseenAfterMs);
    return records.map((record) => ({ ...record, seenMs: Math.min(record.seenMs, unseenAfterMs) }));
  }

  /** Lets go of the files, but for those that are left to another target with their descriptors. */
  close(): void {
    this.#closed = true;
    const { leaving } = this.#context.setting.pool;
    for (const tail of this.chain) if (!tail.rotated || leaving.get(leavingKey(tail.name, tail.id)) !== tail) tail.close();
  }

  #compare(tail: FileTail, stat: BigIntStats): boolean {
    const nowMs = this.#context.clock.nowMs();
    const sizeBytes = Number(stat.size);
    tail.seenMs = nowMs;
    if (sizeBytes < tail.offset) {
      this.#truncated(tail, sizeBytes);
      return true;
    }
    const touched = stat.mtimeNs !== tail.modifiedNs;
    tail.modifiedNs = stat.mtimeNs;
    if (touched && tail.peek !== undefined && tail.peek.offset > tail.offset && tail.open()) {
      if (!matchesFingerprint(tail.file!.fd, sizeBytes, tail.peek)) {
        this.#truncated(tail, sizeBytes);
        return true;
      }
    }
    if (sizeBytes === tail.sizeBytes && (!touched || sizeBytes !== tail.offset || sizeBytes === 0)) return false;
    // Longer, or written to and as long: it goes on where it was read to, or was replaced by as much or more.
    if (tail.offset > 0 && tail.open() && !tail.trace.isMark(readMark(tail.file!.fd, tail.offset))) {
      this.#truncated(tail, sizeBytes);
      return true;
    }
    if (sizeBytes === tail.sizeBytes) return false;
    // Of content that came and went since the file was seen empty, nothing but a copy can tell.
    if (tail.sizeBytes === 0) this.#addUnseen(tail.idKey, this.chain.indexOf(tail), tail);
    tail.sizeBytes = sizeBytes;
    tail.changedMs = nowMs;
    tail.lookAhead();
    return true;
  }

  #truncated(tail: FileTail, sizeBytes: number): void {
    const { metrics, log, byId } = this.#context;
    const print = tail.peek ?? tail.trace.fingerprint(tail.offset, tail.trace.markDigest());
    const known = this.chain.find((other) => other !== tail && other.holds(print));
    const copy = known === undefined ? findCopy([tail.name, tail.path], print, (id) => byId.has(idKey(id))) : undefined;
    metrics.rotations.inc({ kind: "truncate" });
    const fields = { file: tail.name, offset: tail.offset, size: sizeBytes, copy: copy?.file.path };
    log.info(fields, "file was truncated, reading it from its start");
    if (known !== undefined) {
      // A copy that was found before it was known what of. What was read of it already will have come twice.
      if (known.offset === 0) known.inherit(tail);
      else this.#keepUntilSettled(tail);
    } else if (copy !== undefined) {
      this.#addRotated(copiedContent(tail, copy.file, this.lookedMs), copy.fd, this.chain.indexOf(tail));
    } else if (!tail.rotated && this.#unpack([tail.record()])) {
      log.info({ file: tail.name }, "looking for its former content among compressed files");
    } else {
      if (tail.sizeBytes > tail.offset) reportUnread(tail, "truncated", "file was truncated before it was read to its end", this.#context);
      this.#keepUntilSettled(tail);
    }
    // Truncated twice since the last look, there are copies of what came and went in between.
    if (!tail.rotated) this.#addUnseen(tail.idKey, this.chain.indexOf(tail), tail);
    tail.restart();
    // It may have been truncated once more since it was looked at.
    tail.sizeBytes = tail.open() ? fstatSync(tail.file!.fd).size : sizeBytes;
    tail.lookAhead();
  }

  /** Of content that is gone, what is on its way to the remote is remembered, so that a kill before the answer does not go unnoticed. */
  #keepUntilSettled(tail: FileTail): void {
    if (!tail.ledger.settled) this.chain.splice(Math.max(0, this.chain.indexOf(tail)), 0, formerContent(tail));
  }

  /** The file is no longer at the path: it is read to its end by its descriptor, and its new place is noted for a restart. */
  #left(tail: FileTail): boolean {
    const path = locate(tail);
    tail.leavePath(this.#context.clock.nowMs());
    if (path !== undefined) tail.path = path;
    if (path !== undefined && this.#context.isMatched(path)) tail.nextName = path;
    if (tail.file === undefined) this.#vanished(tail);
    else this.#noteSize(tail, fstatSync(tail.file.fd).size);
    return true;
  }

  /** Of a file that has left its path. Its head is noted even if nothing was read of it: it may be packed before that. */
  #noteSize(tail: FileTail, sizeBytes: number): void {
    tail.sizeBytes = sizeBytes;
    if (tail.peek === undefined) tail.lookAhead();
  }

  #lookRotated(tail: FileTail, nowMs: number): boolean {
    if (tail.finished || (tail.file === undefined && !this.#reopen(tail))) return false;
    const sizeBytes = fstatSync(tail.file!.fd).size;
    if (sizeBytes < tail.offset) {
      this.#finish(tail, "truncated");
      return true;
    }
    if (sizeBytes !== tail.sizeBytes) {
      this.#noteSize(tail, sizeBytes);
      tail.changedMs = nowMs;
      return true;
    }
    if (tail.hasUnread) return true;
    if (tail.nextName !== undefined) {
      this.#follow(tail, tail.nextName);
      return true;
    }
    if (tail.partialBytes > 0) return this.wantsFinal(tail, nowMs);
    if (nowMs - tail.changedMs >= this.#context.rotatedIdleMs && !this.#mayStillGrow(tail)) this.#close(tail);
    return false;
  }

  /** Of those that were closed for want of descriptors only the one whose turn it is is opened: another would be closed for it. */
  #reopen(tail: FileTail): boolean {
    if (this.unpacking !== undefined || tail !== (this.nextReadable() ?? this.chain.find(({ finished }) => !finished))) return false;
    tail.path = locate(tail) ?? tail.path;
    if (tail.file === undefined) this.#vanished(tail);
    return tail.file !== undefined;
  }

  /** A file that was closed has left its place and is not found: it may have been packed before it was read to its end. */
  #vanished(tail: FileTail): void {
    this.#keepUntilSettled(tail);
    this.#gone(tail, { ...tail.record(), offset: tail.offset, markDigest: tail.trace.markDigest() });
  }

  /** What is left of a rotated file is perhaps among the compressed ones, or lost. */
  #gone(tail: FileTail, record: FileRecord): void {
    this.#close(tail);
    this.chain = this.chain.filter((other) => other !== tail);
    if (!this.#unpack([record])) reportGone(record, this.#context);
  }

  /** While nothing is written to the file that came after it, its writer may not have turned to that one: it may know of no rotation. */
  #mayStillGrow(tail: FileTail): boolean {
    const next = this.chain[this.chain.indexOf(tail) + 1];
    if (next !== undefined && (next.rotated || next.sizeBytes > 0)) return false;
    return this.#context.setting.pool.openFiles.hasRoom && tail.file !== undefined && fstatSync(tail.file.fd).nlink > 0;
  }

  /** A file that was renamed to another path of the target has been read to its end: from now on it is that path's. */
  #follow(tail: FileTail, name: string): void {
    const there = this.#context.follower(name)?.current;
    // The path has not looked yet, and has still to see its own file leave.
    if (there !== undefined && there !== tail && there.idKey !== tail.idKey) return;
    tail.nextName = undefined;
    const stat = statFile(name);
    if (stat === undefined || !isSame(tail.id, stat)) return;
    this.chain = this.chain.filter((other) => other !== tail);
    tail.rename(name);
    tail.path = resolveLinks(name);
    tail.rotated = false;
    this.#context.moveTo(name, tail);
  }

  #finish(tail: FileTail, reason: "truncated"): void {
    if (tail.sizeBytes > tail.offset) reportUnread(tail, reason, "rotated file was truncated before it was read to its end", this.#context);
    this.#close(tail);
  }

  #close(tail: FileTail): void {
    tail.close();
    tail.finished = true;
    this.done.add(tail);
    if (this.#context.byId.get(tail.idKey) === tail) this.#context.byId.delete(tail.idKey);
  }

  /** A file is at the path that was not there at the last look. */
  #begin(stat: BigIntStats): boolean {
    const { byId, follower, metrics } = this.#context;
    const id = idOf(stat);
    const known = byId.get(idKey(id));
    if (known !== undefined && !known.finished) {
      if (known.name === this.name) return this.#comeBack(known);
      if (known.nextName === this.name) return false;
      const home = follower(known.name);
      if (home !== undefined && home !== this && !known.rotated) {
        const there = statFile(known.name);
        if (there !== undefined && isSame(id, there)) {
          this.aliasOf = known.name;
          return false;
        }
        home.look();
        // Now it is either on its way to this path, or was another file with the same inode.
        if (byId.get(idKey(id)) !== undefined) return false;
      } else if (known.rotated) {
        known.nextName = this.name;
        return false;
      }
    }
    this.aliasOf = undefined;
    // Between one look at a link and the next it may have been set anew.
    const leadsTo = resolveLinks(this.name);
    const there = statFile(leadsTo);
    if (there === undefined || !isSame(id, there)) return false;
    this.#addUnseen(idKey(id), this.chain.length, undefined, leadsTo);
    const begun = this.#open(stat, id);
    if (begun && this.#seenMs !== undefined) metrics.rotations.inc({ kind: "create" });
    return begun;
  }

  #comeBack(tail: FileTail): boolean {
    this.chain = [...this.chain.filter((other) => other !== tail), tail];
    tail.rotated = false;
    tail.nextName = undefined;
    return true;
  }

  /** @param at where in the chain they belong; @param replaced the file at the path, if its content was replaced */
  #addUnseen(currentKey: string, at: number, replaced?: FileTail, leadsTo = resolveLinks(this.name)): void {
    if (this.#seenMs === undefined) return;
    const sighting = { name: this.name, chain: this.chain, leadsTo, ledTo: this.#ledTo, seenMs: this.#seenMs, currentKey, replaced };
    for (const [i, { tail, fd }] of openUnseen(sighting, this.#context).entries()) this.#insertRotated(tail, fd, at + i);
    if (this.unpacking === undefined) this.#unpack([]);
  }

  /** A rotated file that another path of the target leads to goes over to that path in the end. */
  #addRotated(tail: FileTail, fd: number, at: number): void {
    this.#insertRotated(tail, fd, at);
    if (this.#context.isMatched(tail.path)) tail.nextName = tail.path;
  }

  #insertRotated(tail: FileTail, fd: number, at: number): void {
    // Nobody has looked at the path since: what came and went there meanwhile is looked for after a restart, too.
    tail.seenMs = Math.min(tail.seenMs, this.#seenMs ?? tail.seenMs);
    tail.adoptDescriptor(fd);
    tail.leavePath(tail.changedMs);
    tail.lookAhead();
    this.chain.splice(Math.max(0, at), 0, tail);
    this.#context.byId.set(tail.idKey, tail);
  }

  #open(stat: BigIntStats, id: FileId): boolean {
    let fd: number;
    try {
      fd = openSync(this.name, "r");
    } catch (error) {
      const text = messageOf(error);
      if (text !== this.#failure) this.#context.log.warn({ file: this.name, error: text }, "could not open file, trying again later");
      this.#failure = text;
      return false;
    }
    const opened = fstatSync(fd, { bigint: true });
    if (!isSame(id, opened)) {
      closeSync(fd);
      return false;
    }
    this.#ledTo = resolveLinks(this.name);
    const tail = beginOpened(this.name, fd, opened, this.#seenMs !== undefined, this.#context);
    tail.modifiedNs = stat.mtimeNs;
    this.#take(tail, fd);
    this.#context.onNewFile();
    this.#failure = "";
    return true;
  }

  /** Takes up what an earlier run has noted of files read as this path: first what is still there, so that nothing else is taken for it. */
  #resume(records: readonly FileRecord[], stat: BigIntStats | undefined): void {
    const missing: FileRecord[] = [];
    for (const record of records) this.#seenMs = Math.max(this.#seenMs ?? 0, record.seenMs);
    const inPlace = records.filter(({ rotated }) => !rotated).at(-1);
    const current = inPlace === undefined ? undefined : resumeInPlace(inPlace, this.name, stat, this.#context);
    if (current !== undefined) this.#take(current.tail, current.fd);
    for (const record of records) {
      if (record === inPlace) this.#ledTo = record.path;
      if (record === inPlace && current !== undefined) continue;
      const found = resumeElsewhere(record, this.name, stat, this.#context);
      if (found === "not found") missing.push(record);
      if (typeof found === "string") continue;
      this.#addRotated(found.tail, found.fd, current === undefined ? this.chain.length : this.chain.length - 1);
    }
    if (missing.length > 0 && !this.#unpack(missing)) for (const record of missing) reportGone(record, this.#context);
    if (current !== undefined && inPlace?.sizeBytes === 0)
      this.#addUnseen(current.tail.idKey, this.chain.indexOf(current.tail), current.tail);
  }

  /**
   * Looks for files that are gone among those that were compressed. Nothing of the path is read meanwhile, for they come first. False:
   * there are none to look into.
   */
  #unpack(records: readonly FileRecord[]): boolean {
    const context = this.#context;
    const unseenAfterMs = (this.#seenMs ?? Number.MAX_VALUE) - CLOCK_TICK_MS;
    const wanted = { records, known: [...this.chain.map((tail) => tail.head), ...this.done], unseenAfterMs };
    const paths = [...new Set([this.name, resolveLinks(this.name), ...records.map(({ path }) => path)])];
    if (!hasCompressed(paths, wanted)) return false;
    this.unpacking = wanted;
    const failed = (path: string, error: unknown): void =>
      context.log.warn({ file: this.name, packed: path, error: messageOf(error) }, "could not unpack a compressed generation");
    void unpackGenerations(paths, wanted, failed).then((found) => {
      this.unpacking = undefined;
      if (this.#closed) return found.forEach(({ fd }) => closeSync(fd));
      found.map((file) => resumeUnpacked(file, this.name, context)).forEach(({ tail, fd }, i) => this.#insertRotated(tail, fd, i));
      for (const record of records) if (!found.some((file) => file.records.includes(record))) reportGone(record, context);
    });
    return true;
  }

  #take(tail: FileTail, fd: number): void {
    tail.adoptDescriptor(fd);
    this.chain.push(tail);
    this.#context.byId.set(tail.idKey, tail);
    tail.lookAhead();
  }
}
