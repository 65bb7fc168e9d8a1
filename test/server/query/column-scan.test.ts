// Samples read from key columns are those that the ops make: with `decolorize`, which changes none of these lines, the same query goes through
// the ops. Lines are random, of values that some filter or conversion finds hard.

import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { ask, type Line } from "./ask.ts";

const VALUES = [
  "x",
  "y",
  "",
  "1",
  "2.5",
  "-3",
  "1e3",
  "12ms",
  "1.5s",
  "1h30m",
  "10kB",
  "1.5 MiB",
  "7MB",
  "10.0.0.7",
  "192.168.1.1",
  "ü",
  "a\\b",
];
const JSON_VALUES = [...VALUES.map((value) => JSON.stringify(value)), "1", "2.5", "-3", "null", "true", '{"deep":1}', '"\\u0078"'];
const LOGFMT_VALUES = [...VALUES.map((value) => (value.includes(" ") ? `"${value}"` : value)), '"a \\"b\\""', '"'];

const FILTERS = [
  "",
  '| k="x"',
  '| k!=""',
  '| k=~"x|1.*"',
  '| k!~""',
  '| k=~""',
  "| n > 1",
  "| n >= 10ms",
  "| n > 5kB",
  '| k=ip("10.0.0.0/8")',
  '| k!=ip("10.0.0.0/8")',
  '| n > 1 and k="x"',
  '| n > 1 or k="x"',
  '| k="x" or n < 1s',
  '| k!="y" | n != 1 | k!="z"',
  '| app="a"',
  '| __error__=""',
];
const GROUPS = ["k", "k, n", "app, k", "app", "absent", ""];
const UNWRAPS = [
  "unwrap n",
  "unwrap duration(n)",
  "unwrap bytes(n)",
  "unwrap n | n > 2",
  'unwrap n | k="x"',
  'unwrap duration(n) | __error__=""',
  'unwrap n | __error__="" | k!="y"',
];

for (const parser of ["json", "logfmt"] as const) {
  test(`random ${parser} lines`, async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = seededRandom(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
      const asked = askRandom(parser, pick, random);
      for (const filter of FILTERS) {
        const group = pick(GROUPS);
        const unwrap = pick(UNWRAPS);
        for (const fn of ["count_over_time", "bytes_over_time"])
          await compare(asked, `sum by (${group}) (${fn}({app=~"a|b"} | ${parser} ${filter} | drop __error__ $ops [1m]))`, seed);
        for (const fn of ["sum_over_time", "max_over_time", "last_over_time"])
          await compare(asked, `${fn}({app=~"a|b"} | ${parser} ${filter} | drop __error__ $ops | ${unwrap} [1m]) by (${group})`, seed);
      }
    }
  });
}

type Asked = ReturnType<typeof ask>;

async function compare(asked: Asked, query: string, seed: number): Promise<void> {
  const outcome = (text: string) => asked.at(text, 60).catch((error: Error) => [error.message]);
  const byColumns = await outcome(query.replace("$ops", ""));
  const byOps = await outcome(query.replace("$ops", "| decolorize"));
  expect(byColumns, `seed ${seed}: ${query}`).toEqual(byOps);
}

/** Two streams of 30 lines, one of them with labels that lines have as well; a third of the entries has structured metadata. */
function askRandom(parser: "json" | "logfmt", pick: <T>(list: readonly T[]) => T, random: () => number): Asked {
  const json = (): string =>
    `{${Array.from({ length: Math.floor(random() * 4) }, () => `"${pick(["k", "n", "app", "other"])}":${pick(JSON_VALUES)}`).join(",")}${pick(["}", "}", "}", ""])}`;
  const logfmt = (): string =>
    Array.from({ length: Math.floor(random() * 4) }, () => `${pick(["k", "n", "app", "other"])}=${pick(LOGFMT_VALUES)}`).join(" ");
  const lines = (): Line[] =>
    Array.from({ length: 30 }, (_, i) => {
      const text = parser === "json" ? json() : logfmt();
      if (i < 20) return [i, text] as Line;
      return [i, text, { detected_level: "info", ...(random() < 0.3 ? { k: "own" } : {}) }] as Line;
    });
  return ask({ '{app="a"}': lines(), '{app="b", k="x"}': lines() }, { pageEntries: 10 });
}
