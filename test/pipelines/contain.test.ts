import { expect, test } from "vitest";
import { Registry } from "../../lib/runtime/metrics.ts";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { contained } from "../../pipelines/contain.ts";
import { inSequence } from "../../pipelines/pipeline.ts";
import type { Stage, StageContext } from "../../pipelines/stage.ts";

const broken: Stage = {
  process: () => {
    throw new Error("cannot read properties of undefined");
  },
  flush: () => {
    throw new Error("nothing held");
  },
};

function setUp() {
  const told: object[] = [];
  const registry = new Registry();
  let nowMs = 0;
  const context = { registry, now: () => nowMs, warn: (fields: object) => told.push(fields) } as unknown as StageContext;
  const batch = new EntryBatch();
  batch.addText("one", 1, 0, LabelSet.EMPTY);
  const stage = contained(broken, "regex", "scrape_configs.0.pipeline_stages.1.regex", context);
  return { told, registry, batch, stage, wait: (ms: number) => (nowMs += ms) };
}

test("entries pass a stage that throws, and meet the next", () => {
  const { batch, stage } = setUp();
  const next: Stage = { process: (seen) => seen.setLine(0, `${seen.line(0)} more`) };
  inSequence([stage, next]).process(batch);
  expect(batch.line(0)).toBe("one more");
  expect(batch.liveCount).toBe(1);
});

test("each failure is counted, and told once a minute with the stage's place", async () => {
  const { batch, stage, told, registry, wait } = setUp();
  for (let i = 0; i < 3; i++) stage.process(batch);
  expect(stage.flush!(0, true)).toBeUndefined();
  expect(told).toEqual([{ stage: "scrape_configs.0.pipeline_stages.1.regex", error: "cannot read properties of undefined" }]);
  wait(60_000);
  stage.process(batch);
  expect(told).toHaveLength(2);
  expect(await registry.metrics()).toContain('skald_stage_failures_total{stage="regex"} 5');
});

test("a stage that holds nothing is not asked for it", () => {
  const { stage } = setUp();
  expect(stage.delayMs).toBeUndefined();
  expect(contained({ process: () => {} }, "a", "a", {} as StageContext).flush).toBeUndefined();
});
