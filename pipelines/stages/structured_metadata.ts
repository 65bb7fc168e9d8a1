// Attaches extracted values and labels to the entry as structured metadata. A label that is a source leaves the labels.

import { TEXT_NOTHING, TEXT_ODD } from "../../lib/kernels/kernels.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { withPair } from "../../lib/wire/metadata-lists.ts";
import { SpanColumn } from "../span-column.ts";
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
        // A label that is a source leaves the labels, which is for each entry to see.
        const hasSource = batch.labels.sets.some((set) => pairs.some(([, from]) => set.has(from)));
        if (hasSource) for (let k = 0; k < batch.liveCount; k++) attach(batch, batch.live[k]!, pairs);
        else for (const [name, from] of pairs) attachValues(batch, name, from);
      },
    };
  },
});

/** Attaches the values of one source, each different one once where they are numbered. */
function attachValues(batch: EntryBatch, name: string, from: string): void {
  const column = batch.extracted.get(from);
  const numbered = column instanceof SpanColumn ? column.numbered() : undefined;
  const alone = numbered?.texts.map((text) => withPair(undefined, name, text)) ?? [];
  for (let k = 0; k < batch.liveCount; k++) {
    const i = batch.live[k]!;
    const number = numbered?.numbers[i] ?? TEXT_ODD;
    if (number === TEXT_NOTHING) continue;
    if (number >= 0) {
      batch.metadata ??= [];
      const before = batch.metadata[i];
      batch.metadata[i] = before === undefined ? alone[number] : withPair(before, name, numbered!.texts[number]!);
      continue;
    }
    const value = textOfValue(batch.extract(from, i));
    if (value !== undefined) batch.addMetadata(i, name, value);
  }
}

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
