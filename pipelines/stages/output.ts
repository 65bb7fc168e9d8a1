// Makes an extracted value the line.

import { z } from "zod";
import { JSON_PLAIN_STRING } from "../../lib/kernels/kernels.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage } from "../stage.ts";
import { requiredSource } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

export const output = defineStage({
  name: "output",
  config: z.object({ source: requiredSource() }),
  build({ source }): Stage {
    return {
      process(batch) {
        const column = batch.extracted.get(source);
        const spans = column instanceof SpanColumn ? column : undefined;
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          // Fast path: the value stands in the batch's bytes as it is, so the line is only pointed elsewhere.
          if (spans !== undefined && spans.kindOf(i) === JSON_PLAIN_STRING) {
            const end = spans.endOf(i);
            batch.starts[i] = spans.startOf(i);
            batch.ends[i] = end;
            continue;
          }
          const text = textOfValue(batch.extract(source, i));
          if (text !== undefined) batch.setLine(i, text);
        }
      },
    };
  },
});
