import { expect, test } from "vitest";
import type { Matcher } from "../../../lib/logql/ast.ts";
import { parseLabels } from "../../../lib/wire/parse-labels.ts";
import type { PageRef, StreamPages } from "../../../server/page.ts";
import {
  type AggregateBy,
  bucketsOf,
  groupingOf,
  oneBucket,
  type VolumeBuckets,
  VolumeSums,
  withTargets,
} from "../../../server/query/volume.ts";

const NS = 1_000_000_000n;
const equal = (name: string): Matcher => ({ name, op: "=", value: "x" });

/** A page of `bytes` between two seconds. */
function page(fromSec: number, toSec: number, bytes: number, kind: "memory" | "block" = "memory"): PageRef {
  const stats = { entryCount: 10, lineBytes: bytes, metadataBytes: 0, minSec: fromSec, minNanos: 0, maxSec: toSec, maxNanos: 0 };
  if (kind === "memory") return { stats, location: { kind, encoded: new Uint8Array(0) } };
  return {
    stats,
    location: { kind, key: "k", page: 0, offset: 0, bytes, filtersOffset: 0, filtersBytes: 0, filterOffset: 0, filterBytes: 0 },
  };
}

const stream = (labels: string, ...pages: PageRef[]): StreamPages => ({ labels: parseLabels(labels), pages });

interface Asked {
  readonly matchers?: readonly Matcher[];
  readonly targets?: readonly string[];
  readonly by?: AggregateBy;
  readonly buckets?: VolumeBuckets;
  readonly limit?: number;
}

/** `{"a":"x"} time=bytes …` of each series. */
async function volumes(
  streams: readonly StreamPages[],
  { matchers = [], targets = [], by = "series", buckets = oneBucket({ startNs: 0n, endNs: 100n * NS }), limit = 100 }: Asked = {},
): Promise<string[]> {
  const sums = new VolumeSums(groupingOf(matchers, targets, by), buckets);
  await sums.add(streams, 1000);
  return (await sums.finish(limit)).map(({ metric, samples }) =>
    [JSON.stringify(metric), ...samples.map(({ timeMs, bytes }) => `${timeMs}=${bytes}`)].join(" "),
  );
}

const TWO = [stream('{app="x", pod="1"}', page(0, 10, 100)), stream('{app="x", pod="2"}', page(0, 10, 200))];

test.each<[string, StreamPages[], Asked, string[]]>([
  [
    "an empty selector: every stream for itself, largest first",
    TWO,
    {},
    ['{"app":"x","pod":"2"} 100000=200', '{"app":"x","pod":"1"} 100000=100'],
  ],
  ["grouped by the names in the selector", TWO, { matchers: [equal("app")] }, ['{"app":"x"} 100000=300']],
  [
    "grouped by target labels only",
    TWO,
    { matchers: [equal("app")], targets: ["pod"] },
    ['{"pod":"2"} 100000=200', '{"pod":"1"} 100000=100'],
  ],
  [
    "a matched label that a stream lacks",
    [stream('{app="x"}', page(0, 1, 5))],
    { matchers: [equal("app"), { name: "env", op: "!=", value: "prod" }] },
    ['{"app":"x"} 100000=5'],
  ],
  ["by label names", TWO, { by: "labels" }, ['{"app":""} 100000=300', '{"pod":""} 100000=300']],
  ["by label names of the selector", TWO, { by: "labels", matchers: [equal("pod")] }, ['{"pod":""} 100000=300']],
  ["the largest", TWO, { limit: 1 }, ['{"app":"x","pod":"2"} 100000=200']],
  [
    "equal ones by name",
    [stream('{a="2"}', page(0, 1, 5)), stream('{a="1"}', page(0, 1, 5))],
    {},
    ['{"a":"1"} 100000=5', '{"a":"2"} 100000=5'],
  ],
  ["several pages add up", [stream('{a="1"}', page(0, 1, 5), page(2, 3, 6))], {}, ['{"a":"1"} 100000=11']],
  ["the part of a page in the range", [stream('{a="1"}', page(90, 110, 80))], {}, ['{"a":"1"} 100000=40']],
  ["a page of one moment at the end of the range", [stream('{a="1"}', page(100, 100, 7))], {}, ['{"a":"1"} 100000=7']],
  ["a page outside the range", [stream('{a="1"}', page(101, 110, 80))], {}, []],
  [
    "steps share a page",
    [stream('{a="1"}', page(0, 20, 80))],
    { buckets: bucketsOf({ startNs: 0n, endNs: 20n * NS }, 10n * NS) },
    ['{"a":"1"} 9999=40 20000=40'],
  ],
  [
    "steps begin at multiples of the step",
    [stream('{a="1"}', page(5, 25, 80))],
    { buckets: bucketsOf({ startNs: 5n * NS, endNs: 25n * NS }, 10n * NS) },
    ['{"a":"1"} 9999=20 19999=40 25000=20'],
  ],
  [
    "steps without anything have no sample",
    [stream('{a="1"}', page(0, 0, 8), page(20, 20, 9))],
    { buckets: bucketsOf({ startNs: 0n, endNs: 30n * NS }, 10n * NS) },
    ['{"a":"1"} 9999=8 30000=9'],
  ],
  [
    "the limit holds for each step",
    [stream('{a="1"}', page(1, 1, 8), page(11, 11, 1)), stream('{a="2"}', page(1, 1, 7), page(11, 11, 9))],
    { buckets: bucketsOf({ startNs: 0n, endNs: 20n * NS }, 10n * NS), limit: 1 },
    ['{"a":"2"} 20000=9', '{"a":"1"} 9999=8'],
  ],
])("%s", async (_, streams, asked, expected) => {
  expect(await volumes(streams, asked)).toEqual(expected);
});

test("target labels must be there, unless the selector speaks of them", () => {
  expect(withTargets([equal("app")], ["app", "pod"])).toEqual([equal("app"), { name: "pod", op: "=~", value: ".+" }]);
});

test("more series than allowed fail when they come from blocks", async () => {
  const sums = new VolumeSums(groupingOf([], [], "series"), oneBucket({ startNs: 0n, endNs: 100n * NS }));
  const streams = [1, 2, 3].map((i) => stream(`{a="${i}"}`, page(0, 1, 5, "block")));
  await expect(sums.add(streams, 2)).rejects.toThrow("the query hit the max number of series limit (limit: 2 series)");
});

test("more series than allowed pass when they are in memory", async () => {
  const sums = new VolumeSums(groupingOf([], [], "series"), oneBucket({ startNs: 0n, endNs: 100n * NS }));
  await sums.add(
    [1, 2, 3].map((i) => stream(`{a="${i}"}`, page(0, 1, 5))),
    2,
  );
  expect(await sums.finish(10)).toHaveLength(3);
});

test("steps times series are bounded", async () => {
  const sums = new VolumeSums(groupingOf([], [], "series"), bucketsOf({ startNs: 0n, endNs: 11_000n * NS }, NS));
  const streams = Array.from({ length: 1000 }, (_, i) => stream(`{a="${i}"}`, page(0, 1, 5)));
  await expect(sums.add(streams, 10_000)).rejects.toThrow(/use a longer step/);
});
