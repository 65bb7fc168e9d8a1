// The kernel's way of reading a few keys of JSON lines answers what the tokenizer answers: asking for a label with an underscore as well
// sends the same query the tokenizer's way.

import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { ask, type Line } from "./ask.ts";

const VALUES = [
  '"x"',
  '"y"',
  '""',
  "1",
  "-2.5",
  "1e3",
  "true",
  "null",
  "{}",
  '{"k":"x"}',
  "[1]",
  '"\\u0078"',
  '"a\\"b"',
  '"ü"',
  "tru",
  "01",
  '"open',
  "",
];
const KEYS = ["k", "n", "other", "k ", " n", "K", "\\u006b", "k-k", "__error__"];
const CUTS = ["}", "}", "}", "}", "", "}x", ",}", " }", "}}", "]"];

const FILTERS = [
  "",
  '| k="x"',
  "| n > 0",
  '| k!="" | n >= 0',
  "| n != 1",
  "| n < 2 | k > 0",
  '| n > 0 or k="x"',
  '| k="x" | k > 0',
  "| n > -3 | n > 0",
  "| n > 1s",
];

function line(random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const blank = (): string => (random() < 0.1 ? " " : "");
  const members = Array.from(
    { length: Math.floor(random() * 4) },
    () => `${blank()}"${random() < 0.75 ? pick(["k", "n", "other"]) : pick(KEYS)}"${blank()}:${blank()}${pick(VALUES)}`,
  );
  return `${blank()}{${members.join(",")}${pick(CUTS)}`;
}

test("grouping by keys of random lines, by kernel and by tokenizer", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const lines: Line[] = Array.from({ length: 30 }, (_, i) => [i, line(random)]);
    // A label of the stream is what filters see, whatever a line says.
    const others: Line[] = Array.from({ length: 6 }, (_, i) => [i, line(random)]);
    const asked = ask({ '{app="a"}': lines, '{app="a", n="0.5"}': others }, { pageEntries: 10 });
    const outcome = (query: string) => asked.at(query, 60).catch((error: Error) => [error.message]);
    for (const filter of FILTERS) {
      const byKernel = await outcome(`sum by (k, n) (count_over_time({app="a"} | json ${filter} | drop __error__ [1m]))`);
      const byTokenizer = await outcome(
        `sum by (k, n) (count_over_time({app="a"} | json ${filter} | drop __error__ | no_such!="label" [1m]))`,
      );
      expect(byKernel, `seed ${seed}, filter "${filter}"\n${lines.map(([, text]) => text).join("\n")}`).toEqual(byTokenizer);
    }
  }
});
