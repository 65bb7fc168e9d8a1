// file_sd_configs: groups in JSON or YAML files, read again when their folder tells of a change and at `refresh_interval`. A file that
// is broken keeps its former groups.

import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import { type ConfigDocument, parseYaml } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { FileSdConfig } from "../config/scrape-config.ts";
import { keepAsWritten } from "../config/written.ts";
import type { Discovery, TargetGroup } from "./discovery.ts";
import { withFoldedKeys, writtenGroups } from "./written-groups.ts";

/** Editors and atomic replacements make several events of one change. */
const SETTLE_MS = 50;

export function fileDiscovery(config: FileSdConfig, log: Log): Discovery {
  return new FileDiscovery(config, log);
}

class FileDiscovery implements Discovery {
  readonly kind = "file";
  readonly #config: FileSdConfig;
  readonly #log: Log;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Groups each file gave last, so that those that vanish can be withdrawn. */
  readonly #known = new Map<string, number>();
  #update: (groups: readonly TargetGroup[]) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(config: FileSdConfig, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  async start(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    this.#update = update;
    this.#timer = setInterval(() => this.#refresh(), Math.min(Math.max(this.#config.refresh_interval, 1_000), TIMER_MS_MAX));
    this.#timer.unref();
    this.#refresh();
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await this.#running;
  }

  /** One at a time, in turn. */
  #refresh(): void {
    this.#running = this.#running
      .then(() => this.#readAll())
      .catch((error: unknown) => this.#log.error({ error: messageOf(error) }, "file discovery failed"));
  }

  async #readAll(): Promise<void> {
    if (this.#stopped) return;
    const files = new Set<string>();
    for (const pattern of this.#config.files) {
      this.#watch(dirname(pattern));
      for (const file of await listFiles(pattern)) files.add(file);
    }
    const changed: TargetGroup[] = [];
    for (const file of files) {
      try {
        const groups = await readGroups(file);
        changed.push(...groups, ...this.#withdrawn(file, groups.length));
        this.#known.set(file, groups.length);
      } catch (error) {
        this.#log.error({ file, error: messageOf(error) }, "targets not read, the former ones stay");
      }
    }
    for (const file of [...this.#known.keys()].filter((known) => !files.has(known))) {
      changed.push(...this.#withdrawn(file, 0));
      this.#known.delete(file);
    }
    if (!this.#stopped && changed.length > 0) this.#update(changed);
  }

  #withdrawn(file: string, from: number): TargetGroup[] {
    const former = this.#known.get(file) ?? 0;
    return Array.from({ length: Math.max(0, former - from) }, (_, k) => ({ source: `${file}:${from + k}`, targets: [], labels: {} }));
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        clearTimeout(this.#settling);
        this.#settling = setTimeout(() => this.#refresh(), SETTLE_MS);
      });
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch (error) {
      this.#log.warn({ folder, error: messageOf(error) }, "folder is not watched; its files are read at refresh_interval");
    }
  }
}

async function listFiles(pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  const [before, after] = basename(pattern).split("*");
  const names = await readdir(folder).catch((): string[] => []);
  if (after === undefined) return names.includes(before!) ? [pattern] : [];
  return names
    .filter((name) => name.length >= before!.length + after.length && name.startsWith(before!) && name.endsWith(after))
    .sort()
    .map((name) => join(folder, name));
}

async function readGroups(file: string): Promise<TargetGroup[]> {
  const text = await readFile(file, "utf8");
  // JSON files may have tabs, which YAML refuses as indentation.
  const document: ConfigDocument = /\.json$/i.test(file)
    ? { file, value: withFoldedKeys(JSON.parse(text)), where: (): string => file }
    : parseYaml(text, file, keepAsWritten);
  return writtenGroups(document, file, "__meta_filepath");
}
