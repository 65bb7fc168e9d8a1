// How far each target has been consumed, on disk. Two files: Promtail's positions.yaml (path → offset, exactly as Promtail writes it)
// and beside it a sidecar that says which physical file each offset belongs to (file-records.ts).
//
// File positions are not pushed in here line by line: tails are asked for theirs at each sync, so that what is written is what is
// acknowledged at that moment, and an acknowledgement costs nothing here.

import { mkdir, readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Registry } from "prom-client";
import type { Clock } from "../lib/runtime/clock.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import type { Log } from "../lib/runtime/log.ts";
import { removeHalfWritten, replaceFile } from "../lib/runtime/replace-file.ts";
import { digest, digestRecords, type FileRecord, parseSidecar, printSidecar, RecordStore, type Sidecar } from "./file-records.ts";
import { counter } from "./metric.ts";
import { parsePositions, printPositions } from "./positions-file.ts";

export interface PositionsOptions {
  readonly path: string;
  readonly syncPeriodMs: number;
  /** A file that is not YAML counts as empty instead of stopping the start. */
  readonly ignoreInvalidYaml: boolean;
  /** Nothing is written (`-dry-run`). */
  readonly readOnly: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry?: Registry;
}

/** One reader's state, asked for at each sync. */
export interface PositionSource {
  /** Of every file it has begun and not finished. */
  records(): Iterable<FileRecord>;
  /** Keys of positions.yaml and their values; a key it no longer lists is removed. */
  positions(): Iterable<readonly [key: string, value: string]>;
  /** Whether it has stopped and nothing of it can change any more: it is asked once more, then forgotten. */
  settled(): boolean;
}

export interface Positions {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
  remove(key: string): void;
  /** Records of files as they were found at start or left by stopped readers, not yet taken over by a reader. */
  records(): readonly FileRecord[];
  /** Those of files read as `name`. */
  recordsOf(name: string): readonly FileRecord[];
  /** Takes a record over: from now on the taker's source reports it. */
  claim(record: FileRecord): void;
  addSource(source: PositionSource): void;
  /** Stops asking a source; its last values stay. */
  removeSource(source: PositionSource): void;
  /** Asks for a sync before its time, because a file is followed that no file on disk tells of yet. At most one a second. */
  syncSoon(): void;
  /** Writes both files if anything changed. An error is logged and counted, and the next sync tries again. Never rejects. */
  sync(): Promise<void>;
  /** Ends the periodic writing with a last sync. */
  close(): Promise<void>;
}

/** Records nobody took over are kept this long, for a target that discovery brings later or a configuration that comes back. */
const UNCLAIMED_RECORD_MS = 24 * 3_600_000;

/**
 * Of files that this run has seen, not for this long, and whose folders are gone, nothing will be found any more: deleted pods leave such
 * records, by the hundred. What an earlier run has seen may be on a disk that is not mounted yet.
 */
const FOLDERLESS_RECORD_MS = 60_000;
/** How often folders are looked for. */
const FOLDERS_CHECK_MS = 15_000;

const SOON_MS = 50;
const SOON_GAP_MS = 1_000;

