// What every kind of target shows of itself, for /targets, /ready and reloads.

import type { LabelSet } from "../../lib/wire/labels.ts";
import type { DiscoveredLabels } from "../discovery/discovery.ts";

export interface Target {
  /** `File`, `Journal`, `Syslog`, … */
  readonly kind: string;
  readonly labels: LabelSet;
  readonly discovered: DiscoveredLabels;
  /** Whether it reads or listens. */
  readonly ready: boolean;
  /** What it has to say about its state; an object for the page and its JSON twin. */
  details(): unknown;
  /** @param options drain: read what is there to its end first, and let go what stages hold */
  stop(options: { readonly drain: boolean }): Promise<void>;
}
