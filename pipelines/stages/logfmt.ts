// Extracts values of logfmt pairs. A fault in the line ends the reading; pairs before it count.

import { z } from "zod";
import { JSON_ABSENT, JSON_PLAIN_STRING } from "../../lib/kernels/kernels.ts";
import { LogfmtScanner, scanLogfmt } from "../../lib/text/logfmt.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { columnOf } from "../extracted-data.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage } from "../stage.ts";
import { fail, source, textMap } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

interface Wanted {
  readonly name: string;
  readonly key: Uint8Array;
}

const encoder = new TextEncoder();

export const logfmt = defineStage({
  name: "logfmt",
  config: z.object({
    mapping: textMap().transform((map, context): readonly Wanted[] => {
      if (map.size === 0) return fail(context, "is required: a map from extracted names to logfmt keys");
      // One key serves one name: the last that asks for it.
      const byKey = new Map([...map].map(([name, key]) => [key === "" ? name : key, name]));
      return [...byKey].map(([key, name]) => ({ name, key: encoder.encode(key) }));
    }),
    source: source(),
  }),
  build({ mapping, source: from }): Stage {
    if (from !== undefined) return { process: (batch) => readSource(batch, mapping, from) };
    const reader = new SpanReader(mapping);
    return { process: (batch) => reader.read(batch) };
  },
});

function readSource(batch: EntryBatch, wanted: readonly Wanted[], from: string): void {
  for (let k = 0; k < batch.liveCount; k++) {
    const i = batch.live[k]!;
    const text = textOfValue(batch.extract(from, i));
    if (text === undefined) continue;
    const bytes = encoder.encode(text);
    const scanner = scanLogfmt(bytes, 0, bytes.length, { records: true });
    while (scanner.next()) {
      for (const { name, key } of wanted) if (scanner.keyIs(key)) columnOf(batch, name).set(i, scanner.value());
    }
  }
}

/** Reads a whole batch's lines as spans. Its arrays serve batch after batch. */
class SpanReader {
  readonly #wanted: readonly Wanted[];
  readonly #scanner: LogfmtScanner;
  #kind = new Uint8Array(0);
  #start = new Int32Array(0);
  #end = new Int32Array(0);

  constructor(wanted: readonly Wanted[]) {
    this.#wanted = wanted;
    this.#scanner = new LogfmtScanner(new Uint8Array(0), 0, 0, { records: true });
  }

  read(batch: EntryBatch): void {
    const wanted = this.#wanted;
    const stride = wanted.length;
    this.#reserve(batch.count * stride);
    const columns = wanted.map(({ name }, offset) => {
      const slots = { kind: this.#kind, start: this.#start, end: this.#end, stride, offset, count: batch.count };
      const column = new SpanColumn(batch, slots, batch.extracted.get(name));
      batch.extracted.set(name, column);
      return column;
    });
    const scanner = this.#scanner;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      scanner.reset(batch.bytes, batch.starts[i]!, batch.ends[i]!);
      while (scanner.next()) {
        for (let w = 0; w < stride; w++) if (scanner.keyIs(wanted[w]!.key)) this.#found(columns[w]!, i, i * stride + w);
      }
    }
  }

  #found(column: SpanColumn, i: number, slot: number): void {
    const scanner = this.#scanner;
    if (scanner.escaped || column.kindOf(i) > JSON_PLAIN_STRING) {
      column.set(i, scanner.value());
      return;
    }
    this.#kind[slot] = JSON_PLAIN_STRING;
    this.#start[slot] = scanner.valueStart;
    this.#end[slot] = scanner.valueEnd;
  }

  #reserve(slots: number): void {
    if (slots > this.#kind.length) {
      const capacity = Math.max(slots, this.#kind.length * 2);
      this.#kind = new Uint8Array(capacity);
      this.#start = new Int32Array(capacity);
      this.#end = new Int32Array(capacity);
    } else this.#kind.fill(JSON_ABSENT, 0, slots);
  }
}
