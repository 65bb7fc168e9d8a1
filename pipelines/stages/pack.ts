// Embeds labels and the line in a JSON object, which LogQL's `unpack` takes apart again.

import { z } from "zod";
import { kernels } from "../../lib/kernels/index.ts";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { defineStage, type Stage } from "../stage.ts";
import { nameList, weakBoolean, weakText } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const ENTRY_KEY = "_entry";
const encoder = new TextEncoder();
const SUFFIX = encoder.encode('"}');

export const pack = defineStage({
  name: "pack",
  config: () => z.object({ labels: nameList(weakText()).default([]), ingest_timestamp: weakBoolean().default(true) }),
  build({ labels, ingest_timestamp: stampsNow }, { now }): Stage {
    const packer = new Packer([...new Set(labels)].filter((name) => name !== ENTRY_KEY).sort(compareCodePoints));
    return {
      process(batch) {
        const nowMs = now();
        packer.pack(batch);
        if (!stampsNow) return;
        const [sec, nanos] = [Math.floor(nowMs / 1000), Math.round((nowMs % 1000) * 1e6)];
        for (let k = 0; k < batch.liveCount; k++) batch.setTime(batch.live[k]!, sec, nanos);
        batch.zones?.clear();
      },
    };
  },
});

/** What is the same for entries with the same labels, now and at the pipeline's start. */
interface Fields {
  readonly initial: LabelSet | undefined;
  /** The labels that are left. */
  readonly rest: LabelSet;
  /** The object up to the line. */
  readonly head: string;
  readonly number: number;
}

/** Packs batch after batch; the arrays have a slot per live entry, in order. */
class Packer {
  readonly #names: readonly string[];
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  #textEnds = new Int32Array(0);
  #prefixOf = new Int32Array(0);

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  pack(batch: EntryBatch): void {
    this.#reserve(batch.liveCount);
    const packed = this.#takeFields(batch);
    const prefixes = packed.map(({ head }) => encoder.encode(`${head}"`));
    const texts = kernels.escapeJson(
      batch.bytes,
      this.#starts,
      this.#ends,
      batch.liveCount,
      prefixes,
      this.#prefixOf,
      SUFFIX,
      this.#textEnds,
    );
    const [base] = batch.appendText(texts);
    let start = base;
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      if (this.#textEnds[k]! < 0) {
        batch.setLine(i, `${packed[this.#prefixOf[k]!]!.head}${goString(batch.line(i))}}`);
        continue;
      }
      batch.starts[i] = start;
      batch.ends[i] = start = base + this.#textEnds[k]!;
    }
  }

  /** Takes the labels off the entries, and notes where their lines are and which fields they get. */
  #takeFields(batch: EntryBatch): Fields[] {
    const all: Fields[] = [];
    const byLabels = new Map<LabelSet, Fields>();
    // Extracted values may differ from entry to entry.
    const fromLabels = !this.#names.some((name) => batch.extracted.has(name));
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      const labels = batch.labels.get(i)!;
      let fields = fromLabels ? byLabels.get(labels) : undefined;
      if (fields === undefined || fields.initial !== batch.initialLabels?.get(i)) {
        fields = fieldsOf(batch, i, this.#names, all.length);
        all.push(fields);
        byLabels.set(labels, fields);
      }
      batch.labels.set(i, fields.rest);
      this.#prefixOf[k] = fields.number;
      this.#starts[k] = batch.starts[i]!;
      this.#ends[k] = batch.ends[i]!;
    }
    return all;
  }

  #reserve(count: number): void {
    if (count <= this.#starts.length) return;
    const capacity = Math.max(count, this.#starts.length * 2, 64);
    this.#starts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
    this.#textEnds = new Int32Array(capacity);
    this.#prefixOf = new Int32Array(capacity);
  }
}

function fieldsOf(batch: EntryBatch, i: number, names: readonly string[], number: number): Fields {
  let head = "{";
  let rest = batch.labels.get(i)!;
  for (const name of names) {
    // As in Promtail, what is no extracted value (a label that static_labels set) stays a label.
    const value = textOfValue(batch.extract(name, i));
    if (value === undefined) continue;
    rest = rest.without(name);
    head += `${goString(name)}:${goString(value)},`;
  }
  return { initial: batch.initialLabels?.get(i), rest, head: `${head}"${ENTRY_KEY}":`, number };
}

const ESCAPED: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
  "\ufffd": "\\ufffd",
  "\\b": "\\u0008",
  "\\f": "\\u000c",
};

/**
 * JSON string as json-iterator prints it: as JavaScript's, but for \\b and \\f, what could mean something in a web page, and bytes that were no
 * UTF-8. (By now these
 * are U+FFFD, and so is one that was written as such; both mean the same to whoever reads the JSON.)
 */
function goString(text: string): string {
  return JSON.stringify(text).replace(/\\.|[<>&\u2028\u2029\ufffd]/g, (char) => ESCAPED[char] ?? char);
}
