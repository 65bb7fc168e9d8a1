// Sets labels to constants. Null and empty values set nothing; names only have to be there, as in Promtail.

import { defineStage, type Stage } from "../stage.ts";
import { invalidLabelName, textMap } from "../stage-config.ts";
import { eachLabelSet } from "./labeldrop.ts";

export const static_labels = defineStage({
  name: "static_labels",
  config: () => textMap().refine((map) => !map.has(""), invalidLabelName("")),
  build(map): Stage {
    const pairs = [...map].filter(([, value]) => value !== "");
    return eachLabelSet((labels) => pairs.reduce((set, [name, value]) => set.with(name, value), labels));
  },
});
