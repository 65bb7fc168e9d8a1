// Notices of change in folders, shared by all targets. `fs.watch` on folders, not a watching library: those also put one watch on each
// file, which 20 000 files do not survive, and tell nothing that reading a file's state would not. Notices only wake: whatever is
// missed (the queue overflows, the limit of watches is reached, a network file system) is found by the periodic reconcile.
//
// Writers that make a notice for each line would cost more than polling does: a folder that storms, which is many notices of the same
// files, is watched by polling for a while.

import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { steadyMs } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";

const STORM_REPEATS_PER_S = 400;
const STORM_NOTICES_PER_S = 5_000;
const STORM_PAUSE_MS = 30_000;

export interface FolderListener {
  /**
   * Something of a watched folder has changed: what is at `path`, or, where `path` is undefined, anything in it.
   *
   * @param created whether it may have come or gone
   */
  noticed(folder: string, path: string | undefined, created: boolean): void;
}

export class DirectoryWatch {
  readonly #log: Log;
  readonly #folders = new Map<string, WatchedFolder>();
  #limitTold = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Folders that could not be watched, or are not for the moment: their files are found by polling alone. */
  isPolled(folder: string): boolean {
    return this.#folders.get(folder)?.watcher === undefined;
  }

  subscribe(folder: string, listener: FolderListener): void {
    let watched = this.#folders.get(folder);
    if (watched === undefined) {
      watched = { listeners: new Set(), watcher: undefined, pause: undefined, windowStartMs: 0, noticeCount: 0, seen: new Set() };
      this.#folders.set(folder, watched);
      this.#start(folder, watched);
    }
    watched.listeners.add(listener);
  }

  unsubscribe(folder: string, listener: FolderListener): void {
    const watched = this.#folders.get(folder);
    if (watched?.listeners.delete(listener) !== true || watched.listeners.size > 0) return;
    this.#stop(watched);
    this.#folders.delete(folder);
  }

  #start(folder: string, watched: WatchedFolder): void {
    watched.pause = undefined;
    try {
      const watcher = watch(folder, { persistent: false }, (kind, name) => this.#notice(folder, watched, kind, name ?? undefined));
      watcher.on("error", (error) => {
        this.#log.debug({ folder, error: String(error) }, "watching a folder ended, polling it");
        this.#stop(watched);
      });
      watched.watcher = watcher;
    } catch (error) {
      this.#failed(folder, error as NodeJS.ErrnoException);
    }
  }

  #failed(folder: string, error: NodeJS.ErrnoException): void {
    if (error.code !== "ENOSPC" && error.code !== "EMFILE") {
      this.#log.debug({ folder, error: error.message }, "could not watch a folder, polling it");
      return;
    }
    if (this.#limitTold) return;
    this.#limitTold = true;
    const setting = error.code === "ENOSPC" ? "fs.inotify.max_user_watches" : "fs.inotify.max_user_instances";
    this.#log.warn({ folder, setting }, `the system's limit ${setting} is reached; folders beyond it are polled, raise it with sysctl`);
  }

  #notice(folder: string, watched: WatchedFolder, kind: string, name: string | undefined): void {
    const nowMs = steadyMs();
    if (nowMs - watched.windowStartMs > 1000) {
      watched.windowStartMs = nowMs;
      watched.noticeCount = 0;
      watched.seen.clear();
    }
    watched.noticeCount++;
    if (name !== undefined) watched.seen.add(name);
    if (watched.noticeCount - watched.seen.size > STORM_REPEATS_PER_S || watched.noticeCount > STORM_NOTICES_PER_S) {
      this.#stop(watched);
      watched.pause = setTimeout(() => {
        this.#start(folder, watched);
        tell(folder, watched, undefined, true);
      }, STORM_PAUSE_MS);
      watched.pause.unref();
      // Listeners count on notices, and look seldom by themselves.
      tell(folder, watched, undefined, true);
    }
    tell(folder, watched, name, kind === "rename");
  }

  #stop(watched: WatchedFolder): void {
    clearTimeout(watched.pause);
    watched.watcher?.close();
    watched.watcher = undefined;
  }
}

/** The path is made once for all listeners: with a target per container, each pod's folder is told to hundreds. */
function tell(folder: string, { listeners }: WatchedFolder, name: string | undefined, created: boolean): void {
  const path = name === undefined ? undefined : join(folder, name);
  for (const listener of listeners) listener.noticed(folder, path, created);
}

interface WatchedFolder {
  readonly listeners: Set<FolderListener>;
  watcher: FSWatcher | undefined;
  pause: NodeJS.Timeout | undefined;
  windowStartMs: number;
  noticeCount: number;
  /** Names of the notices in the present second. */
  readonly seen: Set<string>;
}
