// Joins lines to one entry: a line that `firstline` finds begins a block, the others are added to it.

import { z } from "zod";
import { lineTest } from "../line-test.ts";
import { MultilineBlocks } from "../multiline-blocks.ts";
import { defineStage, type Stage } from "../stage.ts";
import { durationNs, regexText, weakText, wholeNumber } from "../stage-config.ts";

export const multiline = defineStage({
  name: "multiline",
  config: () =>
    z.object({
      firstline: regexText(weakText()),
      max_wait_time: durationNs().prefault("3s"),
      // 0 is no limit, and so is what is below it; a block's bytes are limited all the same.
      max_lines: wholeNumber()
        .default(128)
        .transform((lines) => (lines > 0 ? lines : Number.POSITIVE_INFINITY)),
    }),
  build({ firstline, max_wait_time: waitNs, max_lines: linesMax }, { now, dropped }): Stage {
    const blocks = new MultilineBlocks({
      begins: lineTest(firstline),
      linesMax,
      waitMs: waitNs / 1e6,
      nowMs: now,
      onEmpty: (count) => dropped("multiline_empty", count),
    });
    return {
      process: (batch) => blocks.join(batch),
      flush: (nowMs, closing) => blocks.flush(nowMs, closing),
    };
  },
});
