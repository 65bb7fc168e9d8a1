// Binary operators between vectors and numbers: arithmetic, comparison, sets (reference §2.10). Labels decide once per query which
// series meet; at each step those that have a value then do.

import type { BinaryExpr, BinaryOp, VectorMatching } from "../../lib/logql/ast.ts";
import { foldBinary } from "../../lib/logql/fold.ts";
import { forEachInTurns, mapInTurns, NO_TURNS, type TakeTurn } from "../../lib/runtime/turns.ts";
import { queryErrors } from "./errors.ts";
import { newSeries, refuseTooManyValues, type Series } from "./range-aggregate.ts";
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
  takeTurn: TakeTurn = NO_TURNS,
): Promise<Series[]> {
  const compares = COMPARISONS.has(op);
  return mapInTurns(series, takeTurn, ({ labels, values, present }) => {
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

/** @throws QueryError when series meet that may not, or too many do */
export function vectorWithVector(
  expr: BinaryExpr,
  left: readonly Series[],
  right: readonly Series[],
  stepCount: number,
  takeTurn: TakeTurn = NO_TURNS,
): Promise<Series[]> {
  const matching = expr.matching ?? ONE_TO_ONE;
  switch (expr.op) {
    case "and":
    case "or":
    case "unless":
      return combineSets(expr.op, matching, left, right, stepCount, takeTurn);
    default:
      return new ValuePairs(expr.op, expr.returnBool, matching, stepCount).combine(left, right, takeTurn);
  }
}

/** What two series have to agree on to meet. */
function signatureOf({ on, labels: listed }: VectorMatching, { names, values }: ResultLabels): string {
  let key = "";
  for (let i = 0; i < names.length; i++)
    if (listed.includes(names[i]!) === on && values[i] !== "") key += `${names[i]}\u0000${values[i]}\u0000`;
  return key;
}

async function bySignature(matching: VectorMatching, series: readonly Series[], takeTurn: TakeTurn): Promise<Map<string, Series[]>> {
  const groups = new Map<string, Series[]>();
  await forEachInTurns(series, takeTurn, (one) => {
    const key = signatureOf(matching, one.labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  });
  return groups;
}

/** By signature, at which steps any of its series has a value: however many there are, each is looked at once. */
async function stepsBySignature(
  matching: VectorMatching,
  series: readonly Series[],
  stepCount: number,
  takeTurn: TakeTurn,
): Promise<Map<string, Uint8Array>> {
  const steps = new Map<string, Uint8Array>();
  await forEachInTurns(series, takeTurn, ({ labels, present }) => {
    const key = signatureOf(matching, labels);
    const known = steps.get(key);
    if (known === undefined) steps.set(key, present.slice());
    else for (let k = 0; k < stepCount; k++) if (present[k] === 1) known[k] = 1;
  });
  return steps;
}

async function combineSets(
  op: "and" | "or" | "unless",
  matching: VectorMatching,
  left: readonly Series[],
  right: readonly Series[],
  stepCount: number,
  takeTurn: TakeTurn,
): Promise<Series[]> {
  const [kept, others] = op === "or" ? [right, left] : [left, right];
  const steps = await stepsBySignature(matching, others, stepCount, takeTurn);
  const chosen = await mapInTurns(kept, takeTurn, (one) => {
    const taken = steps.get(signatureOf(matching, one.labels));
    return onlyWhere(one, stepCount, (k) => (taken?.[k] === 1) === (op === "and"));
  });
  return op === "or" ? joinEqual([...left, ...chosen], stepCount, takeTurn) : chosen;
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
async function joinEqual(series: readonly Series[], stepCount: number, takeTurn: TakeTurn): Promise<Series[]> {
  const byLabels = new Map<string, Series>();
  const apart: Series[] = [];
  await forEachInTurns(series, takeTurn, (one) => {
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
  });
  return [...byLabels.values(), ...apart];
}

/** Arithmetic and comparison between the series that meet. */
class ValuePairs {
  readonly #op: ValueOp;
  /** A comparison that keeps the left value where it holds. */
  readonly #filters: boolean;
  readonly #matching: VectorMatching;
  readonly #stepCount: number;
  readonly #results = new Map<string, { readonly out: Series; readonly taken: Uint8Array }>();
  /** Steps at which a signature has met already, when it may do so once. */
  readonly #met = new Map<string, Uint8Array>();

  constructor(op: ValueOp, returnBool: boolean, matching: VectorMatching, stepCount: number) {
    this.#op = op;
    this.#filters = COMPARISONS.has(op) && !returnBool;
    this.#matching = matching;
    this.#stepCount = stepCount;
  }

  async combine(left: readonly Series[], right: readonly Series[], takeTurn: TakeTurn): Promise<Series[]> {
    // With group_right the many are on the right: the sides change places, and each pair is turned back before it is computed.
    const swapped = this.#matching.group === "right";
    const many = swapped ? right : left;
    const ones = await bySignature(this.#matching, swapped ? left : right, takeTurn);
    await forEachInTurns(ones.values(), takeTurn, (group) => refuseSeveral(group, this.#stepCount, swapped ? "left" : "right"));
    for (const one of many) {
      const signature = signatureOf(this.#matching, one.labels);
      for (const other of ones.get(signature) ?? []) {
        this.#meet(signature, one, other, swapped);
        const turn = takeTurn();
        if (turn instanceof Promise) await turn;
      }
    }
    return [...this.#results.values()].map(({ out }) => out);
  }

  #meet(signature: string, one: Series, other: Series, swapped: boolean): void {
    const { group } = this.#matching;
    const { out, taken } = this.#resultOf(signature, one, other);
    const met = this.#metBy(signature);
    for (let k = 0; k < this.#stepCount; k++) {
      if (one.present[k] === 0 || other.present[k] === 0) continue;
      if (group === null && met[k] === 1) throw queryErrors.manyToOne();
      if (group !== null && taken[k] === 1) throw queryErrors.groupingNotUnique();
      met[k] = 1;
      taken[k] = 1;
      const a = swapped ? other.values[k]! : one.values[k]!;
      const b = swapped ? one.values[k]! : other.values[k]!;
      const value = foldBinary(this.#op, a, b);
      if (this.#filters && value === 0) continue;
      out.present[k] = 1;
      out.values[k] = this.#filters ? a : value;
    }
  }

  #resultOf(signature: string, one: Series, other: Series): { readonly out: Series; readonly taken: Uint8Array } {
    const labels = resultLabels(one.labels, other.labels, this.#matching);
    const key = `${signature}\u0001${labelsKey(labels)}`;
    let result = this.#results.get(key);
    if (result === undefined) {
      // Labels of the one side that are included can make more series than either side has.
      refuseTooManyValues(this.#results.size + 1, this.#stepCount);
      this.#results.set(key, (result = { out: newSeries(labels, this.#stepCount), taken: new Uint8Array(this.#stepCount) }));
    }
    return result;
  }

  #metBy(signature: string): Uint8Array {
    let met = this.#met.get(signature);
    if (met === undefined) this.#met.set(signature, (met = new Uint8Array(this.#stepCount)));
    return met;
  }
}

function refuseSeveral(group: readonly Series[], stepCount: number, side: "left" | "right"): void {
  if (group.length < 2) return;
  const taken = new Uint8Array(stepCount);
  for (const { present } of group) {
    for (let k = 0; k < stepCount; k++) {
      if (present[k] === 0) continue;
      if (taken[k] === 1) throw queryErrors.duplicateSide(side);
      taken[k] = 1;
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
