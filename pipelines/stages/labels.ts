// Sets labels from extracted values.

import { TEXT_ODD } from "../../lib/kernels/kernels.ts";
import type { Column, EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
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

/** Sets one label over a whole batch. */
class LabelSetter {
  readonly #name: string;
  readonly #from: string;

  constructor(name: string, from: string) {
    this.#name = name;
    this.#from = from;
  }

  process(batch: EntryBatch): void {
    const column = batch.extracted.get(this.#from);
    const numbered = column instanceof SpanColumn ? column.numbered() : undefined;
    if (numbered === undefined) this.#setEach(batch, column, undefined);
    else {
      const { numbers, texts, oddCount } = numbered;
      const put = (labels: LabelSet, v: number): LabelSet => labels.put(this.#name, texts[v]!);
      batch.labels.combine(batch.live, batch.liveCount, numbers, texts.length, put);
      if (oddCount > 0) this.#setEach(batch, column, numbers);
    }
  }

  /** One by one; with `numbers`, only entries whose value is odd. */
  #setEach(batch: EntryBatch, column: Column | undefined, numbers: Int32Array | undefined): void {
    const { labels } = batch;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      if (numbers !== undefined && numbers[i] !== TEXT_ODD) continue;
      const value = textOfValue(column?.get(i) ?? batch.extract(this.#from, i));
      if (value !== undefined) labels.set(i, labels.get(i)!.put(this.#name, value));
    }
  }
}
