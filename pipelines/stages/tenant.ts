// Sets the tenant that the entry is sent for, as the reserved label `__tenant_id__`, which the client takes off again.

import { z } from "zod";
import { defineStage, type Stage } from "../stage.ts";
import { text } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const TENANT_LABEL = "__tenant_id__";

export const tenant = defineStage({
  name: "tenant",
  config: () =>
    z
      .object({ label: text().default(""), source: text().default(""), value: text().default("") })
      .refine(({ label, source, value }) => [label, source, value].filter((given) => given !== "").length === 1, {
        error: "label, source and value exclude each other, and one of them is needed",
      }),
  build({ label, source, value }): Stage {
    return {
      process(batch) {
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          const labels = batch.labels.get(i)!;
          const id = value !== "" ? value : label !== "" ? labels.get(label) : textOfValue(batch.extract(source, i));
          if (id !== undefined && id !== "") batch.labels.set(i, labels.with(TENANT_LABEL, id));
        }
      },
    };
  },
});
