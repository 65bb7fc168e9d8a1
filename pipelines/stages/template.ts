// Sets an extracted value to what a Go template makes of the extracted data.

import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { CompiledTemplate } from "../../lib/text/go-template/index.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { columnOf, deleteExtracted } from "../extracted-data.ts";
import { defineStage, type Stage, type StageContext } from "../stage.ts";
import { requiredSource, templateText } from "../stage-config.ts";
import { TemplateData } from "../template-data.ts";
import { textOfValue } from "../value-text.ts";

export const template = defineStage({
  name: "template",
  config: () => z.object({ source: requiredSource(), template: templateText() }),
  build({ source, template: compiled }, context): Stage {
    return {
      process(batch) {
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          const result = execute(compiled, batch, i, source, context);
          if (result === undefined) continue;
          if (result === "") deleteExtracted(batch, source, i);
          else columnOf(batch, source).set(i, result);
        }
      },
    };
  },
});

/** Undefined when the template fails over this entry. */
function execute(compiled: CompiledTemplate, batch: EntryBatch, i: number, source: string, { debug }: StageContext): string | undefined {
  const data = new TemplateData(batch, i, textOfValue(batch.extract(source, i)), batch.line(i));
  try {
    return compiled.execute(data);
  } catch (error) {
    debug({ source, error: messageOf(error) }, "template failed: value left as it was");
    return undefined;
  }
}
