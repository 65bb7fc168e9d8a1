// What a file target is made of, and what it shows of itself.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Positions } from "../positions.ts";
import type { Sink } from "../sink.ts";
import type { TailMetrics } from "../tail/tail-metrics.ts";
import type { TailPool } from "../tail/tail-pool.ts";
import type { EntryPipeline } from "../tail/tail-pump.ts";

export interface FileTargetOptions {
  /** Pattern (`__path__`); relative ones count from the working folder. */
  readonly pathGlob: string;
  /** Pattern of what is left out (`__path_exclude__`); empty: nothing. */
  readonly excludeGlob: string;
  /** The target's public labels; `filename` is added. */
  readonly labels: LabelSet;
  /** Called once. A pipeline may be shared by targets of a scrape config. */
  readonly pipeline: () => EntryPipeline;
  readonly sink: Sink;
  readonly positions: Positions;
  readonly options: FileReading;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TailMetrics;
  /** The program's shared one when absent. */
  readonly pool?: TailPool;
}

export interface FileReading {
  /** IANA name; empty: UTF-8. */
  readonly encoding?: string;
  /** Files are compressed: each is read once, whole, and not followed. */
  readonly decompression?: Decompression;
  /** How often the pattern is evaluated anew, as a backstop to notices. */
  readonly syncPeriodMs: number;
  /** A file is looked at this soon after a change, and at least this often where there are no notices. */
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  readonly lineBytesMax?: number;
  /** A rotated file is followed until it has rested this long. */
  readonly rotatedIdleMs?: number;
  /** The last line of a rotated file is taken without line feed when the file has rested this long. */
  readonly partialIdleMs?: number;
  /** A file with something to read of which nothing was read for this long is reported. */
  readonly stallMs?: number;
}

export interface Decompression {
  /** `gz`, `z` (zlib) or `bz2`, whatever the file's name says. */
  readonly format: string;
  /** A file that appears is left alone this long, for it may still be being written. */
  readonly initialDelayMs: number;
}

export interface FileDetails {
  readonly path: string;
  /** Where the file is, when it has left the path. */
  readonly at: string;
  readonly offset: number;
  readonly acknowledged: number;
  readonly sizeBytes: number;
  readonly lagBytes: number;
  readonly inode: string;
  readonly state: "following" | "rotated" | "waiting for acknowledgement";
}

export interface FileTarget {
  /** Whether at least one file is followed. */
  readonly ready: boolean;
  details(): FileDetails[];
  /**
   * Ends the target; its positions stay up to date until its last entry is acknowledged.
   *
   * @param drain reads the files to their present end first, for at most `drainMs` (default 30 s)
   */
  stop(how: { readonly drain: boolean; readonly drainMs?: number }): Promise<void>;
}
