// Taps: places of a pipeline where somebody may watch the entries that pass while it runs: before the first stage, behind each, behind the
// last. Where nobody watches, a batch of entries costs one comparison per place.

import type { ConfigPath } from "../lib/runtime/config-file.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import { buildStages, type PipelineContext } from "./compile.ts";
import { Pipeline } from "./pipeline.ts";
import type { Stage } from "./stage.ts";

/** Is shown the live entries of a batch, extracted data included. It changes nothing, and keeps nothing of the batch. */
export type TapListener = (batch: EntryBatch, point: TapPoint) => void;

export class TapPoint {
  /** `input`, `output`, or where the stage stands in its pipeline: `0.json`, `2.match.stages.0.labels`. */
  readonly id: string;
  /** The stage's name. */
  readonly name: string;
  /** Calls everybody; undefined when nobody listens. */
  show: TapListener | undefined;
  #listeners: readonly TapListener[] = [];

  constructor(id: string, name: string) {
    this.id = id;
    this.name = name;
  }

  add(listener: TapListener): void {
    this.#set([...this.#listeners, listener]);
  }

  remove(listener: TapListener): void {
    this.#set(this.#listeners.filter((each) => each !== listener));
  }

  #set(listeners: readonly TapListener[]): void {
    this.#listeners = listeners;
    this.show =
      listeners.length === 0
        ? undefined
        : (batch, point) => {
            for (const listener of listeners) listener(batch, point);
          };
  }
}

/** Builds a pipeline that has taps. @throws as `compilePipeline` */
export function compileTapped(stages: unknown, context: PipelineContext, path: ConfigPath = []): Pipeline {
  const input = new TapPoint("input", "input");
  const output = new TapPoint("output", "output");
  const points = [input];
  const wrap = (stage: Stage, name: string, at: ConfigPath): Stage => {
    const point = new TapPoint(at.slice(path.length).join("."), name);
    points.push(point);
    return tapped(stage, point);
  };
  const whole = buildStages(stages, { ...context, wrap }, path);
  points.push(output);
  const process = (batch: EntryBatch): void => {
    if (input.show !== undefined && batch.liveCount > 0) input.show(batch, input);
    whole.process(batch);
  };
  return new Pipeline(tapped({ ...whole, process }, output), points, context.keepsZones);
}

function tapped(stage: Stage, point: TapPoint): Stage {
  const show = (batch: EntryBatch): void => {
    if (point.show !== undefined && batch.liveCount > 0) point.show(batch, point);
  };
  const { flush } = stage;
  return {
    ...stage,
    process(batch) {
      stage.process(batch);
      show(batch);
    },
    ...(flush !== undefined && {
      flush(nowMs: number, closing: boolean) {
        const batch = flush(nowMs, closing);
        if (batch !== undefined) show(batch);
        return batch;
      },
    }),
  };
}
