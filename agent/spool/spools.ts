// The spools of all scrape configs, each in a folder of its own.

import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import { type Disk, systemDisk } from "../../lib/runtime/disk.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { folderName } from "./folder-name.ts";
import { isSegment } from "./segments.ts";
import type { Spool } from "./spool.ts";

export interface SpoolsOptions {
  readonly directory: string;
  /** Of one scrape config's spool. */
  readonly bytesMax: number;
  readonly onFull: "drop_oldest" | "refuse";
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly disk?: Disk;
}

export class Spools {
  readonly #options: SpoolsOptions;
  readonly #byJob = new Map<string, Spool>();

  constructor(options: SpoolsOptions) {
    this.#options = options;
  }

  /** A job's spool, not yet read. One that was opened before under this name (the job was replaced by a reload) is closed first. */
  async open(job: string): Promise<Spool> {
    await this.#byJob.get(job)?.close();
    const { directory, bytesMax, onFull, registry, clock, log, disk = systemDisk } = this.#options;
    const [{ Spool }, { openSpoolMetrics }] = await Promise.all([import("./spool.ts"), import("./spool-metrics.ts")]);
    const folder = join(directory, folderName(job));
    const spool = new Spool({ folder, bytesMax, onFull, disk, clock, log: log.child({ job }), metrics: openSpoolMetrics(registry, job) });
    this.#byJob.set(job, spool);
    return spool;
  }

  /** Warns of what earlier configurations have left: nobody hands it on. */
  async warnOfOrphans(jobs: readonly string[]): Promise<void> {
    const { directory, log, disk = systemDisk } = this.#options;
    const known = new Set(jobs.map(folderName));
    for (const name of await disk.list(directory).catch(() => [])) {
      if (known.has(name)) continue;
      const files = await disk.list(join(directory, name)).catch(() => []);
      if (!files.some(isSegment)) continue;
      log.warn(
        { folder: join(directory, name) },
        "a spool belongs to no scrape config: name one so again to have its entries sent, or remove the folder",
      );
    }
  }

  /** Of all of them, see `Spool`. */
  checkpoint(): () => void {
    const checkpoints = [...this.#byJob.values()].map((spool) => spool.checkpoint());
    return () => {
      for (const rereadUnacknowledged of checkpoints) rereadUnacknowledged();
    };
  }

  /** Acknowledgements that come later are not saved. */
  async close(): Promise<void> {
    await Promise.all([...this.#byJob.values()].map((spool) => spool.close()));
  }
}
