// A file target: all files that a pattern matches, now and later, followed and read from where earlier runs have got acknowledged.

import { dirname } from "node:path";
import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { digest, type FileRecord } from "../file-records.ts";
import type { PositionSource } from "../positions.ts";
import type { Sleeper } from "../tail/alarms.ts";
import type { FolderListener } from "../tail/directory-watch.ts";
import { statFile } from "../tail/file-identity.ts";
import { type FileTail, LINE_BYTES_MAX } from "../tail/file-tail.ts";
import type { FollowContext } from "../tail/follow-context.ts";
import { isFile, openExclude, openGlob, type PathGlob } from "../tail/glob.ts";
import { offsetOf, takeRecords } from "../tail/noted-records.ts";
import { PathFollower } from "../tail/path-follower.ts";
import { leavingKey, sharedTailPool, type TailPool } from "../tail/tail-pool.ts";
import { TailPump } from "../tail/tail-pump.ts";
import { openEncoding } from "../tail/text-encoding.ts";
import type { FileDetails, FileTarget, FileTargetOptions } from "./file-target-options.ts";

export type { Decompression, FileDetails, FileReading, FileTarget, FileTargetOptions } from "./file-target-options.ts";

const ROTATED_IDLE_MS = 10_000;
const PARTIAL_IDLE_MS = 2_000;
const STALL_MS = 60_000;
/** A watched file that is idle is looked at this seldom, many files more seldom still: notices wake it earlier. */
const WATCHED_LOOK_MS = 2_000;
const LOOKS_PER_S_MAX = 2_000;
/** Notices of one file are answered at most this often. */
const WAKE_GAP_MS = 20;
const POLLED_FOLDER_MS = 1_000;
const TICK_GAP_MS = 5;
const FILES_PER_TICK_MS = 1_000;
const TURNS_PER_PERIOD = 10;
const DRAIN_MS = 30_000;
/** Rotated files of a stopped target are kept open this long for a target that goes on with them (a reload). */
const LEAVING_MS = 30_000;

/** @throws Error for a malformed pattern, an unknown encoding or an unknown compression */
export async function openFileTarget(options: FileTargetOptions): Promise<FileTarget> {
  if (options.options.decompression !== undefined) {
    const { openCompressedTarget } = await import("./compressed-target.ts");
    return openCompressedTarget(options, options.options.decompression);
  }
  const target = new GlobTarget(options);
  target.start();
  return target;
}

class GlobTarget implements FileTarget, PositionSource, FolderListener, Sleeper {
  readonly #options: FileTargetOptions;
  readonly #glob: PathGlob;
  readonly #exclude: PathGlob | undefined;
  readonly #pool: TailPool;
  readonly #pump: TailPump;
  readonly #context: FollowContext;
  readonly #owner: string;
  readonly #followers = new Map<string, PathFollower>();
  readonly #byId = new Map<string, FileTail>();
  /** Paths whose notices concern a follower: its name, and where links lead. */
  readonly #wakeByPath = new Map<string, PathFollower>();
  /** Paths of a follower in there that are not its name. */
  readonly #linked = new Map<PathFollower, Set<string>>();
  readonly #folders = new Set<string>();
  readonly #active = new Set<PathFollower>();
  #wakesAtMs = Number.POSITIVE_INFINITY;
  #nextReconcileMs = 0;
  #reconcileCostMs = 0;
  #stopped = false;

