// Makes an extracted value the line.

import { z } from "zod";
import { JSON_ESCAPED_STRING } from "../../lib/kernels/kernels.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { unescapeJson } from "../json-unescape.ts";
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
          if (spans?.isTextAt(i)) {
            const end = spans.endOf(i);
            batch.starts[i] = spans.startOf(i);
            batch.ends[i] = end;
            continue;
          }
          if (spans !== undefined && spans.kindOf(i) === JSON_ESCAPED_STRING && setUnescaped(batch, i, spans)) continue;
          const text = textOfValue(batch.extract(source, i));
          if (text !== undefined) batch.setLine(i, text);
        }
      },
    };
  },
});

/** Appends the span's text to the batch's bytes, escapes undone, and makes it the line. False for an escape that is none. */
function setUnescaped(batch: EntryBatch, i: number, spans: SpanColumn): boolean {
  const start = spans.startOf(i);
  const end = spans.endOf(i);
  const at = batch.reserveBytes(end - start);
  const lineEnd = unescapeJson(batch.bytes, start, end, batch.bytes, at);
  if (lineEnd < 0) return false;
  batch.bytesUsed = lineEnd;
  batch.starts[i] = at;
  batch.ends[i] = lineEnd;
  return true;
}
