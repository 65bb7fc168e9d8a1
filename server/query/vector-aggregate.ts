// Aggregations over the series of one step: sum avg min max count stddev stdvar, topk bottomk, sort (reference §2.9).

import type { Grouping, VectorAggregation, VectorFn } from "../../lib/logql/ast.ts";
import { forEachInTurns, NO_TURNS, sortInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import { newSeries, type Series } from "./range-aggregate.ts";
import { labelsKey, type ResultLabels } from "./series-table.ts";

/** Samples that are folded between two looks at the clock. */
const SAMPLES_PER_LOOK = 4096;

/** @param takeTurn called between steps and groups: a step of many series takes a millisecond, and there may be thousands of either */
export async function aggregateVectors(
  { fn, parameter, grouping }: VectorAggregation,
  series: readonly Series[],
  stepCount: number,
  takeTurn: TakeTurn = NO_TURNS,
): Promise<Series[]> {
  switch (fn) {
    case "sort":
    case "sort_desc":
      return sortByValue(series, fn === "sort_desc", takeTurn);
    case "topk":
    case "bottomk":
    case "approx_topk":
      return selectBest(fn, parameter ?? 1, grouping, series, stepCount, takeTurn);
    default:
      return fold(fn, grouping, series, stepCount, takeTurn);
  }
}

/** The labels that a group's members share. */
export function groupLabels({ names, values }: ResultLabels, grouping: Grouping | null): ResultLabels {
  const kept = { names: [] as string[], values: [] as string[] };
  if (grouping === null) return kept;
  names.forEach((name, i) => {
    if (grouping.labels.includes(name) === grouping.without) return;
    kept.names.push(name);
    kept.values.push(values[i]!);
  });
  return kept;
}

interface Group {
  readonly labels: ResultLabels;
  readonly members: Series[];
}

async function groupsOf(series: readonly Series[], grouping: Grouping | null, takeTurn: TakeTurn): Promise<Group[]> {
  const groups = new Map<string, Group>();
  await forEachInTurns(series, takeTurn, (one) => {
    const labels = groupLabels(one.labels, grouping);
    const key = labelsKey(labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, members: [one] });
    else group.members.push(one);
  });
  return [...groups.values()];
}

type Fold = Exclude<VectorFn, "sort" | "sort_desc" | "topk" | "bottomk" | "approx_topk">;

async function fold(
  fn: Fold,
  grouping: Grouping | null,
  series: readonly Series[],
  stepCount: number,
  takeTurn: TakeTurn,
): Promise<Series[]> {
  const folded: Series[] = [];
  let samples = 0;
  for (const { labels, members } of await groupsOf(series, grouping, takeTurn)) {
    const out = newSeries(labels, stepCount);
    for (let k = 0; k < stepCount; k++) {
      foldStep(fn, members, k, out);
      samples += members.length;
      if (samples < SAMPLES_PER_LOOK) continue;
      samples = 0;
      const turn = takeTurn();
      if (turn instanceof Promise) await turn;
    }
    folded.push(out);
  }
  return folded;
}

function foldStep(fn: Fold, members: readonly Series[], k: number, out: Series): void {
  let count = 0;
  let value = 0;
  let mean = 0;
  let squares = 0;
  for (const { values, present } of members) {
    if (present[k] === 0) continue;
    const sample = values[k]!;
    count++;
    if (fn === "sum") value += sample;
    else if (fn === "min") value = count === 1 || sample < value || Number.isNaN(value) ? sample : value;
    else if (fn === "max") value = count === 1 || sample > value || Number.isNaN(value) ? sample : value;
    else {
      const delta = sample - mean;
      mean += delta / count;
      // A single value deviates by nothing, be it infinite or no number.
      if (count > 1) squares += delta * (sample - mean);
    }
  }
  if (count === 0) return;
  out.present[k] = 1;
  out.values[k] =
    fn === "count" ? count : fn === "avg" ? mean : fn === "stdvar" ? squares / count : fn === "stddev" ? Math.sqrt(squares / count) : value;
}

/** topk and bottomk choose anew at each step and keep the series' own labels. The best come first. */
async function selectBest(
  fn: "topk" | "bottomk" | "approx_topk",
  k: number,
  grouping: Grouping | null,
  series: readonly Series[],
  stepCount: number,
  takeTurn: TakeTurn,
): Promise<Series[]> {
  const sign = fn === "bottomk" ? -1 : 1;
  const kept = new Map<Series, Series>();
  for (const { members } of await groupsOf(series, grouping, takeTurn)) {
    for (let step = 0; step < stepCount; step++) {
      const present = members.filter((one) => one.present[step] === 1);
      const sorted = await sortInTurns(present, takeTurn, (a, b) => byValue(b.values[step]!, a.values[step]!, sign));
      for (const one of sorted.slice(0, k)) {
        let out = kept.get(one);
        if (out === undefined) kept.set(one, (out = newSeries(one.labels, stepCount)));
        out.values[step] = one.values[step]!;
        out.present[step] = 1;
      }
      const turn = takeTurn();
      if (turn instanceof Promise) await turn;
    }
  }
  return stepCount === 1 ? sortByValue([...kept.values()], sign > 0, takeTurn) : [...kept.values()];
}

/** Order of an instant vector by its values; NaN comes last either way. */
function sortByValue(series: readonly Series[], descending: boolean, takeTurn: TakeTurn): Promise<Series[]> {
  return sortInTurns(series, takeTurn, (a, b) =>
    byValue(descending ? b.values[0]! : a.values[0]!, descending ? a.values[0]! : b.values[0]!, 1, descending),
  );
}

function byValue(a: number, b: number, sign: number, swapped = true): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return (Number(Number.isNaN(a)) - Number(Number.isNaN(b))) * (swapped ? -1 : 1);
  return (a - b) * sign || 0;
}
