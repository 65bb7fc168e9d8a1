// Cuts what is too long: lines, label values, structured metadata, extracted values. Cuts are between characters; sizes count bytes.

import { z } from "zod";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { defineStage, type Stage } from "../stage.ts";
import { nameList, sizeBytes, text } from "../stage-config.ts";

const SOURCE_TYPES = ["line", "label", "structured_metadata", "extracted_map"] as const;

const rule = () =>
  z
    .object({
      limit: sizeBytes().refine((bytes) => bytes > 0, "has to be above 0"),
      suffix: text().default(""),
      source_type: z.enum(SOURCE_TYPES, { error: `has to be one of ${SOURCE_TYPES.join(", ")}` }).default("line"),
      /** Names of labels or values; none means all. */
      sources: nameList().default([]),
    })
    .refine(({ limit, suffix }) => Buffer.byteLength(suffix) < limit, { path: ["suffix"], error: "has to be shorter than limit" });

type Rule = z.output<ReturnType<typeof rule>>;

export const truncate = defineStage({
  name: "truncate",
  config: () => z.object({ rules: z.array(rule(), { error: "is required: a list of rules" }).min(1, "at least one rule is needed") }),
  build({ rules }): Stage {
    return {
      process(batch) {
        for (const one of rules) for (let k = 0; k < batch.liveCount; k++) apply(one, batch, batch.live[k]!);
      },
    };
  },
});

function apply(rule: Rule, batch: EntryBatch, i: number): void {
  const wanted = (name: string): boolean => rule.sources.length === 0 || rule.sources.includes(name);
  switch (rule.source_type) {
    case "line":
      if (batch.lineLength(i) > rule.limit) batch.setLine(i, cut(batch.line(i), rule));
      return;
    case "label":
      for (const [name, value] of batch.labels.get(i)!)
        if (wanted(name)) batch.labels.set(i, batch.labels.get(i)!.put(name, cut(value, rule)));
      return;
    case "structured_metadata": {
      const pairs = batch.metadata?.[i];
      if (pairs !== undefined) batch.metadata![i] = pairs.map(([name, value]) => [name, wanted(name) ? cut(value, rule) : value] as const);
      return;
    }
    case "extracted_map":
      for (const [name, column] of batch.extracted) {
        const value = column.get(i);
        if (typeof value === "string" && wanted(name)) column.set(i, cut(value, rule));
      }
  }
}

function cut(value: string, { limit, suffix }: Rule): string {
  if (value.length * 3 <= limit || Buffer.byteLength(value) <= limit) return value;
  const bytes = Buffer.from(value);
  let end = limit - Buffer.byteLength(suffix);
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end) + suffix;
}
