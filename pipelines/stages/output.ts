// Makes an extracted value the line.

import { z } from "zod";
import { kernels } from "../../lib/kernels/index.ts";
import { JSON_ESCAPED_STRING } from "../../lib/kernels/kernels.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage } from "../stage.ts";
import { requiredSource } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

export const output = defineStage({
  name: "output",
  config: () => z.object({ source: requiredSource() }),
  build({ source }): Stage {
    const escaped = new EscapedLines();
    return {
      process(batch) {
        const column = batch.extracted.get(source);
        const spans = column instanceof SpanColumn ? column : undefined;
        escaped.begin(batch.count);
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          // Fast path: the value stands in the batch's bytes as it is, so the line is only pointed elsewhere.
          if (spans?.isTextAt(i)) {
            const end = spans.endOf(i);
            batch.starts[i] = spans.startOf(i);
            batch.ends[i] = end;
          } else if (spans?.kindOf(i) === JSON_ESCAPED_STRING) escaped.add(i, spans.startOf(i), spans.endOf(i));
          else setValue(batch, i, source);
        }
        escaped.setLines(batch, (i) => setValue(batch, i, source));
      },
    };
  },
});

function setValue(batch: EntryBatch, i: number, source: string): void {
  const text = textOfValue(batch.extract(source, i));
  if (text !== undefined) batch.setLine(i, text);
}

/** Values whose escapes are undone all at once, from bytes to bytes. The arrays serve batch after batch. */
class EscapedLines {
  #count = 0;
  #entries = new Int32Array(0);
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  #textEnds = new Int32Array(0);

  /** Makes room for a batch's entries, and forgets those of the batch before. */
  begin(count: number): void {
    this.#count = 0;
    if (count <= this.#entries.length) return;
    const capacity = Math.max(count, this.#entries.length * 2, 64);
    this.#entries = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
    this.#textEnds = new Int32Array(capacity);
  }

  add(i: number, start: number, end: number): void {
    const at = this.#count++;
    this.#entries[at] = i;
    this.#starts[at] = start;
    this.#ends[at] = end;
  }

  /** Appends the texts to the batch's bytes and makes them the lines. `otherwise` is called for an escape that is none. */
  setLines(batch: EntryBatch, otherwise: (i: number) => void): void {
    if (this.#count === 0) return;
    const [base] = batch.appendText(kernels.unescapeJson(batch.bytes, this.#starts, this.#ends, this.#count, this.#textEnds));
    let start = base;
    for (let e = 0; e < this.#count; e++) {
      const i = this.#entries[e]!;
      if (this.#textEnds[e]! < 0) {
        otherwise(i);
        continue;
      }
      batch.starts[i] = start;
      batch.ends[i] = start = base + this.#textEnds[e]!;
    }
  }
}
