// What a case expected beside what happened. Only what is expected is looked at; strictly, all of it.

import { formatTime, type GoTime } from "../../lib/text/go-time.ts";
import { UTC } from "../../lib/text/time-zone.ts";
import { type Drop, type Entry, metricKey, type Outcome } from "./run-case.ts";
import type { ExpectedOutcome, TestCase } from "./schema.ts";

/** One value that is not as expected; undefined where there is none. */
export interface Difference {
  /** `line`, `labels.level`, `timestamp` … */
  readonly field: string;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

export type Mismatch =
  | { readonly kind: "different"; readonly number: number; readonly event: Entry | Drop; readonly differences: readonly Difference[] }
  | { readonly kind: "missing"; readonly number: number; readonly expected: ExpectedOutcome }
  | { readonly kind: "unexpected"; readonly event: Entry | Drop }
  | { readonly kind: "count"; readonly differences: readonly Difference[] };

/** Expectations times events that are compared each with each, for a diff that is easy to read. */
const ALIGNED_MAX = 1_000_000;

/** @returns nothing when all is as expected */
export function compare(testCase: TestCase, { events, metrics }: Outcome, strict: boolean): Mismatch[] {
  const { expect, dropped } = testCase;
  const mismatches: Mismatch[] = [];
  if (expect !== undefined) {
    const withDrops = expect.some((each) => each.dropped !== undefined) || (strict && dropped === undefined);
    const seen = withDrops ? events : events.filter(({ kind }) => kind === "entry");
    mismatches.push(...compareInOrder(expect, seen, strict));
  }
  const counts = [...dropDifferences(dropped, events), ...metricDifferences(testCase.metrics, metrics)];
  if (counts.length > 0) mismatches.push({ kind: "count", differences: counts });
  return mismatches;
}

/** What agrees is paired first, so that one entry too many does not make all those behind it differ. */
function compareInOrder(expected: readonly ExpectedOutcome[], events: readonly (Entry | Drop)[], strict: boolean): Mismatch[] {
  const mismatches: Mismatch[] = [];
  let e = 0;
  let a = 0;
  for (const [nextE, nextA] of [...agreeing(expected, events, strict), [expected.length, events.length] as const]) {
    for (; e < nextE && a < nextA; e++, a++) {
      const event = events[a]!;
      mismatches.push({ kind: "different", number: e + 1, event, differences: differencesOf(expected[e]!, event, strict) });
    }
    for (; e < nextE; e++) mismatches.push({ kind: "missing", number: e + 1, expected: expected[e]! });
    for (; a < nextA; a++) mismatches.push({ kind: "unexpected", event: events[a]! });
    e++;
    a++;
  }
  return mismatches;
}

/** Pairs of positions that agree: all up to the first difference, and behind it the longest common subsequence, unless there is too much. */
function agreeing(expected: readonly ExpectedOutcome[], events: readonly (Entry | Drop)[], strict: boolean): [number, number][] {
  const agrees = (e: number, a: number): boolean => differencesOf(expected[e]!, events[a]!, strict).length === 0;
  const pairs: [number, number][] = [];
  let same = 0;
  while (same < expected.length && same < events.length && agrees(same, same)) pairs.push([same, same++]);
  if ((expected.length - same) * (events.length - same) > ALIGNED_MAX) return pairs;
  const [rows, columns] = [expected.length - same, events.length - same];
  const verdicts = Array.from({ length: rows }, (_, e) => Array.from({ length: columns }, (_, a) => agrees(same + e, same + a)));
  const length = Array.from({ length: rows + 1 }, () => new Int32Array(columns + 1));
  for (let e = rows - 1; e >= 0; e--) {
    for (let a = columns - 1; a >= 0; a--) {
      length[e]![a] = verdicts[e]![a] ? length[e + 1]![a + 1]! + 1 : Math.max(length[e + 1]![a]!, length[e]![a + 1]!);
    }
  }
  for (let e = 0, a = 0; e < rows && a < columns; ) {
    if (verdicts[e]![a]) pairs.push([same + e++, same + a++]);
    else if (length[e + 1]![a]! >= length[e]![a + 1]!) e++;
    else a++;
  }
  return pairs;
}

function differencesOf(expected: ExpectedOutcome, event: Entry | Drop, strict: boolean): Difference[] {
  const found: Difference[] = [];
  const add = (field: string, wanted: string | undefined, is: string | undefined): void => {
    if (wanted !== is) found.push({ field, expected: wanted, actual: is });
  };
  const { dropped } = expected;
  if (event.kind === "drop") {
    if (dropped === undefined) add("entry", expected.line ?? "an entry", `dropped: ${event.reason}`);
    else if (dropped !== true) add("dropped", dropped, event.reason);
    return found;
  }
  if (dropped !== undefined) {
    add("dropped", dropped === true ? "true" : dropped, undefined);
    return found;
  }
  if (expected.line !== undefined || strict) add("line", expected.line, event.line);
  addMap("labels", expected.labels, withoutEmpty(event.labels), strict, add);
  if (expected.timestamp !== undefined || (strict && event.timed)) {
    add("timestamp", expected.timestamp && printTime(expected.timestamp), printTime(event));
  }
  addMap("structured_metadata", expected.structured_metadata, event.metadata, strict, add);
  if (expected.tenant !== undefined || strict) add("tenant", expected.tenant || undefined, event.tenant || undefined);
  return found;
}

/** An empty label is no label. */
const withoutEmpty = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));

function addMap(
  field: string,
  expected: Readonly<Record<string, string | null>> | undefined,
  actual: Readonly<Record<string, string>>,
  strict: boolean,
  add: (field: string, expected: string | undefined, actual: string | undefined) => void,
): void {
  const names = new Set([...Object.keys(expected ?? {}), ...(strict ? Object.keys(actual) : [])]);
  for (const name of [...names].sort()) {
    add(`${field}.${name}`, own(expected ?? {}, name) ?? undefined, own(actual, name));
  }
}

const own = <T>(map: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(map, name) ? map[name] : undefined);

function dropDifferences(expected: Readonly<Record<string, number>> | undefined, events: readonly (Entry | Drop)[]): Difference[] {
  if (expected === undefined) return [];
  const actual = new Map<string, number>();
  for (const event of events) if (event.kind === "drop") actual.set(event.reason, (actual.get(event.reason) ?? 0) + 1);
  return [...new Set([...Object.keys(expected), ...actual.keys()])]
    .map(
      (reason): Difference => ({
        field: `dropped.${reason}`,
        expected: String(own(expected, reason) ?? 0),
        actual: String(actual.get(reason) ?? 0),
      }),
    )
    .filter((each) => each.expected !== each.actual);
}

function metricDifferences(expected: Readonly<Record<string, number>> | undefined, actual: ReadonlyMap<string, number>): Difference[] {
  return Object.entries(expected ?? {})
    .map(
      ([name, wanted]): Difference => ({
        field: `metrics.${name}`,
        expected: String(wanted),
        actual: actual.get(metricKey(name))?.toString(),
      }),
    )
    .filter((each) => each.expected !== each.actual);
}

/** RFC 3339 in UTC, with as many digits as are needed. */
export function printTime({ sec, nanos }: Pick<GoTime, "sec" | "nanos">): string {
  return formatTime({ sec, nanos, zone: UTC }, "2006-01-02T15:04:05.999999999Z07:00");
}