  constructor(options: FileTargetOptions) {
    this.#options = options;
    const { options: reading, metrics, log, clock, labels, positions, sink, pathGlob } = options;
    this.#pool = options.pool ?? sharedTailPool(log);
    this.#glob = openGlob(pathGlob);
    this.#exclude = openExclude(options.excludeGlob, pathGlob);
    this.#owner = digest(`${labels} ${this.#glob.pattern}`);
    this.#pump = new TailPump({ pipeline: options.pipeline(), sink, pool: this.#pool, metrics, clock, log });
    this.#context = {
      setting: {
        owner: this.#owner,
        labels,
        encoding: openEncoding(reading.encoding ?? ""),
        lineBytesMax: reading.lineBytesMax ?? LINE_BYTES_MAX,
        pool: this.#pool,
      },
      metrics,
      log,
      clock,
      byId: this.#byId,
      isMatched: (path) => this.#isMatched(path),
      follower: (name) => this.#followers.get(name),
      moveTo: (name, tail) => this.#moveTo(name, tail),
      takeRecords: (name) => takeRecords(positions, name, this.#owner),
      onNewFile: () => positions.syncSoon(),
      positionOf: (name) => offsetOf(positions.get(name)),
      rotatedIdleMs: reading.rotatedIdleMs ?? ROTATED_IDLE_MS,
      partialIdleMs: reading.partialIdleMs ?? PARTIAL_IDLE_MS,
    };
  }

  start(): void {
    // Files that were rotated away are known before what is at their paths now, so that neither is taken for the other.
    const noted = this.#options.positions.records().filter((record) => record.owner === this.#owner || this.#isMatched(record.name));
    const left = [...this.#pool.leaving.values()].filter((tail) => this.#isMatched(tail.name));
    const names = new Set([...left, ...noted].map((file) => file.name));
    for (const follower of [...names].map((name) => this.#newFollower(name))) this.#resume(follower);
    for (const name of names) this.#look(this.#followers.get(name)!);
    this.#reconcile();
    this.#options.positions.addSource(this);
    this.#pool.flushes.add(this.#pump);
    this.#schedule();
  }

  get ready(): boolean {
    return this.#active.size > 0;
  }

  details(): FileDetails[] {
    return this.#tails().map((tail) => ({
      path: tail.name,
      at: tail.path,
      offset: tail.offset,
      acknowledged: tail.ledger.committed(),
      sizeBytes: tail.sizeBytes,
      lagBytes: Math.max(0, tail.sizeBytes - tail.ledger.committed()),
      inode: tail.idKey,
      state: tail.finished ? "waiting for acknowledgement" : tail.rotated ? "rotated" : "following",
    }));
  }

  async stop(how: { readonly drain: boolean; readonly drainMs?: number }): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#pool.alarms.cancel(this);
    this.#watchFolders(new Set());
    if (how.drain) await this.#drain(how.drainMs ?? DRAIN_MS);
    await this.#pump.stop();
    this.#pool.flushes.remove(this.#pump);
    this.#pump.flush(true);
    this.#leave();
    for (const follower of this.#followers.values()) this.#retire(follower);
  }

