// Which stream labels are worth offering to a person: those whose values are not all numbers or UUIDs (reference §1.10).

import { createTurns, forEachInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { parseGoFloat } from "./go-number.ts";

export interface DetectedLabel {
  readonly label: string;
  readonly cardinality: number;
}

/** Offered whatever their values are. */
const ALWAYS: ReadonlySet<string> = new Set(["cluster", "namespace", "instance", "pod"]);
/** The spellings that Go's uuid.Parse takes: plain, as URN, in braces, without hyphens. */
const UUID =
  /^(?:(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|[0-9a-f]{32})$/i;

export async function detectLabels(streams: Iterable<LabelSet>): Promise<DetectedLabel[]> {
  const takeTurn = createTurns();
  const valuesOf = new Map<string, Set<string>>();
  await forEachInTurns(streams, takeTurn, ({ names, values }) => {
    for (let i = 0; i < names.length; i++) {
      const known = valuesOf.get(names[i]!);
      if (known === undefined) valuesOf.set(names[i]!, new Set([values[i]!]));
      else known.add(values[i]!);
    }
  });
  const offered: DetectedLabel[] = [];
  for (const [label, values] of valuesOf) {
    if (ALWAYS.has(label) || !(await areIds(values, takeTurn))) offered.push({ label, cardinality: values.size });
  }
  return offered;
}

async function areIds(values: ReadonlySet<string>, takeTurn: TakeTurn): Promise<boolean> {
  for (const value of values) {
    if (!isId(value)) return false;
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
  return true;
}

function isId(value: string): boolean {
  if (UUID.test(value)) return true;
  try {
    parseGoFloat(value);
    return true;
  } catch {
    return false;
  }
}
