// Runs nested stages over the entries that a selector matches, or drops these entries. The order of entries is kept.

import { z } from "zod";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { copyLabelsOverExtracted } from "../extracted-data.ts";
import type { EntryTest } from "../line-test.ts";
import { compileSelector } from "../selector.ts";
import { defineStage, type Stage, type StageContext } from "../stage.ts";
import { attempt, text } from "../stage-config.ts";

const DEFAULT_REASON = "match_stage";

export const match = defineStage({
  name: "match",
  config: () =>
    z
      .object({
        selector: text()
          .min(1, "is required: which entries to match")
          .transform((given, context) => attempt(context, () => compileSelector(given), "invalid selector: ")),
        stages: z.unknown().optional(),
        action: text()
          .default("keep")
          .transform((action) => action || "keep"),
        pipeline_name: text().min(1, "is empty; give the pipeline a name, or leave the key out").optional(),
        drop_counter_reason: text().default(DEFAULT_REASON),
      })
      .superRefine(({ action, stages }, context) => {
        const given = stages === undefined || (Array.isArray(stages) && stages.length === 0) ? 0 : 1;
        const problem = (message: string, path: string[]): void => context.addIssue({ code: "custom", message, path });
        if (action !== "keep" && action !== "drop") problem(`has to be keep or drop, got ${JSON.stringify(action)}`, ["action"]);
        if (action === "keep" && given === 0) problem("at least one stage is needed, or action: drop", ["stages"]);
        if (action === "drop" && given > 0)
          problem("a match that drops entries cannot have stages; remove them or action: drop", ["stages"]);
      }),
  nested: (given) => {
    const stages = (given as { readonly stages?: unknown } | null)?.stages;
    return stages === undefined ? undefined : { path: ["stages"], stages };
  },
  build({ selector, stages, action, drop_counter_reason: reason }, context): Stage {
    if (action === "drop") return dropMatching(selector, reason === "" ? DEFAULT_REASON : reason, context);
    const nested = context.compile(stages as unknown[], ["stages"]);
    return {
      process: (batch) => processMatching(batch, selector, nested),
      ...(nested.flush !== undefined && { flush: (nowMs: number, closing: boolean) => nested.flush!(nowMs, closing) }),
      ...(nested.delayMs !== undefined && { delayMs: (nowMs: number) => nested.delayMs!(nowMs) }),
    };
  },
});

function dropMatching(matches: EntryTest, reason: string, context: StageContext): Stage {
  return {
    process(batch) {
      const before = batch.liveCount;
      matches.start?.(batch);
      batch.filterLive((i) => !matches.holds(batch, i));
      if (batch.liveCount < before) context.dropped(reason, before - batch.liveCount);
    },
  };
}

function processMatching(batch: EntryBatch, matches: EntryTest, nested: Stage): void {
  const all = batch.live.slice(0, batch.liveCount);
  const matched = new Uint8Array(batch.count);
  matches.start?.(batch);
  batch.filterLive((i) => {
    const verdict = matches.holds(batch, i);
    if (verdict) matched[i] = 1;
    return verdict;
  });
  if (batch.liveCount === 0) {
    batch.setLive(all);
    return;
  }
  const bypassed = batch.liveCount < all.length;
  copyLabelsOverExtracted(batch);
  nested.process(batch);
  if (bypassed) batch.setLive(inOrder(all, matched, batch.live.slice(0, batch.liveCount)));
}

/**
 * The entries that bypassed the nested stages and those that came out of them, in the order of the lines. What the nested stages let go
 * late (a block of lines) stands where they put it, before the entry that made them.
 */
function inOrder(all: Int32Array, matched: Uint8Array, results: Int32Array): number[] {
  const came = new Uint8Array(matched.length);
  for (const i of results) if (i < came.length) came[i] = 1;
  const merged: number[] = [];
  let next = 0;
  for (const i of all) {
    if (matched[i] === 0) merged.push(i);
    else if (came[i] === 1) {
      // Those before it in the results come with it.
      for (let done = false; !done; next++) {
        const result = results[next]!;
        merged.push(result);
        if (result < came.length) came[result] = 2;
        done = result === i;
      }
    }
  }
  for (; next < results.length; next++) merged.push(results[next]!);
  return merged;
}
