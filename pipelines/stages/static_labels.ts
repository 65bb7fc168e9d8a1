// Sets labels to constants. Null and empty values set nothing; names are not checked, as Promtail does not check them.

import { defineStage, type Stage } from "../stage.ts";
import { textMap } from "../stage-config.ts";
import { eachLabelSet } from "./labeldrop.ts";

export const static_labels = defineStage({
  name: "static_labels",
  config: () => textMap(),
  build(map): Stage {
    const pairs = [...map].filter(([, value]) => value !== "");
    return eachLabelSet((labels) => pairs.reduce((set, [name, value]) => set.with(name, value), labels));
  },
});
