// Removes every label that is not named.

import { defineStage, type Stage } from "../stage.ts";
import { strictNameList } from "../stage-config.ts";
import { eachLabelSet } from "./labeldrop.ts";

export const labelallow = defineStage({
  name: "labelallow",
  config: () => strictNameList().refine((names) => names.length > 0, "the list of labels to keep is empty"),
  build(names): Stage {
    const allowed = new Set(names);
    return eachLabelSet((labels) => labels.names.reduce((set, name) => (allowed.has(name) ? set : set.without(name)), labels));
  },
});
