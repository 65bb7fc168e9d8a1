// Keeps a share of the entries, chosen by chance.

import { z } from "zod";
import { defineStage, type Stage } from "../stage.ts";
import { numeric, weakText } from "../stage-config.ts";

const DEFAULT_REASON = "sampling_stage";

export const sampling = defineStage({
  name: "sampling",
  config: () =>
    z.object({
      // Promtail takes a stage without a rate, and then drops every line; nobody means that.
      rate: numeric().refine((rate) => rate >= 0 && rate <= 1, "has to be from 0 (keeps nothing) to 1 (keeps all)"),
      drop_counter_reason: weakText().default(DEFAULT_REASON),
    }),
  build({ rate, drop_counter_reason: reason }, { random, dropped }): Stage {
    return {
      process(batch) {
        const before = batch.liveCount;
        batch.filterLive(() => random() < rate);
        if (batch.liveCount < before) dropped(reason === "" ? DEFAULT_REASON : reason, before - batch.liveCount);
      },
    };
  },
});
