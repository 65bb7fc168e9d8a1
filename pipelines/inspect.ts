// `-inspect`: prints what each stage changes of each entry, in the form Promtail prints it.
//
//   [inspect: labels stage]:
//   {stages.Entry}.Entry.Labels:
//   	-: {job="x"}
//   	+: {job="x", level="warn"}

import type { ConfigPath } from "../lib/runtime/config-file.ts";
import { formatFloat } from "../lib/text/go-template/format.ts";
import { printGoTime } from "../lib/text/go-time.ts";
import { UTC } from "../lib/text/time-zone.ts";
import type { EntryBatch, MetadataPair, Value } from "../lib/wire/entry-batch.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { buildStages, type PipelineContext } from "./compile.ts";
import { eachExtracted, endExtracted, startExtracted } from "./extracted-data.ts";
import { Pipeline } from "./pipeline.ts";
import type { Stage } from "./stage.ts";

export interface InspectOptions {
  /** Takes finished text, line feeds included. */
  readonly write: (text: string) => void;
  /** Colours as a terminal shows them. */
  readonly color: boolean;
  /** All stages, also those of which Promtail shows nothing (json, drop, match …). */
  readonly everyStage?: boolean;
}

/** Stages whose changes Promtail shows: those that work on one entry after the other. */
const SHOWN_STAGES = new Set([
  ...["labelallow", "labeldrop", "labels", "logfmt", "output", "regex", "replace", "static_labels", "template", "tenant"],
  "timestamp",
]);

/** A pipeline that tells what its stages do. Entries go through it one by one, so that what is said of one stands together. */
export function compileInspected(stages: unknown, context: PipelineContext, options: InspectOptions, path: ConfigPath = []): Pipeline {
  const wrap = (stage: Stage, name: string): Stage =>
    options.everyStage || SHOWN_STAGES.has(name) ? inspected(stage, name, options) : stage;
  return new Pipeline(oneByOne(buildStages(stages, { ...context, wrap, takesApart: true }, path)), [], true);
}

function oneByOne(stages: Stage): Stage {
  return {
    ...stages,
    process(batch) {
      const all = batch.live.slice(0, batch.liveCount);
      const results: number[] = [];
      for (const i of all) {
        endExtracted(batch);
        startExtracted(batch);
        batch.setLive([i]);
        stages.process(batch);
        results.push(...batch.live.subarray(0, batch.liveCount));
      }
      batch.setLive(results);
    },
  };
}

function inspected(stage: Stage, name: string, options: InspectOptions): Stage {
  return {
    ...stage,
    process(batch) {
      const before = new Map([...batch.live.subarray(0, batch.liveCount)].map((i) => [i, snapshot(batch, i)]));
      stage.process(batch);
      for (const i of batch.live.subarray(0, batch.liveCount)) {
        const was = before.get(i);
        if (was === undefined) {
          if (options.everyStage) reportLetGo(name, batch, i, options);
          continue;
        }
        before.delete(i);
        report(name, differences(was, snapshot(batch, i)), options);
      }
      for (const _ of before) report(name, [{ path: "{stages.Entry}", was: "entry", is: undefined }], options);
    },
    ...(stage.flush !== undefined && {
      flush(nowMs: number, closing: boolean) {
        const batch = stage.flush!(nowMs, closing);
        if (batch !== undefined && options.everyStage) {
          for (const i of batch.live.subarray(0, batch.liveCount)) reportLetGo(name, batch, i, options);
        }
        return batch;
      },
    }),
  };
}

/** An entry that the stage has held. */
function reportLetGo(name: string, batch: EntryBatch, i: number, options: InspectOptions): void {
  report(name, [{ path: "{stages.Entry}", was: undefined, is: batch.line(i) }], options);
}

interface Snapshot {
  readonly extracted: ReadonlyMap<string, Value>;
  readonly labels: LabelSet;
  readonly time: string;
  readonly line: string;
  readonly metadata: readonly MetadataPair[];
}

function snapshot(batch: EntryBatch, i: number): Snapshot {
  const extracted = new Map<string, Value>();
  eachExtracted(batch, i, (name, value) => extracted.set(name, value));
  return {
    extracted,
    labels: batch.labels.get(i)!,
    time: printGoTime({ sec: batch.secondsOf(i), nanos: batch.nanos[i]!, zone: batch.zones?.get(i) ?? UTC }),
    line: batch.line(i),
    metadata: batch.metadata?.[i]?.slice() ?? [],
  };
}

/** One thing that changed: undefined where it was, or is, not there. */
interface Difference {
  readonly path: string;
  readonly was: string | undefined;
  readonly is: string | undefined;
}

/** In the order of the fields of Promtail's Entry. */
function differences(was: Snapshot, is: Snapshot): Difference[] {
  const found: Difference[] = [];
  const add = (path: string, a: string | undefined, b: string | undefined): void => {
    if (a !== b) found.push({ path: `{stages.Entry}.${path}`, was: a, is: b });
  };
  for (const name of [...new Set([...was.extracted.keys(), ...is.extracted.keys()])].sort()) {
    const a = was.extracted.get(name);
    const b = is.extracted.get(name);
    const assertion = a !== undefined && b !== undefined && goType(a) === goType(b) ? `.(${goType(a)})` : "";
    add(`Extracted[${JSON.stringify(name)}]${assertion}`, printValue(a), printValue(b));
  }
  add("Entry.Labels", was.labels.toString(), is.labels.toString());
  add("Entry.Entry.Timestamp", was.time, is.time);
  add("Entry.Entry.Line", was.line, is.line);
  for (let m = 0; m < Math.max(was.metadata.length, is.metadata.length); m++) {
    const at = m >= was.metadata.length ? `?->${m}` : m >= is.metadata.length ? `${m}->?` : String(m);
    add(`Entry.Entry.StructuredMetadata[${at}]`, printPair(was.metadata[m]), printPair(is.metadata[m]));
  }
  return found;
}

const printPair = (pair: MetadataPair | undefined): string | undefined => pair && `{Name:${pair[0]} Value:${pair[1]}}`;

function goType(value: Value): string {
  return typeof value === "number" ? "float64" : typeof value === "boolean" ? "bool" : typeof value;
}

/** As Go's %v. */
function printValue(value: Value | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value === null) return "<nil>";
  return typeof value === "number" ? formatFloat(value, "g", -1) : String(value);
}

const GREEN = 32;
const YELLOW = 33;
const RED = 31;
const GREY = 90;

function report(name: string, found: readonly Difference[], { write, color }: InspectOptions): void {
  const paint = (code: number, text: string): string => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
  const stage = color ? `\x1b[1m${name}\x1b[0m` : name;
  if (found.length === 0) {
    write(`[inspect: ${stage} stage]: ${paint(GREY, "none")}\n`);
    return;
  }
  let text = `[inspect: ${stage} stage]: \n`;
  for (const { path, was, is } of found) {
    text += `${paint(was === undefined ? GREEN : is === undefined ? RED : YELLOW, `${path}:`)}\n`;
    if (was !== undefined) text += `\t-: ${paint(RED, was)}\n`;
    if (is !== undefined) text += `\t+: ${paint(GREEN, is)}\n`;
  }
  write(text);
}
