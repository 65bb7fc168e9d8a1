// The kernel's way of reading a few keys of JSON and logfmt lines answers what the tokenizer answers: asking for a label with an underscore as well
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
    const level = (): Line[2] => ({ detected_level: random() < 0.5 ? "info" : "warn", ...(random() < 0.02 && { k: "own" }) });
    // Each page of ten: without structured metadata, with some that nobody asks for, or that is asked for.
    const lines: Line[] = Array.from({ length: 30 }, (_, i) => (i < 10 ? [i, line(random)] : [i, line(random), level()!]));
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

const LOGFMT_PAIRS = [
  "k=x",
  "k=y",
  "n=1",
  "n=-2.5",
  "n=1e3",
  "k",
  "k=",
  'k=""',
  "n=",
  'k="a b"',
  'k="a\\"b"',
  'k="a\\q"',
  "k=ü",
  "k=a\\b\u00fc",
  'k="ü"',
  "k=\ufffd",
  'other="x k=z"',
  'other="a\\"b"k=z',
  'other="a\\q"n=7',
  'other="a" k=w',
  "ü=1",
  "k-k=1",
  "K=2",
  "=k",
  "k==x",
  'k=x"y',
  'k"=x',
  "__error__=own",
  'k="open',
  "\u0001n=3",
  "n=4\tk=v",
];

test("grouping by keys of random logfmt lines, by kernel and by scanner", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const logfmtLine = (): string =>
      Array.from({ length: Math.floor(random() * 5) }, () => (random() < 0.6 ? pick(LOGFMT_PAIRS.slice(0, 5)) : pick(LOGFMT_PAIRS))).join(
        random() < 0.9 ? " " : pick(["", "  "]),
      );
    const lines: Line[] = Array.from(
      { length: 30 },
      (_, i) => [i, logfmtLine(), ...(random() < 0.1 ? [{ k: "own" }] : [])] as unknown as Line,
    );
    const others: Line[] = Array.from({ length: 6 }, (_, i) => [i, logfmtLine()]);
    const asked = ask({ '{app="a"}': lines, '{app="a", n="0.5"}': others }, { pageEntries: 10 });
    const outcome = (query: string) => asked.at(query, 60).catch((error: Error) => [error.message]);
    for (const filter of [...FILTERS, '| __error__=""', "|= `k`"]) {
      const byKernel = await outcome(`sum by (k, n) (count_over_time({app="a"} | logfmt ${filter} | drop __error__ [1m]))`);
      const byScanner = await outcome(
        `sum by (k, n) (count_over_time({app="a"} | logfmt ${filter} | drop __error__ | no_such!="label" [1m]))`,
      );
      expect(byKernel, `seed ${seed}, filter "${filter}"\n${lines.map(([, text]) => text).join("\n")}`).toEqual(byScanner);
    }
  }
});
