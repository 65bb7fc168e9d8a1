// Embeds labels and the line in a JSON object, which LogQL's `unpack` takes apart again.

import { z } from "zod";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { escapeAsciiJson } from "../json-escape.ts";
import { defineStage, type Stage } from "../stage.ts";
import { nameList, weakBoolean, weakText } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const ENTRY_KEY = "_entry";
const QUOTE = 0x22;
const CLOSING_BRACE = 0x7d;
const encoder = new TextEncoder();

export const pack = defineStage({
  name: "pack",
  config: z.object({ labels: nameList(weakText()).default([]), ingest_timestamp: weakBoolean().default(true) }),
  build({ labels, ingest_timestamp: stampsNow }, { now }): Stage {
    const names = [...new Set(labels)].filter((name) => name !== ENTRY_KEY).sort(compareCodePoints);
    return {
      process(batch) {
        const nowMs = now();
        const packer = new Packer(batch, names);
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          packer.pack(i);
          if (stampsNow) batch.setTime(i, Math.floor(nowMs / 1000), Math.round((nowMs % 1000) * 1e6));
        }
      },
    };
  },
});

class Packer {
  readonly #batch: EntryBatch;
  readonly #names: readonly string[];
  /** Whether the fields of an entry depend on its labels alone. */
  readonly #fromLabels: boolean;
  /** Labels of the entry before, now and at the pipeline's start, and what it made of them. */
  #labels: LabelSet | undefined;
  #initial: LabelSet | undefined;
  #rest: LabelSet | undefined;
  #head = "";
  #headBytes = new Uint8Array(0);

  constructor(batch: EntryBatch, names: readonly string[]) {
    this.#batch = batch;
    this.#names = names;
    this.#fromLabels = !names.some((name) => batch.extracted.has(name));
  }

  pack(i: number): void {
    const batch = this.#batch;
    const labels = batch.labels[i]!;
    const initial = batch.initialLabels?.[i];
    if (!this.#fromLabels || labels !== this.#labels || initial !== this.#initial || this.#rest === undefined) this.#takeFields(i);
    this.#labels = labels;
    this.#initial = initial;
    batch.labels[i] = this.#rest!;
    if (!this.#packBytes(i)) batch.setLine(i, `${this.#head}${goString(batch.line(i))}}`);
  }

  #takeFields(i: number): void {
    const batch = this.#batch;
    let object = "{";
    let labels = batch.labels[i]!;
    for (const name of this.#names) {
      // As in Promtail, what is no extracted value (a label that static_labels set) stays a label.
      const value = textOfValue(batch.extract(name, i));
      if (value === undefined) continue;
      labels = labels.without(name);
      object += `${goString(name)}:${goString(value)},`;
    }
    this.#rest = labels;
    this.#head = `${object}"${ENTRY_KEY}":`;
    this.#headBytes = encoder.encode(this.#head);
  }

  /** The usual case: a line of ASCII is escaped where it stands. False: nothing was done. */
  #packBytes(i: number): boolean {
    const batch = this.#batch;
    const [start, end] = [batch.starts[i]!, batch.ends[i]!];
    // Room for what is usual; a line that needs more goes the other way.
    const room = this.#headBytes.length + 16 + 2 * (end - start);
    const at = batch.reserveBytes(room);
    const { bytes } = batch;
    const text = at + this.#headBytes.length + 1;
    const textEnd = escapeAsciiJson(bytes, start, end, bytes, text, at + room - 2);
    if (textEnd < 0) return false;
    bytes.set(this.#headBytes, at);
    bytes[text - 1] = bytes[textEnd] = QUOTE;
    bytes[textEnd + 1] = CLOSING_BRACE;
    batch.bytesUsed = textEnd + 2;
    batch.starts[i] = at;
    batch.ends[i] = textEnd + 2;
    return true;
  }
}

const ESCAPED: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
  "\ufffd": "\\ufffd",
};

/**
 * Go's JSON string: as JavaScript's, but for what could mean something in a web page, and for bytes that were no UTF-8. (By now these
 * are U+FFFD, and so is one that was written as such; both mean the same to whoever reads the JSON.)
 */
function goString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029\ufffd]/g, (char) => ESCAPED[char]!);
}
