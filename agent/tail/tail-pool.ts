// What all tails of the program share: read buffers, the budget of unacknowledged bytes, descriptors, folder watches, and files that a
// stopped target has left and a new one (after a reload) may go on with.

import type { Log } from "../../lib/runtime/log.ts";
import { Alarms } from "./alarms.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import { idKey } from "./file-identity.ts";
import type { FileTail } from "./file-tail.ts";
import { InFlightBudget } from "./in-flight-budget.ts";
import { OpenFiles } from "./open-files.ts";
import { ReadBlocks } from "./read-blocks.ts";
import { createStamper, type Stamper } from "./stamps.ts";
import { Ticker } from "./ticker.ts";

/** How often what pipelines hold back is looked at. */
const FLUSH_PERIOD_MS = 250;

export interface TailPool {
  readonly blocks: ReadBlocks;
  readonly budget: InFlightBudget;
  readonly openFiles: OpenFiles;
  readonly watch: DirectoryWatch;
  readonly alarms: Alarms;
  /** For pumps, whose pipelines may hold something back. */
  readonly flushes: Ticker;
  readonly stamper: Stamper;
  /** Files of stopped targets whose entries are not all acknowledged, by name and identity. */
  readonly leaving: Map<string, FileTail>;
}

export function createTailPool(
  log: Log,
  options: { inFlightBytesMax?: number; openFilesMax?: number; nowMs?: () => number } = {},
): TailPool {
  return {
    blocks: new ReadBlocks(),
    budget: new InFlightBudget(options.inFlightBytesMax),
    openFiles: new OpenFiles(options.openFilesMax),
    watch: new DirectoryWatch(log),
    alarms: new Alarms(),
    flushes: new Ticker(FLUSH_PERIOD_MS),
    stamper: createStamper(options.nowMs),
    leaving: new Map(),
  };
}

let shared: TailPool | undefined;

/** The program's one pool, made when the first target opens. */
export function sharedTailPool(log: Log): TailPool {
  shared ??= createTailPool(log);
  return shared;
}

export function leavingKey(name: string, id: { readonly dev: string; readonly ino: string }): string {
  return `${idKey(id)} ${name}`;
}
