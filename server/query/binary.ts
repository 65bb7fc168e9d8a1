// Binary operators between vectors and numbers: arithmetic, comparison, sets (reference §2.10). Labels decide once per query which
// series meet; at each step those that have a value then do.

import type { BinaryExpr, BinaryOp, VectorMatching } from "../../lib/logql/ast.ts";
import { foldBinary } from "../../lib/logql/fold.ts";
import { queryErrors } from "./errors.ts";
import { newSeries, type Series } from "./range-aggregate.ts";
import { labelsKey, type ResultLabels, sortedLabels } from "./series-table.ts";

/** Operators that compute a value from two. */
export type ValueOp = Exclude<BinaryOp, "and" | "or" | "unless">;

const COMPARISONS: ReadonlySet<BinaryOp> = new Set(["==", "!=", ">", ">=", "<", "<="]);
const ONE_TO_ONE: VectorMatching = { on: false, labels: [], group: null, include: [] };

/** Each value with a number; a comparison drops what does not hold, unless `bool` asks for 1 and 0. */
export function vectorWithNumber(
  op: ValueOp,
  series: readonly Series[],
  number: number,
  numberIsLeft: boolean,
  returnBool: boolean,
): Series[] {
  const compares = COMPARISONS.has(op);
  return series.map(({ labels, values, present }) => {
    const out = newSeries(labels, values.length);
    for (let k = 0; k < values.length; k++) {
      if (present[k] === 0) continue;
      const value = values[k]!;
      const result = numberIsLeft ? foldBinary(op, number, value) : foldBinary(op, value, number);
      if (compares && !returnBool && result === 0) continue;
      out.present[k] = 1;
      out.values[k] = compares && !returnBool ? value : result;
    }
    return out;
  });
}

export function vectorWithVector(expr: BinaryExpr, left: readonly Series[], right: readonly Series[], stepCount: number): Series[] {
  const matching = expr.matching ?? ONE_TO_ONE;
  switch (expr.op) {
    case "and":
    case "or":
    case "unless":
      return combineSets(expr.op, matching, left, right, stepCount);
    default:
      return combineValues(expr.op, expr.returnBool, matching, left, right, stepCount);
  }
}

/** What two series have to agree on to meet. */
function signatureOf({ on, labels: listed }: VectorMatching, { names, values }: ResultLabels): string {
  let key = "";
  for (let i = 0; i < names.length; i++)
    if (listed.includes(names[i]!) === on && values[i] !== "") key += `${names[i]}\u0000${values[i]}\u0000`;
  return key;
}

function bySignature(matching: VectorMatching, series: readonly Series[]): Map<string, Series[]> {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const key = signatureOf(matching, one.labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

function combineSets(
  op: "and" | "or" | "unless",
  matching: VectorMatching,
  left: readonly Series[],
  right: readonly Series[],
  stepCount: number,
): Series[] {
  const rightBy = bySignature(matching, right);
  const kept = left.map((one) => {
    if (op === "or") return one;
    const others = rightBy.get(signatureOf(matching, one.labels)) ?? [];
    return onlyWhere(one, stepCount, (k) => others.some(({ present }) => present[k] === 1) === (op === "and"));
  });
  if (op !== "or") return kept;
  const leftBy = bySignature(matching, left);
  const added = right.map((one) => {
    const others = leftBy.get(signatureOf(matching, one.labels)) ?? [];
    return onlyWhere(one, stepCount, (k) => !others.some(({ present }) => present[k] === 1));
  });
  return joinEqual([...kept, ...added], stepCount);
}

function onlyWhere(one: Series, stepCount: number, holds: (k: number) => boolean): Series {
  const out = newSeries(one.labels, stepCount);
  for (let k = 0; k < stepCount; k++) {
    if (one.present[k] === 0 || !holds(k)) continue;
    out.present[k] = 1;
    out.values[k] = one.values[k]!;
  }
  return out;
}

/** A series that comes from the left at some steps and from the right at others is one series. */
function joinEqual(series: readonly Series[], stepCount: number): Series[] {
  const byLabels = new Map<string, Series>();
  const apart: Series[] = [];
  for (const one of series) {
    const key = labelsKey(one.labels);
    const known = byLabels.get(key);
    if (known === undefined) byLabels.set(key, one);
    else if (known.present.some((there, k) => there === 1 && one.present[k] === 1)) apart.push(one);
    else {
      const both = newSeries(one.labels, stepCount);
      for (const part of [known, one]) {
        for (let k = 0; k < stepCount; k++) {
          if (part.present[k] === 0) continue;
          both.present[k] = 1;
          both.values[k] = part.values[k]!;
        }
      }
      byLabels.set(key, both);
    }
  }
  return [...byLabels.values(), ...apart];
}

function combineValues(
  op: ValueOp,
  returnBool: boolean,
  matching: VectorMatching,
  left: readonly Series[],
  right: readonly Series[],
  stepCount: number,
): Series[] {
  // With group_right the many are on the right: the sides change places, and each pair is turned back before it is computed.
  const swapped = matching.group === "right";
  const many = swapped ? right : left;
  const ones = bySignature(matching, swapped ? left : right);
  refuseSeveral(ones, stepCount, swapped ? "left" : "right");
  const compares = COMPARISONS.has(op);
  const results = new Map<string, { out: Series; taken: Uint8Array }>();
  const oneToOneTaken = new Map<string, Uint8Array>();
  for (const one of many) {
    const signature = signatureOf(matching, one.labels);
    for (const other of ones.get(signature) ?? []) {
      const labels = resultLabels(one.labels, other.labels, matching);
      const key = `${signature}\u0001${labelsKey(labels)}`;
      let result = results.get(key);
      if (result === undefined) results.set(key, (result = { out: newSeries(labels, stepCount), taken: new Uint8Array(stepCount) }));
      let met = oneToOneTaken.get(signature);
      if (met === undefined) oneToOneTaken.set(signature, (met = new Uint8Array(stepCount)));
      for (let k = 0; k < stepCount; k++) {
        if (one.present[k] === 0 || other.present[k] === 0) continue;
        if (matching.group === null && met[k] === 1) throw queryErrors.manyToOne();
        if (matching.group !== null && result.taken[k] === 1) throw queryErrors.groupingNotUnique();
        met[k] = 1;
        result.taken[k] = 1;
        const a = swapped ? other.values[k]! : one.values[k]!;
        const b = swapped ? one.values[k]! : other.values[k]!;
        const value = foldBinary(op, a, b);
        if (compares && !returnBool && value === 0) continue;
        result.out.present[k] = 1;
        result.out.values[k] = compares && !returnBool ? a : value;
      }
    }
  }
  return [...results.values()].map(({ out }) => out);
}

function refuseSeveral(ones: ReadonlyMap<string, readonly Series[]>, stepCount: number, side: "left" | "right"): void {
  for (const group of ones.values()) {
    if (group.length < 2) continue;
    for (let k = 0; k < stepCount; k++) {
      if (group.filter(({ present }) => present[k] === 1).length > 1) throw queryErrors.duplicateSide(side);
    }
  }
}

function resultLabels(many: ResultLabels, one: ResultLabels, { on, labels, group, include }: VectorMatching): ResultLabels {
  const pairs = new Map<string, string>();
  many.names.forEach((name, i) => {
    if (group !== null || labels.includes(name) === on) pairs.set(name, many.values[i]!);
  });
  for (const name of include) {
    const at = one.names.indexOf(name);
    const value = at < 0 ? "" : one.values[at]!;
    if (value === "") pairs.delete(name);
    else pairs.set(name, value);
  }
  return sortedLabels([...pairs]);
}
