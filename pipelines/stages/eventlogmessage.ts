// Extracts the `key: value` lines of a Windows event's message.

import { z } from "zod";
import { trimSpace } from "../../lib/text/go-template/text-functions.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { isLabelName } from "../../lib/wire/labels.ts";
import { dropEntries } from "../drop-entries.ts";
import { hasExtracted } from "../extracted-data.ts";
import { defineStage, type Stage } from "../stage.ts";
import { invalidLabelName, strictBoolean, text } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

export const eventlogmessage = defineStage({
  name: "eventlogmessage",
  config: () =>
    z.object({
      source: text()
        .default("message")
        .refine(isLabelName, { error: (issue) => invalidLabelName(String(issue.input)) }),
      overwrite_existing: strictBoolean().default(false),
      drop_invalid_labels: strictBoolean().default(false),
    }),
  build({ source, overwrite_existing: overwrites, drop_invalid_labels: dropsInvalid }, context): Stage {
    return {
      process(batch) {
        const textless = new Set<number>();
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          const value = batch.extract(source, i);
          if (value === undefined) continue;
          const message = textOfValue(value);
          if (message === undefined) textless.add(i);
          for (const line of message?.split("\r\n") ?? []) extractPair(batch, i, line, overwrites, dropsInvalid);
        }
        // As Promtail does, which counts none of them.
        dropEntries(batch, textless, "eventlogmessage_without_text", context);
      },
    };
  },
});

function extractPair(batch: EntryBatch, i: number, line: string, overwrites: boolean, dropsInvalid: boolean): void {
  const colon = line.indexOf(":");
  if (colon < 0) return;
  let key = line.slice(0, colon);
  if (!isLabelName(key)) {
    if (dropsInvalid) return;
    key = toLabelName(key);
  }
  if (!overwrites && hasExtracted(batch, key, i)) key += "_extracted";
  batch.setExtracted(key, i, trimSpace(line.slice(colon + 1)));
}

/** Every character a label name cannot have becomes `_`, a digit at the start too; so does the lack of any. */
function toLabelName(key: string): string {
  return key === "" ? "_" : key.replace(/[^a-zA-Z0-9_]/gu, "_").replace(/^[0-9]/, "_");
}
