import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { FileRecord } from "../file-records.ts";
import type { FileTail, TailSetting } from "./file-tail.ts";
import type { PathFollower } from "./path-follower.ts";
import type { TailMetrics } from "./tail-metrics.ts";

/** What a follower needs to know of its target and the other paths. */
export interface FollowContext {
  readonly setting: TailSetting;
  readonly metrics: TailMetrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Files being read, by identity. */
  readonly byId: Map<string, FileTail>;
  /** Whether the target would read this path. */
  isMatched(path: string): boolean;
  follower(name: string): PathFollower | undefined;
  /** Hands a file over that has been read to its end under another name. */
  moveTo(name: string, tail: FileTail): void;
  /** What earlier runs noted of files read as `name`, in reading order; given once. */
  takeRecords(name: string): readonly FileRecord[];
  /** The offset Promtail's positions file has for a path. */
  positionOf(name: string): number | undefined;
  /** A file is followed from now on that an earlier run has not noted. */
  onNewFile(): void;
  readonly rotatedIdleMs: number;
  readonly partialIdleMs: number;
}