  async #drain(drainMs: number): Promise<void> {
    const { clock } = this.#options;
    const abort = new AbortController();
    const read = async (): Promise<void> => {
      for (const follower of [...this.#followers.values()]) this.#look(follower);
      await this.#pump.idle();
    };
    await Promise.race([read(), clock.sleep(drainMs, abort.signal)]);
    abort.abort();
  }

  /** What is acknowledged is written down by the positions from here on; what is not may be gone on with by a new target. */
  #leave(): void {
    const { positions } = this.#options;
    const left = this.#tails().filter((tail) => !tail.finished && (!tail.ledger.settled || tail.rotated));
    for (const tail of left) this.#pool.leaving.set(leavingKey(tail.name, tail.id), tail);
    if (left.length > 0) setTimeout(() => this.#giveUpLeaving(left), LEAVING_MS).unref();
    const followers = [...this.#followers.values()];
    const sought = followers.flatMap((follower) => follower.stopUnpacking());
    const read = followers.flatMap((follower) => follower.done.leave(this.#options.clock.nowMs()));
    const done = this.#tails().filter((tail) => tail.ledger.settled && !left.includes(tail));
    const frozen: PositionSource = {
      records: () => [...sought, ...read, ...done.filter((tail) => !tail.finished).map((tail) => tail.record())],
      positions: () => done.filter((tail) => !tail.rotated).map((tail) => [tail.name, String(tail.ledger.committed())] as const),
      settled: () => true,
    };
    positions.addSource(frozen);
    positions.removeSource(frozen);
  }

  // What the positions ask.

  *records(): Iterable<FileRecord> {
    for (const follower of this.#followers.values()) {
      const records = follower.chain.filter((tail) => this.#isOurs(tail) && !tail.isDone).map((tail) => tail.record());
      yield* follower.done.noted(this.#options.clock.nowMs());
      const { unpacking } = follower;
      if (unpacking === undefined) yield* records;
      // Until it is over, what is looked for is still to be found after a restart.
      else
        for (const record of [...unpacking.records, ...records])
          yield { ...record, seenMs: Math.min(record.seenMs, unpacking.unseenAfterMs) };
    }
  }

  *positions(): Iterable<readonly [key: string, value: string]> {
    for (const { chain } of this.#followers.values())
      for (const tail of chain) if (this.#isOurs(tail) && !tail.rotated) yield [tail.name, String(tail.ledger.committed())];
  }

  settled(): boolean {
    if (!this.#stopped) return false;
    const settled = this.#tails().every((tail) => tail.ledger.settled || !this.#isOurs(tail));
    return settled;
  }

  /** After the stop, another target may have gone on with a file, unless it was read to its end here. */
  #isOurs(tail: FileTail): boolean {
    return !this.#stopped || tail.finished || this.#pool.leaving.get(leavingKey(tail.name, tail.id)) === tail;
  }

  /** Nobody goes on with these: a descriptor held for ever would hold a deleted file's room on the disk. */
  #giveUpLeaving(tails: readonly FileTail[]): void {
    for (const tail of tails) {
      const key = leavingKey(tail.name, tail.id);
      if (this.#pool.leaving.get(key) !== tail) continue;
      tail.close();
      if (tail.ledger.settled) this.#pool.leaving.delete(key);
    }
  }

  #tails(): FileTail[] {
    return [...this.#followers.values()].flatMap((follower) => follower.chain);
  }

  // Which files there are.

  #isMatched(path: string): boolean {
    return this.#glob.matches(path) && this.#exclude?.matches(path) !== true;
  }

  #reconcile(): void {
    const startedMs = usedCpuMs();
    const { files, folders } = this.#glob.list();
    for (const path of files) if (this.#exclude?.matches(path) !== true) this.#addFollower(path);
    for (const follower of this.#followers.values()) for (const tail of follower.chain) folders.push(dirname(tail.path));
    this.#watchFolders(new Set(folders));
    this.#watchForStalls();
    this.#reconcileCostMs = usedCpuMs() - startedMs;
  }

  #addFollower(path: string): void {
    if (!this.#followers.has(path)) this.#look(this.#newFollower(path));
  }

  #newFollower(path: string): PathFollower {
    const follower = new PathFollower(path, this.#context);
    this.#followers.set(path, follower);
    this.#wakeByPath.set(path, follower);
    return follower;
  }

  #resume(follower: PathFollower): void {
    try {
      follower.resume();
    } catch (error) {
      this.#options.log.error({ file: follower.name, error: messageOf(error) }, "could not go on with what was noted of a file");
    }
  }

  #moveTo(name: string, tail: FileTail): void {
    const follower = this.#followers.get(name) ?? this.#newFollower(name);
    follower.chain.push(tail);
    follower.nextLookMs = 0;
    this.#setActive(follower);
  }

  #look(follower: PathFollower): void {
    const nowMs = this.#options.clock.nowMs();
    let changed = false;
    try {
      changed = follower.look();
    } catch (error) {
      this.#options.log.error({ file: follower.name, error: messageOf(error) }, "could not look at file, trying again later");
    }
    const { pollMinMs } = this.#options.options;
    follower.intervalMs = changed ? pollMinMs : Math.min(Math.max(follower.intervalMs, pollMinMs) * 2, this.#slowestLookMs(follower));
    follower.nextLookMs = nowMs + follower.intervalMs;
    for (const tail of follower.chain) {
      if (!tail.rotated && tail.path !== follower.name) this.#wakeBy(tail.path, follower);
      this.#options.metrics.fileBytes.set({ path: tail.name }, tail.sizeBytes);
    }
    // While nothing is read of it, too; but not at each look, of thousands of files.
    const isNews = changed || !this.#active.has(follower);
    if (isNews && follower.chain.length === 1) this.#options.metrics.readBytes.set({ path: follower.name }, follower.chain[0]!.offset);
    this.#setActive(follower);
    if (follower.nextReadable() !== undefined) this.#pump.add(follower);
    if (follower.isEmpty && follower.aliasOf === undefined && statFile(follower.name) === undefined) this.#dropFollower(follower);
  }

  #wakeBy(path: string, follower: PathFollower): void {
    const paths = this.#linked.get(follower);
    if (paths === undefined) this.#linked.set(follower, new Set([path]));
    else paths.add(path);
    this.#wakeByPath.set(path, follower);
  }

  #slowestLookMs(follower: PathFollower): number {
    const { pollMinMs, pollMaxMs } = this.#options.options;
    if (follower.chain.some((tail) => tail.rotated)) return Math.min(pollMaxMs, pollMinMs * 2);
    const crowdMs = (this.#followers.size / LOOKS_PER_S_MAX) * 1000;
    const folder = dirname(follower.current?.path ?? follower.name);
    return Math.max(this.#pool.watch.isPolled(folder) ? pollMaxMs : Math.max(pollMaxMs, WATCHED_LOOK_MS), crowdMs);
  }

  #setActive(follower: PathFollower): void {
    const { filesActive } = this.#options.metrics;
    if (follower.isEmpty === this.#active.has(follower)) {
      if (follower.isEmpty) {
        this.#active.delete(follower);
        filesActive.dec();
      } else {
        this.#active.add(follower);
        filesActive.inc();
      }
    }
  }

  #dropFollower(follower: PathFollower): void {
    this.#retire(follower);
    this.#followers.delete(follower.name);
    // The next file of this name is a new one: it must not begin where the one that is gone has ended.
    if (follower.hasFollowed) this.#options.positions.remove(follower.name);
    for (const path of [follower.name, ...(this.#linked.get(follower) ?? [])])
      if (this.#wakeByPath.get(path) === follower) this.#wakeByPath.delete(path);
    this.#linked.delete(follower);
  }

  /** Its metrics go with it: dashboards would show a lag for ever. */
  #retire(follower: PathFollower): void {
    const { readBytes, fileBytes, readLines, encodingFailures, filesActive } = this.#options.metrics;
    follower.close();
    this.#pump.remove(follower);
    for (const metric of [readBytes, fileBytes, readLines, encodingFailures]) metric.remove({ path: follower.name });
    if (this.#active.delete(follower)) filesActive.dec();
  }

  // When to look.

  #watchFolders(wanted: ReadonlySet<string>): void {
    const { watch } = this.#pool;
    for (const folder of this.#folders) {
      if (wanted.has(folder)) continue;
      watch.unsubscribe(folder, this);
      this.#folders.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#folders.has(folder)) continue;
      this.#folders.add(folder);
      watch.subscribe(folder, this);
    }
  }

  noticed(folder: string, path: string | undefined, created: boolean): void {
    if (this.#stopped) return;
    if (path === undefined) return this.#lookSoonIn(folder);
    const follower = this.#wakeByPath.get(path);
    if (follower !== undefined) {
      const nowMs = this.#options.clock.nowMs();
      if (nowMs - follower.lookedMs >= WAKE_GAP_MS) this.#look(follower);
      else follower.nextLookMs = Math.min(follower.nextLookMs, follower.lookedMs + WAKE_GAP_MS);
      this.#wakeAt(follower.nextLookMs);
    } else if (created) {
      if (this.#isMatched(path) && isFile(path)) this.#addFollower(path);
      // With a target per container, each new pod's folder is told to hundreds that it does not concern.
      else if (this.#glob.leadsThrough(path) && !isFile(path)) this.#soon(50);
    }
  }

  /** Nobody says any more which files of the folder change. */
  #lookSoonIn(folder: string): void {
    const { pollMinMs } = this.#options.options;
    const soonMs = this.#options.clock.nowMs() + pollMinMs;
    for (const [path, follower] of this.#wakeByPath)
      if (dirname(path) === folder) follower.nextLookMs = Math.min(follower.nextLookMs, soonMs);
    this.#soon(0);
  }

  #soon(delayMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#nextReconcileMs = Math.min(this.#nextReconcileMs, nowMs + Math.max(delayMs, this.#reconcileCostMs * 20));
    this.#wakeAt(this.#nextReconcileMs);
  }

  #schedule(): void {
    let nextMs = this.#nextReconcileMs;
    for (const follower of this.#followers.values()) nextMs = Math.min(nextMs, follower.nextLookMs);
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
    this.#wakeAt(nextMs);
  }

  /** The next tick, unless one comes before that. A tick goes over all files, so the more there are, the more time lies between two. */
  #wakeAt(ms: number): void {
    if (this.#stopped || ms >= this.#wakesAtMs) return;
    const nowMs = this.#options.clock.nowMs();
    const gapMs = Math.max(TICK_GAP_MS, this.#followers.size / FILES_PER_TICK_MS);
    this.#wakesAtMs = Math.max(ms, nowMs + gapMs);
    this.#pool.alarms.wakeIn(this, Math.min(this.#wakesAtMs - nowMs, TIMER_MS_MAX));
  }

  /** The tick: looks at what is due. */
  wake(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs >= this.#nextReconcileMs) {
      this.#reconcile();
      const polled = [...this.#folders].some((folder) => this.#pool.watch.isPolled(folder));
      const { syncPeriodMs } = this.#options.options;
      const periodMs = polled ? Math.min(syncPeriodMs, Math.max(POLLED_FOLDER_MS, this.#reconcileCostMs * 20)) : syncPeriodMs;
      // Turns fall together, so that targets that look into the same folder read it once (glob.ts).
      const turnMs = periodMs / TURNS_PER_PERIOD;
      this.#nextReconcileMs = Math.ceil((nowMs + periodMs) / turnMs) * turnMs;
      this.#options.metrics.inFlightBytes.set(this.#pool.budget.usedBytes);
    }
    for (const follower of [...this.#followers.values()]) if (follower.nextLookMs <= nowMs) this.#look(follower);
    this.#schedule();
  }

  #watchForStalls(): void {
    const { clock, log, metrics, options } = this.#options;
    const nowMs = clock.nowMs();
    let stalledCount = 0;
    for (const tail of this.#tails()) {
      if (!tail.hasUnread) tail.movedMs = nowMs;
      const stalledMs = nowMs - tail.movedMs;
      if (stalledMs < (options.stallMs ?? STALL_MS)) continue;
      stalledCount++;
      if (tail.stallTold) continue;
      tail.stallTold = true;
      const waiting = this.#pool.budget.hasRoom
        ? "the clients have no room, or the file cannot be read"
        : "unacknowledged bytes are at their bound";
      const fields = { file: tail.name, offset: tail.offset, size: tail.sizeBytes, stalled_seconds: Math.round(stalledMs / 1000) };
      log.warn(fields, `file has grown and nothing of it was read: ${waiting}`);
    }
    metrics.stalledFiles.set(stalledCount);
  }
}

/** Processor time, which is what listing often would waste: on a busy machine the clock runs on while nothing is done. */
function usedCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
