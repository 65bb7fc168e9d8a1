// Which stream labels are worth offering to a person: those whose values are not all numbers or UUIDs (reference §1.10).

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

export function detectLabels(streams: Iterable<LabelSet>): DetectedLabel[] {
  const valuesOf = new Map<string, Set<string>>();
  for (const { names, values } of streams) {
    for (let i = 0; i < names.length; i++) {
      const known = valuesOf.get(names[i]!);
      if (known === undefined) valuesOf.set(names[i]!, new Set([values[i]!]));
      else known.add(values[i]!);
    }
  }
  return [...valuesOf]
    .filter(([label, values]) => ALWAYS.has(label) || ![...values].every(isId))
    .map(([label, values]) => ({ label, cardinality: values.size }));
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
