import type { EntryBatch } from "../lib/wire/entry-batch.ts";

/** Where a source's entries go after its pipeline. */
export interface Sink {
  /**
   * Takes the batch's live entries. Resolves when there is room for more (back-pressure), not when they are acknowledged: that
   * comes through `batch.tickets`, which the sink holds for as long as an entry of the batch is on its way. When the call has
   * resolved, the batch and its bytes are the caller's again. Entries are never refused; what a sink drops it counts itself.
   */
  consume(batch: EntryBatch): Promise<void> | void;
}
