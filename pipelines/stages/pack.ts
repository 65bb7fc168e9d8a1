// Embeds labels and the line in a JSON object, which LogQL's `unpack` takes apart again.

import { z } from "zod";
import { isUtf8 } from "node:buffer";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { compareCodePoints } from "../../lib/wire/labels.ts";
import { defineStage, type Stage } from "../stage.ts";
import { nameList, weakBoolean, weakText } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const ENTRY_KEY = "_entry";

export const pack = defineStage({
  name: "pack",
  config: z.object({ labels: nameList(weakText()).default([]), ingest_timestamp: weakBoolean().default(true) }),
  build({ labels, ingest_timestamp: stampsNow }, { now }): Stage {
    const names = [...new Set(labels)].filter((name) => name !== ENTRY_KEY).sort(compareCodePoints);
    return {
      process(batch) {
        const nowMs = now();
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          packEntry(batch, i, names);
          if (stampsNow) batch.setTime(i, Math.floor(nowMs / 1000), Math.round((nowMs % 1000) * 1e6));
        }
      },
    };
  },
});

function packEntry(batch: EntryBatch, i: number, names: readonly string[]): void {
  let object = "{";
  let labels = batch.labels[i]!;
  for (const name of names) {
    const value = textOfValue(batch.extract(name, i)) ?? (labels.has(name) ? labels.get(name) : undefined);
    labels = labels.without(name);
    if (value !== undefined) object += `${goString(name)}:${goString(value)},`;
  }
  batch.labels[i] = labels;
  batch.setLine(i, `${object}"${ENTRY_KEY}":${lineAsJson(batch, i)}}`);
}

/** Go's JSON shows a byte that is not UTF-8 as an escape, unlike a replacement character that was written as such. */
function lineAsJson(batch: EntryBatch, i: number): string {
  const text = goString(batch.line(i));
  return text.includes("\ufffd") && !isUtf8(batch.lineBytes(i)) ? text.replaceAll("\ufffd", "\\ufffd") : text;
}

const HTML: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** Go's JSON string. As JavaScript's, but for what could mean something in a web page. */
function goString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (char) => HTML[char]!);
}
