// Removes labels by name.

import type { LabelSet } from "../../lib/wire/labels.ts";
import { defineStage, type Stage } from "../stage.ts";
import { strictNameList } from "../stage-config.ts";

export const labeldrop = defineStage({
  name: "labeldrop",
  config: () => strictNameList().refine((names) => names.length > 0, "the list of labels to drop is empty"),
  build(names): Stage {
    return eachLabelSet((labels) => names.reduce((set, name) => set.without(name), labels));
  },
});

/** A stage that changes label sets as such. */
export function eachLabelSet(change: (labels: LabelSet) => LabelSet): Stage {
  return {
    process(batch) {
      batch.labels.change(batch.live, batch.liveCount, change);
    },
  };
}
