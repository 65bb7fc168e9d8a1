// Attaches extracted values and labels to the entry as structured metadata. A label that is a source leaves the labels.

import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { defineStage, type Stage } from "../stage.ts";
import { labelMap } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

export const structured_metadata = defineStage({
  name: "structured_metadata",
  config: () => labelMap(),
  build(map): Stage {
    const pairs = [...map];
    return {
      process(batch) {
        for (let k = 0; k < batch.liveCount; k++) attach(batch, batch.live[k]!, pairs);
      },
    };
  },
});

function attach(batch: EntryBatch, i: number, pairs: readonly (readonly [string, string])[]): void {
  let labels = batch.labels.get(i)!;
  for (const [name, from] of pairs) {
    const value = textOfValue(batch.extract(from, i));
    if (value !== undefined) batch.addMetadata(i, name, value);
    if (!batch.labels.get(i)!.has(from)) continue;
    // Labels are among the extracted values too: the pair is attached once.
    const label = batch.labels.get(i)!.get(from);
    if (label !== value) batch.addMetadata(i, name, label);
    labels = labels.without(from);
  }
  batch.labels.set(i, labels);
}
