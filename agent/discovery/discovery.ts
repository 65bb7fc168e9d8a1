// What discoveries have in common: they tell of groups of targets, and of their change, for as long as they run.

import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";

/** Labels of a target before relabelling. */
export type DiscoveredLabels = Readonly<Record<string, string>>;

/**
 * Targets that are told of together. A group replaces the former one of the same source; without targets it withdraws it.
 */
export interface TargetGroup {
  /** Unique within its discovery. */
  readonly source: string;
  readonly targets: readonly DiscoveredLabels[];
  /** Labels of every target of the group; a target's own win. */
  readonly labels: DiscoveredLabels;
}

export interface Discovery {
  /** For pages and logs: `static`, `file`, … */
  readonly kind: string;
  /**
   * Begins to tell. The first `update` comes as soon as there is something to tell, each later one holds only the groups that changed.
   * Errors are the discovery's own to log and to try again.
   */
  start(update: (groups: readonly TargetGroup[]) => void): Promise<void>;
  stop(): Promise<void>;
}

/** What a discovery may need of its agent. */
export interface DiscoveryContext {
  /** The node's name, which `__host__` is compared with. */
  readonly hostname: string;
  readonly registry: Registry;
  readonly clock: Clock;
}
