// Lists of structured metadata. They are never changed, so that entries with the same metadata share one: most values repeat (a status, a
// level), and what is shared is made, kept and encoded once.

import type { MetadataPair } from "./entry-batch.ts";

const SLOTS = 1024;
/** Longer values are hardly ever the same twice, and are not kept. */
const VALUE_UNITS_MAX = 128;
/** The lists made last, and what each was made from: its last pair was put behind `befores` of its slot. */
const lists: (readonly MetadataPair[] | undefined)[] = new Array(SLOTS).fill(undefined);
const befores: (readonly MetadataPair[] | undefined)[] = new Array(SLOTS).fill(undefined);

/** The list with one pair more at its end; the same object for the same arguments, if they were met lately. */
export function withPair(before: readonly MetadataPair[] | undefined, name: string, value: string): readonly MetadataPair[] {
  if (value.length > VALUE_UNITS_MAX) return appended(before, name, value);
  const slot = slotOf(before, name, value);
  const known = lists[slot];
  if (known !== undefined && befores[slot] === before) {
    const last = known[known.length - 1]!;
    if (last[1] === value && last[0] === name) return known;
  }
  befores[slot] = before;
  return (lists[slot] = appended(before, name, value));
}

function appended(before: readonly MetadataPair[] | undefined, name: string, value: string): readonly MetadataPair[] {
  return before === undefined ? [[name, value]] : [...before, [name, value]];
}

function slotOf(before: readonly MetadataPair[] | undefined, name: string, value: string): number {
  const { length } = value;
  let hash = length + 31 * name.length + 7 * (before?.length ?? 0);
  if (length > 0) {
    hash = hash * 31 + value.charCodeAt(0);
    hash = hash * 31 + value.charCodeAt(length >> 1);
    hash = hash * 31 + value.charCodeAt(length - 1);
  }
  return hash & (SLOTS - 1);
}
