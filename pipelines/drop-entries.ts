import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import type { StageContext } from "./stage.ts";

/** Takes entries out of a batch, and counts them. */
export function dropEntries(batch: EntryBatch, entries: ReadonlySet<number>, reason: string, context: StageContext): void {
  if (entries.size === 0) return;
  batch.filterLive((i) => !entries.has(i));
  context.dropped(reason, entries.size);
}
