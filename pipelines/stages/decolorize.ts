// Removes terminal escape sequences from the line.

import { z } from "zod";
import { decolorize as removeSequences } from "../../lib/text/decolorize.ts";
import { defineStage, type Stage } from "../stage.ts";

/** Every sequence starts with it, but for the C1 forms, which are U+0080 to U+009F: C2 80 to C2 9F in UTF-8. */
const ESCAPE = 0x1b;
const C1_LEAD = 0xc2;

export const decolorize = defineStage({
  name: "decolorize",
  config: z.object({}),
  build(): Stage {
    return {
      process(batch) {
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          if (mayHaveSequence(batch.bytes, batch.starts[i]!, batch.ends[i]!)) batch.setLine(i, removeSequences(batch.line(i)));
        }
      },
    };
  },
});

function mayHaveSequence(bytes: Uint8Array, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (bytes[p] === ESCAPE || bytes[p] === C1_LEAD) return true;
  return false;
}