/** @throws Error when a file is there and cannot be read, or is not a positions file and `ignoreInvalidYaml` is off */
export async function openPositions(options: PositionsOptions): Promise<Positions> {
  const { path, log } = options;
  await removeHalfWritten(dirname(path), [basename(path), `${basename(path)}.identity`]);
  const text = await readIfThere(path);
  const positions = readPositions(text ?? "", options);
  const sidecarText = await readIfThere(`${path}.identity`).catch((error: unknown) => {
    log.warn({ file: `${path}.identity`, error: messageOf(error) }, "could not read the file identities, going by paths");
    return undefined;
  });
  const sidecar = sidecarText === undefined ? undefined : readSidecar(sidecarText, options);
  return new PositionStore(options, positions, text ?? "", sidecar);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function readPositions(text: string, { path, ignoreInvalidYaml, log }: PositionsOptions): Map<string, string> {
  try {
    return parsePositions(text, path);
  } catch (error) {
    if (!ignoreInvalidYaml) {
      throw new Error(
        `invalid yaml positions file: ${messageOf(error)}; repair or remove ${path}, or start with -positions.ignore-invalid-yaml to begin anew`,
      );
    }
    log.warn({ file: path, error: messageOf(error) }, "ignoring invalid positions file, beginning anew");
    return new Map();
  }
}

function readSidecar(text: string, { path, log }: PositionsOptions): Sidecar | undefined {
  try {
    return parseSidecar(text);
  } catch (error) {
    log.warn({ file: `${path}.identity`, error: messageOf(error) }, "file identities are damaged, going by paths");
    return undefined;
  }
}

class PositionStore implements Positions {
  readonly #options: PositionsOptions;
  readonly #values: Map<string, string>;
  readonly #unclaimed = new RecordStore();
  readonly #sources = new Set<PositionSource>();
  /** What the sources gave when they were last asked; of a key that several gave, what counts. */
  #listed = new Map<string, string>();
  /** Keys that several gave then, and sources that were not there. */
  readonly #shared = new Set<string>();
  readonly #unasked = new Set<PositionSource>();
  readonly #failures: { inc(): void } | undefined;
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  #writtenText: string;
  #writtenKeys: readonly string[];
  #hasSidecar = false;
  /** Digest of the records that are in the sidecar. */
  #writtenRecords = "";
  #syncing: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;
  #syncedMs = 0;
  readonly #startedMs: number;
  #foldersCheckedMs: number;

  constructor(options: PositionsOptions, values: Map<string, string>, text: string, sidecar: Sidecar | undefined) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#foldersCheckedMs = this.#startedMs;
    this.#values = values;
    this.#writtenText = text;
    this.#writtenKeys = [...values.keys()];
    for (const record of sidecar === undefined ? [] : trustedRecords(sidecar, values, text)) this.#unclaimed.add(record);
    if (options.registry !== undefined) {
      this.#failures = counter(options.registry, "promtail_positions_write_failures_total", "Failed writes of the positions file.");
    }
    this.#loop = this.#run();
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: string): void {
    this.#values.set(key, value);
  }

  remove(key: string): void {
    this.#values.delete(key);
  }

  records(): readonly FileRecord[] {
    return [...this.#unclaimed];
  }

  recordsOf(name: string): readonly FileRecord[] {
    return this.#unclaimed.of(name);
  }

  claim(record: FileRecord): void {
    this.#unclaimed.delete(record);
    // The position at its path is the taker's to list, too: if the file has left the path, it must not be taken for the next one's.
    const value = this.#values.get(record.name);
    if (value !== undefined) this.#listed.set(record.name, value);
  }

  addSource(source: PositionSource): void {
    this.#sources.add(source);
    this.#unasked.add(source);
  }

  removeSource(source: PositionSource): void {
    if (!this.#sources.delete(source)) return;
    this.#unasked.delete(source);
    const last = new Map(source.positions());
    // On a busy node targets end all the time: only those are asked that may say something else of the same keys.
    const isShared = [...last.keys()].some((key) => this.#shared.has(key));
    const listed = new Set<string>();
    for (const other of isShared ? this.#sources : this.#unasked) {
      for (const [key, value] of other.positions()) {
        if (!last.has(key)) continue;
        putPosition(last, key, value);
        listed.add(key);
      }
    }
    for (const [key, value] of last) {
      this.#values.set(key, value);
      if (!listed.has(key)) this.#listed.delete(key);
    }
    for (const record of source.records()) this.#unclaimed.add(record);
  }

  syncSoon(): void {
    if (this.#soon !== undefined || this.#closing.signal.aborted) return;
    const waitMs = Math.max(SOON_MS, this.#syncedMs + SOON_GAP_MS - this.#options.clock.nowMs());
    if (waitMs < this.#options.syncPeriodMs) this.#soon = setTimeout(() => void this.sync(), waitMs);
  }

  async sync(): Promise<void> {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#syncedMs = this.#options.clock.nowMs();
    // One write at a time; who asks meanwhile wants what changed since, hence another.
    while (this.#syncing !== undefined) await this.#syncing;
    this.#syncing = this.#write();
    try {
      await this.#syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    await this.sync();
  }

  async #run(): Promise<void> {
    const { clock, syncPeriodMs } = this.#options;
    while (!this.#closing.signal.aborted) {
      await clock.sleep(syncPeriodMs, this.#closing.signal);
      if (!this.#closing.signal.aborted) await this.sync();
    }
  }

  async #write(): Promise<void> {
    await this.#pruneGone();
    await this.#pruneFolderless();
    // Both are of one moment: a position without its record would be taken for that of the next file that comes to the path.
    this.#collectPositions();
    const records = this.#collectRecords();
    for (const source of this.#sources) if (source.settled()) this.removeSource(source);
    if (this.#options.readOnly) return;
    const text = printPositions(this.#values);
    const keys = [...this.#values.keys()];
    try {
      await this.#replaceBoth(text, keys, records);
      if (this.#closing.signal.aborted && this.#hasSidecar) await this.#replaceSidecar(text, text, [], records);
    } catch (error) {
      this.#failures?.inc();
      this.#options.log.error(
        { file: this.#options.path, error: messageOf(error) },
        "could not write positions; they stay in memory and the next sync tries again",
      );
    }
  }

  /**
   * The sidecar first: it is trusted together with the positions file before as well as with the one after. At the end, when both are in
   * place, it is bound to the one after alone: who sets positions back to what they were before means it.
   */
  async #replaceBoth(text: string, keys: readonly string[], records: readonly FileRecord[]): Promise<void> {
    const { path } = this.#options;
    const noted = digestRecords(records);
    const changed = text !== this.#writtenText;
    if (!changed && noted === this.#writtenRecords) return;
    await mkdir(dirname(path), { recursive: true });
    if (records.length > 0 || this.#hasSidecar) {
      const there = new Set(keys);
      const removed = this.#writtenKeys.filter((key) => !there.has(key));
      await this.#replaceSidecar(text, this.#writtenText, removed, records);
      this.#hasSidecar = true;
      this.#writtenRecords = noted;
    }
    if (!changed) return;
    await replaceFile(path, text, 0o600);
    this.#writtenText = text;
    this.#writtenKeys = keys;
  }

  async #replaceSidecar(text: string, before: string, removed: readonly string[], records: readonly FileRecord[]): Promise<void> {
    const sidecar = { positionsDigest: digest(text), beforeDigest: digest(before), removed, records };
    await replaceFile(`${this.#options.path}.identity`, printSidecar(sidecar), 0o600);
  }

  #collectPositions(): void {
    const now = new Map<string, string>();
    this.#shared.clear();
    for (const source of this.#sources) {
      for (const [key, value] of source.positions()) {
        if (now.has(key)) this.#shared.add(key);
        putPosition(now, key, value);
      }
    }
    for (const key of this.#listed.keys()) if (!now.has(key)) this.#values.delete(key);
    for (const [key, value] of now) this.#values.set(key, value);
    this.#listed = now;
    this.#unasked.clear();
  }

  #collectRecords(): FileRecord[] {
    const oldest = this.#options.clock.nowMs() - UNCLAIMED_RECORD_MS;
    for (const record of [...this.#unclaimed]) if (record.seenMs < oldest) this.#unclaimed.delete(record);
    const records = [...this.#unclaimed];
    for (const source of this.#sources) records.push(...source.records());
    return records;
  }

  /** Positions of files that are gone go, as with Promtail; cursors and journal positions stay, and what a reader lists is its affair. */
  async #pruneGone(): Promise<void> {
    for (const key of [...this.#values.keys()]) {
      if (key.startsWith("cursor-") || key.startsWith("journal-") || this.#listed.has(key)) continue;
      if (await isGone(key)) this.#values.delete(key);
    }
  }

  async #pruneFolderless(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#foldersCheckedMs < FOLDERS_CHECK_MS) return;
    this.#foldersCheckedMs = nowMs;
    const goneByFolder = new Map<string, boolean>();
    const isFolderGone = async (path: string): Promise<boolean> => {
      const folder = dirname(path);
      const gone = goneByFolder.get(folder) ?? (await isGone(folder));
      goneByFolder.set(folder, gone);
      return gone;
    };
    for (const record of [...this.#unclaimed]) {
      if (record.seenMs < this.#startedMs || nowMs - record.seenMs < FOLDERLESS_RECORD_MS) continue;
      if ((await isFolderGone(record.path)) && (await isFolderGone(record.name))) this.#unclaimed.delete(record);
    }
  }
}

/** A key that several sources list gets the smallest of their positions (a file read by two targets); of cursors, the last source's. */
function putPosition(positions: Map<string, string>, key: string, value: string): void {
  const other = positions.get(key);
  if (other === undefined || !(Number(value) >= Number(other))) positions.set(key, value);
}

/** True only when the file system says so; a folder that cannot be read is no reason to forget. */
async function isGone(path: string): Promise<boolean> {
  try {
    await stat(path);
    return false;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === "ENOENT" || code === "ENOTDIR";
  }
}

/**
 * The sidecar's records that still hold. If somebody else (Promtail, a person) has written the positions file since, its offsets count,
 * and they may be of other files than ours were: what it has changed or dropped is gone by its path alone. Files rotated away it
 * knows nothing of.
 */
function trustedRecords(sidecar: Sidecar, values: Map<string, string>, text: string): readonly FileRecord[] {
  const found = digest(text);
  if (found === sidecar.positionsDigest) return sidecar.records;
  if (found === sidecar.beforeDigest) {
    // The positions file that belongs to the sidecar was not written any more.
    for (const key of sidecar.removed) values.delete(key);
    return sidecar.records;
  }
  return sidecar.records.filter((record) => record.rotated || values.get(record.name) === String(record.offset));
}
