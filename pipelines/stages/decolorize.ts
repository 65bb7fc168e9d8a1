// Removes terminal escape sequences from the line.

import { decolorize as removeSequences } from "../../lib/text/decolorize.ts";
import { containsTest } from "../line-test.ts";
import { defineStage, type Stage } from "../stage.ts";
import { noOptions, warnOfOptions } from "../stage-config.ts";

/** What sequences start with: ESC, or CSI and OSC as single characters. */
const STARTS = ["\x1b", "\u009b", "\u009d"].map((text) => new TextEncoder().encode(text));

export const decolorize = defineStage({
  name: "decolorize",
  config: () => noOptions(),
  warn: warnOfOptions,
  build(): Stage {
    const mayHaveSequence = containsTest(STARTS);
    return {
      process(batch) {
        mayHaveSequence.start?.(batch);
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          if (mayHaveSequence.holds(batch, i)) batch.setLine(i, removeSequences(batch.line(i)));
        }
      },
    };
  },
});
