// Stands for the stages of a pipeline that comes with the program (../presets.ts). An addition to Promtail's stages.

import { presetNames, presetStages } from "../presets.ts";
import { defineStage } from "../stage.ts";
import { attempt, text } from "../stage-config.ts";

export const preset = defineStage({
  name: "preset",
  config: () => text().transform((name, context) => attempt(context, () => presetStages(name))),
  nested: (name) => (presetNames().includes(String(name)) ? { path: [], stages: presetStages(String(name)) } : undefined),
  build: (stages, { compile }) => compile(stages, []),
});
