// Docker's json-file lines: `log` becomes the line, `stream` a label, `time` the entry's time. A composition of other stages.

import { copyLabelsOverExtracted } from "../extracted-data.ts";
import { defineStage, type Stage } from "../stage.ts";
import { noOptions, warnOfOptions } from "../stage-config.ts";

/** The stages that `docker: {}` stands for. */
export const DOCKER_STAGES = [
  { json: { expressions: { output: "log", stream: "stream", timestamp: "time" } } },
  { labels: { stream: "" } },
  { timestamp: { source: "timestamp", format: "RFC3339Nano" } },
  { output: { source: "output" } },
] as const;

export const docker = defineStage({
  name: "docker",
  config: () => noOptions(),
  warn: warnOfOptions,
  build(_config, { compile }): Stage {
    const inner = compile(DOCKER_STAGES, []);
    return {
      process(batch) {
        copyLabelsOverExtracted(batch);
        inner.process(batch);
      },
    };
  },
});
