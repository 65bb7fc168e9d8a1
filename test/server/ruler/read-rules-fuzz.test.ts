import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { printRuleGroup } from "../../../server/ruler/print-rules.ts";
import { RuleError, readRuleGroup } from "../../../server/ruler/read-rules.ts";
import type { RuleGroup } from "../../../server/ruler/rules.ts";

const SEED = Number(process.env.SKALD_SEED ?? 20261126);
const ROUNDS = Number(process.env.SKALD_ROUNDS ?? 200);
const GROUP = `name: g
interval: 1m
limit: 3
rules:
  - alert: A
    expr: sum by (app) (rate({app="a"} |= "x" [5m])) > 0.5
    for: 10m
    labels: {severity: page, n: 1.10}
    annotations: {s: "{{ $labels.app }} {{ $value | humanize }}", t: 'yes'}
  - record: a:b
    expr: vector(1)
`;
const PIECES = [
  "{{",
  "}}",
  "\n",
  "  ",
  "- ",
  ": ",
  "'",
  '"',
  "&a ",
  "*a",
  "!!set ",
  "<<: ",
  "~",
  "é",
  "\u0000",
  "\t",
  "|",
  ">-",
  "[",
  "]",
  "{",
  "}",
  "#",
  "0x1",
  "1_0",
  "__proto__",
  "name",
  "$labels",
  "9".repeat(20),
  "\ud800",
];

/** The text with a few pieces put in, taken out or moved. */
function mutated(random: () => number): string {
  let text = GROUP;
  for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
    const at = Math.floor(random() * text.length);
    const end = at + Math.floor(random() * 12);
    const piece = random() < 0.3 ? text.slice(at, end) : PIECES[Math.floor(random() * PIECES.length)]!;
    text = text.slice(0, at) + piece + text.slice(random() < 0.5 ? at : end);
  }
  return text;
}

function readOrRefuse(text: string): RuleGroup | undefined {
  try {
    return readRuleGroup(text);
  } catch (error) {
    if (error instanceof RuleError) return undefined;
    throw new Error(`seed ${SEED}: ${JSON.stringify(text)}`, { cause: error });
  }
}

test(`damaged groups are refused with a sentence, or read back as they are printed (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const group = readOrRefuse(mutated(random));
    if (group === undefined) continue;
    accepted++;
    expect(readRuleGroup(printRuleGroup(group)), JSON.stringify(group)).toEqual(group);
  }
  expect(accepted).toBeGreaterThan(ROUNDS / 20);
  expect(accepted).toBeLessThan(ROUNDS);
});
