// The stage contract. A stage is a synchronous function over a batch of entries; `perEntry` adapts the many stages that are
// easier to say for one entry. A new stage is a new file in stages/ and one line in registry.ts.

import type { Registry } from "prom-client";
import type { z } from "zod";
import type { ConfigPath } from "../lib/runtime/config-file.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";

/** What a stage may use of the world; time and chance are arguments, so that tests are exact. */
export interface StageContext {
  readonly now: () => number;
  readonly random: () => number;
  readonly registry: Registry;
  readonly jobName: string;
  /** Counts one dropped entry under `logentry_dropped_lines_total{reason}`. */
  readonly dropped: (reason: string, count?: number) => void;
  readonly debug: (fields: object, text: string) => void;
  readonly warn: (fields: object, text: string) => void;
  /** Composite stages (`cri`) are to be built of their parts, which somebody watches. */
  readonly takesApart?: boolean;
  /** Builds a nested pipeline (`match`). */
  readonly compile: (stages: readonly unknown[], path: readonly (string | number)[]) => Stage;
}

/** One step of a pipeline, built from its configuration. */
export interface Stage {
  /** Reads and writes the batch's live entries in place. */
  process(batch: EntryBatch): void;
  /**
   * Entries that were held back (an open multiline block, CRI partials) and are due at `nowMs`, or all of them at `closing`.
   * The batch carries the tickets of the held entries. Undefined when nothing is due.
   */
  flush?(nowMs: number, closing: boolean): EntryBatch | undefined;
  /** A stage that must wait (`limit` without drop) says how long; the pipeline's caller waits before handing in more. */
  delayMs?(nowMs: number): number;
}

/** How a stage presents itself: its YAML key, its strict schema with defaults in it, and its constructor. */
export interface StageDefinition<Config = unknown> {
  readonly name: string;
  readonly config: z.ZodType<Config>;
  build(config: Config, context: StageContext): Stage;
  /** What an operator should know about a configuration that is taken. */
  warn?(config: Config): string | undefined;
  /** A pipeline inside the configuration, and where it is. It is looked for before the rest is known to be right, so `given` is as written. */
  nested?(given: unknown): { readonly path: ConfigPath; readonly stages: unknown } | undefined;
}

/** @param config makes the schema, which is done when a pipeline first has the stage: making those of all stages takes longer than reading a configuration */
export function defineStage<Config>({
  config,
  ...rest
}: Omit<StageDefinition<Config>, "config"> & { readonly config: () => z.ZodType<Config> }): StageDefinition<Config> {
  let schema: z.ZodType<Config> | undefined;
  return {
    ...rest,
    get config() {
      schema ??= config();
      return schema;
    },
  };
}

/** Makes a stage of a function over one entry; `false` drops the entry (the function counts the drop). */
export function perEntry(fn: (batch: EntryBatch, i: number) => boolean | undefined): Stage {
  return {
    process(batch) {
      batch.filterLive((i) => fn(batch, i) !== false);
    },
  };
}
