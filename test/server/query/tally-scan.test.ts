// Pages with tallies answer what the same pages answer without them, and are not read where the query's edges allow it.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { ask, type Line } from "./ask.ts";

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

/** Some times lie on whole seconds, some together, some far apart. */
function linesOf(random: Random, metadata: number): Line[] {
  let second = 1;
  return Array.from({ length: 400 }, (_, i): Line => {
    second += pick(random, [0, 0, 0.25, 0.3, 1, 1 - (second % 1), 7.5]);
    const level = { detected_level: pick(random, ["info", "warn", "error"]) };
    return random() < metadata ? [second, `line ${i}`, level] : [second, `line ${i}`];
  });
}

const QUERIES = [
  "sum(count_over_time(IN [R]))",
  "rate(IN [R])",
  "sum by (app) (rate(IN [R]))",
  "sum by (detected_level) (count_over_time(IN [R]))",
  "sum without (detected_level) (count_over_time(IN [R]))",
  "count_over_time(IN [R] offset 20s)",
  "absent_over_time(IN [R])",
  "sum by (app) (bytes_over_time(IN [R]))",
  'sum(count_over_time(IN | detected_level="info" [R]))',
];

describe("random pages answer the same with and without tallies", () => {
  for (const [name, metadata, tallyBytesMax] of [
    ["no metadata", 0, 1e6],
    ["levels", 1, 1e6],
    ["levels of some", 0.5, 1e6],
    ["coarse ticks", 0, 40],
  ] as const) {
    test(name, async () => {
      const random = seededRandom(9);
      const streams = {
        '{app="a"}': linesOf(random, metadata),
        '{app="b"}': linesOf(random, metadata),
        '{app="b", host="h"}': linesOf(random, metadata),
      };
      const [tallied, read] = [tallyBytesMax, 0].map((bytes) => ask(streams, { pageEntries: 50, tallyBytesMax: bytes }));
      for (const query of QUERIES) {
        for (const [from, to, step] of [
          [60, 400, 30],
          [61, 399, 13],
          [60.5, 200.5, 10],
          [100, 100, 1],
          [300, 900, 60],
          [60, 90, 0.25],
        ] as const) {
          const text = query
            .replace("IN", pick(random, ['{app="a"}', '{app=~".+"}', '{host="h"}']))
            .replace("R", pick(random, ["30s", "60s", "7s"]));
          expect(await tallied!.over(text, from, to, step), text).toEqual(await read!.over(text, from, to, step));
        }
      }
      expect(tallied!.data.opened).toBeLessThan(read!.data.opened);
    });
  }
});

describe("pages that are read", () => {
  const LINES: Line[] = Array.from({ length: 300 }, (_, i) => [i / 4, `line ${i}`, { detected_level: i % 2 === 0 ? "info" : "warn" }]);
  const opens = (query: string, want: number, [from, to, step]: readonly [number, number, number], answer: readonly string[]) =>
    test(`${query} from ${from} to ${to} by ${step}: ${want}`, async () => {
      const asked = ask({ '{app="a"}': LINES }, { pageEntries: 100, tallyBytesMax: 1e6 });
      expect(await asked.over(query, from, to, step)).toEqual(answer);
      expect(asked.data.opened).toBe(want);
    });
  opens(
    'sum by (detected_level) (count_over_time({app="a"}[10s]))',
    0,
    [20, 60, 20],
    ['{detected_level="info"} 20 20 20', '{detected_level="warn"} 20 20 20'],
  );
  opens(
    'count_over_time({app="a"}[75s])',
    0,
    [74, 74, 1],
    ['{app="a", detected_level="info"} 149', '{app="a", detected_level="warn"} 148'],
  );
  opens('sum(rate({app="a"}[10s]))', 1, [20.5, 20.5, 1], ["{} 4"]);
  opens('sum(count_over_time({app="a"} |= "1" [10s]))', 1, [20, 20, 1], ["{} 4"]);
  opens('sum(bytes_over_time({app="a"}[10s]))', 1, [20, 20, 1], ["{} 280"]);
});
