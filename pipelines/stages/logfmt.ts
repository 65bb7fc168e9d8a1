// Extracts values of logfmt pairs. A fault in the line ends the reading; pairs before it count.

import { z } from "zod";
import { kernels } from "../../lib/kernels/index.ts";
import { JSON_PLAIN_STRING, LOGFMT_LINE_UNSURE } from "../../lib/kernels/kernels.ts";
import { LogfmtScanner, scanLogfmt } from "../../lib/text/logfmt.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { columnOf } from "../extracted-data.ts";
import { SpanColumn, TextNumbering } from "../span-column.ts";
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
  config: () =>
    z.object({
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

/** Reads a whole batch's lines as spans: by a kernel, and what is out of the ordinary by the scanner. Its arrays serve batch after batch. */
class SpanReader {
  readonly #wanted: readonly Wanted[];
  readonly #numberings: readonly TextNumbering[];
  readonly #keys: readonly Uint8Array[];
  readonly #scanner: LogfmtScanner;
  #verdict = new Uint8Array(0);
  /** The kernel's LOGFMT_PLAIN is JSON_PLAIN_STRING, as columns of spans want it. */
  #kind = new Uint8Array(0);
  #start = new Int32Array(0);
  #end = new Int32Array(0);

  constructor(wanted: readonly Wanted[]) {
    this.#wanted = wanted;
    this.#numberings = wanted.map(() => new TextNumbering());
    this.#keys = wanted.map(({ key }) => key);
    this.#scanner = new LogfmtScanner(new Uint8Array(0), 0, 0, { records: true });
  }

  read(batch: EntryBatch): void {
    const { bytes, starts, ends, count, live, liveCount } = batch;
    this.#reserve(count);
    const columns = this.#makeColumns(batch);
    kernels.scanStrictLogfmt(bytes, starts, ends, count, live, liveCount, this.#keys, this.#verdict, this.#kind, this.#start, this.#end);
    for (let k = 0; k < liveCount; k++) if (this.#verdict[live[k]!] === LOGFMT_LINE_UNSURE) this.#scan(batch, live[k]!, columns);
  }

  #makeColumns(batch: EntryBatch): SpanColumn[] {
    return this.#wanted.map(({ name }, offset) => {
      const place = { stride: this.#wanted.length, offset, count: batch.count, numbering: this.#numberings[offset]! };
      const slots = { kind: this.#kind, start: this.#start, end: this.#end, ...place };
      const column = new SpanColumn(batch, slots, batch.extracted.get(name));
      batch.extracted.set(name, column);
      return column;
    });
  }

  #scan(batch: EntryBatch, i: number, columns: readonly SpanColumn[]): void {
    const scanner = this.#scanner;
    const stride = this.#wanted.length;
    scanner.reset(batch.bytes, batch.starts[i]!, batch.ends[i]!);
    while (scanner.next()) {
      for (let w = 0; w < stride; w++) if (scanner.keyIs(this.#keys[w]!)) this.#found(columns[w]!, i, i * stride + w);
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

  #reserve(count: number): void {
    if (count <= this.#verdict.length) return;
    const capacity = Math.max(count, this.#verdict.length * 2, 64);
    const slots = capacity * this.#wanted.length;
    this.#verdict = new Uint8Array(capacity);
    this.#kind = new Uint8Array(slots);
    this.#start = new Int32Array(slots);
    this.#end = new Int32Array(slots);
  }
}
