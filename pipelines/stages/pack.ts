// Embeds labels and the line in a JSON object, which LogQL's `unpack` takes apart again.

import { z } from "zod";
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
  batch.setLine(i, `${object}"${ENTRY_KEY}":${goString(batch.line(i))}}`);
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
