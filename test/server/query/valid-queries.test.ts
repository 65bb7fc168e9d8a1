// Valid queries at random, over a real store: each prints as a text that reads back as itself; none fails but with an error of the table or
// takes a second of work; and what is answered from the head is answered from blocks, to the query as it is printed. SKALD_SEED repeats a run.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isLog, LogqlError, parseExpr, printExpr } from "../../../lib/logql/index.ts";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { QueryError } from "../../../server/query/errors.ts";
import type { Series } from "../../../server/query/range-aggregate.ts";
import { compareResultLabels, printResultLabels } from "../../../server/query/series-table.ts";
import { QueryMaker, VALID_LINES } from "../../lib/logql/valid-queries.ts";
import { type Compacted, NOW_SEC, openCompacted } from "../retention/compacted-storage.ts";

const SEED = Number(process.env.SKALD_SEED ?? 20_261_126);
const ROUNDS = Number(process.env.SKALD_ROUNDS ?? 150);
/** Processor time, which a busy machine does not lengthen. */
const QUERY_CPU_US_MAX = 1_000_000;
const SECOND_NS = 1_000_000_000n;
const ENTRIES = 390;

let folder: string;
let at: Compacted;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skald-valid-"));
  at = await openCompacted(folder);
  const random = seededRandom(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  // No two entries at one time: which of them is first would be left to chance.
  const entries = Array.from({ length: ENTRIES }, (_, i) => ({
    labels: pick([{ app: "one", env: "a" }, { app: "one", env: "b" }, { app: "two" }]) as Record<string, string>,
    sec: NOW_SEC - 900 + i * 2,
    nanos: Math.floor(random() * 1e9),
    line: pick(VALID_LINES),
    ...(random() < 0.4 ? { metadata: [["trace", `t${i % 3}`], ...(random() < 0.3 ? [["level", "meta"]] : [])] as [string, string][] } : {}),
  }));
  await at.push(entries);
});

afterAll(async () => {
  await at.close();
  await rm(folder, { recursive: true, force: true });
});

test(`valid queries read back as printed and are answered alike from head and blocks, seed ${SEED}`, async () => {
  const maker = new QueryMaker(seededRandom(SEED + 1));
  const asked: { query: string; printed: string; answer: Answer }[] = [];
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const query = maker.query();
    const printed = printExpr(parseExpr(query));
    expect(printExpr(parseExpr(printed)), `seed ${SEED}: ${query}`).toBe(printed);
    const answer = await answerOf(query);
    if (answer.texts.length > 0 && answer.texts[0] !== "error") answered++;
    asked.push({ query, printed, answer });
  }
  // Most must have something to say, or equal answers mean little.
  expect(answered).toBeGreaterThan(ROUNDS / 3);

  await at.storage.flush();
  for (const { query, printed, answer } of asked) {
    const stored = await answerOf(printed);
    expect(stored.texts, `seed ${SEED}: ${query}`).toEqual(answer.texts);
    // Fractions are added up in the order of pages.
    const far = stored.numbers.findIndex((value, i) => Math.abs(value - answer.numbers[i]!) > 1e-12 + Math.abs(value) * 1e-9);
    expect(far, `seed ${SEED}: ${query}: ${stored.numbers[far]}, not ${answer.numbers[far]}`).toBe(-1);
  }
}, 60_000);

interface Answer {
  /** Lines with their labels; series by their labels, with the steps at which they have a value. */
  readonly texts: readonly string[];
  /** The finite values, in the order of the texts. */
  readonly numbers: readonly number[];
}

async function answerOf(query: string): Promise<Answer> {
  const before = process.cpuUsage();
  try {
    const { data } = await at.engine.range({
      tenants: ["t"],
      query,
      limit: 1000,
      direction: "forward",
      startNs: BigInt(NOW_SEC - 600) * SECOND_NS,
      endNs: BigInt(NOW_SEC) * SECOND_NS,
      stepNs: 60n * SECOND_NS,
      intervalNs: 0n,
    });
    if (data.type === "matrix") return /^(top|bottom)k/.test(query) ? chosenOf(data.series) : seriesOf(data.series);
    if (data.type !== "streams") throw new Error(`${query} answers a ${data.type}`);
    return {
      texts: data.entries.map(({ sec, nanos, labels, line }) => `${sec}.${nanos} ${printResultLabels(labels.all)} ${line}`),
      numbers: [],
    };
  } catch (error) {
    if (!(error instanceof QueryError) && !(error instanceof LogqlError)) throw new Error(`seed ${SEED}: ${query}`, { cause: error });
    // Which of several failing series or legs is named is left to chance.
    return { texts: ["error"], numbers: [] };
  } finally {
    const { user, system } = process.cpuUsage(before);
    expect(user + system, `seed ${SEED}: ${query}`).toBeLessThan(QUERY_CPU_US_MAX);
  }
}

function seriesOf(series: readonly Series[]): Answer {
  const texts: string[] = [];
  const numbers: number[] = [];
  for (const { labels, values, present } of [...series].sort((a, b) => compareResultLabels(a.labels, b.labels))) {
    texts.push(`${printResultLabels(labels)} ${Array.from(present, (there, k) => (there === 0 ? "_" : kindOf(values[k]!))).join("")}`);
    numbers.push(...values.filter((value, k) => present[k] === 1 && Number.isFinite(value)));
  }
  return { texts, numbers };
}

const kindOf = (value: number): string => (Number.isFinite(value) ? "n" : `(${value})`);

/** Of series with equal values topk may take any: what counts is the values at each step. */
function chosenOf(series: readonly Series[]): Answer {
  const stepCount = series[0]?.values.length ?? 0;
  const steps = Array.from({ length: stepCount }, (_, k) =>
    series.flatMap(({ values, present }) => (present[k] === 1 ? [values[k]!] : [])),
  );
  for (const values of steps) values.sort((a, b) => a - b);
  return { texts: steps.map((values) => values.map(kindOf).join("")), numbers: steps.flat().filter(Number.isFinite) };
}

test("both kinds of queries are made", () => {
  const maker = new QueryMaker(seededRandom(SEED));
  const kinds = new Set(Array.from({ length: 50 }, () => isLog(parseExpr(maker.query()))));
  expect(kinds.size).toBe(2);
});
