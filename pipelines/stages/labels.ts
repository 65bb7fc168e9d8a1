// Sets labels from extracted values.

import type { Column, EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { InternTable } from "../intern-table.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage } from "../stage.ts";
import { labelMap } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

export const labels = defineStage({
  name: "labels",
  config: () => labelMap(),
  build(map): Stage {
    const setters = [...map].map(([name, from]) => new LabelSetter(name, from));
    return {
      process(batch) {
        for (const setter of setters) setter.process(batch);
      },
    };
  },
});

/** Sets one label over a whole batch. Values repeat, so strings are interned and the last transition is remembered. */
class LabelSetter {
  readonly #name: string;
  readonly #from: string;
  readonly #texts = new InternTable();

  constructor(name: string, from: string) {
    this.#name = name;
    this.#from = from;
  }

  process(batch: EntryBatch): void {
    const column = batch.extracted.get(this.#from);
    if (column instanceof SpanColumn) this.#fromSpans(batch, column);
    else this.#fromValues(batch, column);
  }

  #fromSpans(batch: EntryBatch, column: SpanColumn): void {
    const name = this.#name;
    const { bytes, live, labels } = batch;
    let before: LabelSet | undefined;
    let after: LabelSet | undefined;
    let last: string | undefined;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = live[k]!;
      const value = column.isTextAt(i)
        ? this.#texts.text(bytes, column.startOf(i), column.endOf(i))
        : textOfValue(this.#valueOf(batch, column, i));
      if (value === undefined) continue;
      if (labels[i] !== before || value !== last) {
        before = labels[i]!;
        last = value;
        after = before.put(name, value);
      }
      labels[i] = after!;
    }
  }

  #fromValues(batch: EntryBatch, column: Column | undefined): void {
    const name = this.#name;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      const value = textOfValue(this.#valueOf(batch, column, i));
      if (value !== undefined) batch.labels[i] = batch.labels[i]!.put(name, value);
    }
  }

  #valueOf(batch: EntryBatch, column: Column | undefined, i: number) {
    const value = column?.get(i);
    return value === undefined ? batch.extract(this.#from, i) : value;
  }
}
