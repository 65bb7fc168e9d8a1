// Rubbish in: token soup, cut and mutated real queries. Out comes a tree that prints and reads back as itself, or a LogqlError.

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LogqlError, parseExpr, parseForFormat, parseSelector, prettyExpr, printExpr } from "../../../lib/logql/index.ts";

const SEED = Number(process.env.FUZZ_SEED ?? 20_260_301);
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 6_000);

/** mulberry32: small, seeded, good enough to pick tokens. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const CASES = new URL("../../conformance/server/cases/", import.meta.url);
const queries = readdirSync(CASES)
  .sort()
  .flatMap((file) => JSON.parse(readFileSync(new URL(file, CASES), "utf8")).cases as { request?: Record<string, unknown> }[])
  .flatMap(({ request }) => [request?.query, request?.query_range, request?.format_query])
  .filter((text) => typeof text === "string");

const WORDS = [
  ...[
    "{",
    "}",
    "(",
    ")",
    ",",
    "|",
    "=",
    "!=",
    "=~",
    "!~",
    "|=",
    "|~",
    "|>",
    "!>",
    "==",
    ">",
    ">=",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
  ],
  ...["json", "logfmt", "--strict", "--keep-empty", "regexp", "pattern", "unpack", "unwrap", "line_format", "label_format", "decolorize"],
  ...["drop", "keep", "by", "without", "bool", "offset", "on", "ignoring", "group_left", "group_right", "or", "and", "unless", "of", "ip"],
  ...["rate", "count_over_time", "sum_over_time", "quantile_over_time", "sum", "topk", "sort", "label_replace", "vector", "variants"],
  ...[
    "bytes",
    "duration",
    "app",
    "x",
    "ünï",
    '"a"',
    '"a.b[0]"',
    '"<x> <_>"',
    '"(?P<n>.)"',
    "`raw`",
    '"\\x00\\u00fc"',
    "5",
    "0.5",
    "1e3",
    "0x1F",
  ],
  ...[
    "5m",
    "1.5h",
    "-3s",
    "4KiB",
    "[5m]",
    "[1h30m]",
    "[x]",
    "# c\n",
    "/* c */",
    "'x'",
    '"',
    "`",
    "\\",
    "\0",
    "\u00a0",
    "😀",
    "@",
    "$",
    ";",
  ],
];

function mutated(text: string, random: (below: number) => number): string {
  const at = random(text.length + 1);
  const end = Math.min(text.length, at + random(8));
  switch (random(5)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, at) + WORDS[random(WORDS.length)] + text.slice(at);
    case 3:
      return text.slice(0, at) + text.slice(at, end).repeat(1 + random(4)) + text.slice(end);
    default:
      return text.slice(0, at) + queries[random(queries.length)]!.slice(random(40));
  }
}

/** Reads the text every way there is; says whether it was taken. Requests bring no half surrogate pairs, so there are none here. */
function survives(anyText: string): boolean {
  const text = Buffer.from(anyText).toString();
  for (const read of [parseExpr, parseSelector]) {
    try {
      read(text);
    } catch (error) {
      if (!(error instanceof LogqlError)) throw new Error(`seed ${SEED}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
  try {
    const tree = parseForFormat(text);
    const printed = printExpr(tree);
    expect(printExpr(parseForFormat(printed)), `seed ${SEED}: ${JSON.stringify(text)}`).toBe(printed);
    prettyExpr(tree);
    return true;
  } catch (error) {
    if (!(error instanceof LogqlError)) throw error;
    return false;
  }
}

test("token soup is refused in good order", () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const words = Array.from({ length: 1 + random(14) }, () => WORDS[random(WORDS.length)]);
    survives(words.join(random(2) === 0 ? " " : ""));
  }
});

test("mutated queries are taken or refused, and some are taken", () => {
  const random = randomFrom(SEED + 1);
  let taken = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let text = queries[random(queries.length)]!;
    for (let i = random(4); i >= 0; i--) text = mutated(text, random);
    if (survives(text)) taken++;
  }
  expect(taken).toBeGreaterThan(ROUNDS / 20);
});

test("every beginning of a real query is taken or refused", () => {
  const random = randomFrom(SEED + 2);
  for (let i = 0; i < 40; i++) {
    const text = queries[random(queries.length)]!;
    for (let end = 0; end <= text.length; end++) survives(text.slice(0, end));
  }
});

const REPEATED: readonly (readonly [name: string, head: string, part: string, tail: string])[] = [
  ["open parentheses", "", "(", ""],
  ["parenthesized literal", "", "(", "1"],
  ["sums in sums", "", "sum(", ""],
  ["open ranges", "rate(", "(", ""],
  ["powers", "1", "^vector(1)", ""],
  ["a chain of pluses", "vector(1)", "+vector(1)", ""],
  ["literals", "1", "+1", ""],
  ["label filters in parentheses", '{a="b"} | ', "(", ""],
  ["label filters side by side", '{a="b"} | x=1', " x=1", ""],
  ["label filters with or", '{a="b"} | x=1', " or x=1", ""],
  ["line filters", '{a="b"}', '|="x"', ""],
  ["line filter operands", '{a="b"}|="x"', 'or"x"', ""],
  ["matchers", '{a="b"', ',a="b"', "}"],
  ["numbers with points", "", "1.", ""],
  ["quotes", "", '"', ""],
  ["comments", "", "#\n", ""],
  ["backslashes", '{a="', "\\\\", '"}'],
  ["brackets", "", "[", ""],
];
for (const [name, head, part, tail] of REPEATED) {
  test(`128 KiB of ${name} end in a tree or in an error`, () => {
    const count = Math.floor((131_072 - head.length - tail.length) / part.length);
    survives(head + part.repeat(count) + tail);
  });
}
