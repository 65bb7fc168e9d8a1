// Labels of received entries: what the sender gave, what the configuration gives, and what the rules make of them.

import type { Registry } from "prom-client";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import type { EntryRelabel } from "../../entry-relabel.ts";
import { counter } from "../../metric.ts";

/** Counts entries that rules drop. */
export function openRelabelCounter(registry: Registry): (entryCount: number) => void {
  const dropped = counter(registry, "logentry_dropped_lines_total", "A count of all log lines dropped as a result of a pipeline stage", [
    "reason",
  ]);
  return (entryCount) => dropped.inc({ reason: "relabel" }, entryCount);
}

/**
 * The labels of entries whose configured labels the rules do not see, as with Promtail's cloud receivers.
 *
 * @param internal may be changed
 * @param fixed the configured labels
 * @param winner of a name that both have
 * @returns undefined when a rule drops the entry
 */
export function relabelBeside(
  relabel: EntryRelabel,
  internal: Map<string, string>,
  fixed: LabelSet,
  winner: "rules" | "fixed",
): LabelSet | undefined {
  const found = relabel.labelsOf(internal);
  if (found === undefined) return undefined;
  let [labels, over] = winner === "rules" ? [fixed, found] : [found, fixed];
  for (const [name, value] of over) labels = labels.with(name, value);
  return labels;
}
