// Pages with field columns answer what the same pages answer without them, to the last bit, and read no line when they need none.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { decodePage, PageScratch } from "../../../server/block/page-decoder.ts";
import { encodePage } from "../../../server/block/page-encoder.ts";
import type { Page } from "../../../server/page.ts";
import { type Asked, ask, type Line, SECOND } from "./ask.ts";

const PAGE_ENTRIES = 300;
/** Fields may take little of what the lines take: lines have something to them. */
const filler = (random: Random): string => Array.from({ length: 12 }, () => Math.floor(random() * 2 ** 32).toString(36)).join("");

/** The page as a block gives it, with fields when its lines are worth it; or as it is read from memory, without. */
const stored = (page: Page): Page => encoded(page, true);
const unstored = (page: Page): Page => encoded(page, false);
const encoded = (page: Page, forStore: boolean): Page =>
  decodePage(encodePage({ ...page, entryCount: page.stats.entryCount }, forStore).bytes, new PageScratch(false));

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

const LEVELS = ['"info"', '"error"', '"warn"', '""', "null", "true"];
const NUMBERS = ["200", "404", "500", "-1", "2.5", "1e3", '"200"', '"7s"', '"n/a"', "null"];
const HOSTILE = ["{}", '{"k":"x"}', '{"":"x"}', "[1]", '"\\u0078"', '"a\\"b"', '"ü"', "tru", "01", '"open', "", `"${"x".repeat(70)}"`];
const ODD_KEYS = ["level ", " status", "LEVEL", "\\u006cevel", "level-x", "__error__", "level_extracted", "app", "status", "level"];
const ENDS = ["}}", "", "}x", ",}", " }", "]"];

function jsonLine(random: Random, hostile: number): string {
  const odd = (): boolean => random() < hostile;
  const value = (values: readonly string[]): string => (odd() ? pick(random, HOSTILE) : pick(random, values));
  const blank = (): string => (odd() ? " " : "");
  const members = [
    ["level", value(LEVELS)],
    ["status", value(NUMBERS)],
    ["svc", value(['"a"', '"b"', '"c"'])],
    ["took", String(Math.floor(random() * 1e6) / 7)],
    ["msg", `"${filler(random)}"`],
  ].filter(() => !odd());
  if (odd()) members.splice(Math.floor(random() * 5), 0, [pick(random, ODD_KEYS), value(LEVELS)]);
  const text = members.map(([key, text]) => `${blank()}"${key}"${blank()}:${blank()}${text}`).join(",");
  return odd() && odd() ? "no object" : `${blank()}{${text}${odd() ? pick(random, ENDS) : "}"}`;
}

function linesOf(random: Random, hostile: number, metadata: number): Line[] {
  return Array.from({ length: 500 }, (_, i): Line => {
    const second = 1 + Math.floor(i / 10);
    if (random() >= metadata) return [second, jsonLine(random, hostile)];
    return [second, jsonLine(random, hostile), { [pick(random, ["detected_level", "trace", "svc"])]: pick(random, ["x", "y"]) }];
  });
}

const COUNTS = [
  "sum by (level) (count_over_time(IN | json [R]))",
  "sum(count_over_time(IN | json | status >= 300 [R]))",
  'sum by (level) (rate(IN | json | __error__="" [R]))',
  "sum by (level, svc) (count_over_time(IN | json | drop __error__ [R]))",
  "sum by (app, level) (count_over_time(IN | json | status != 200 | drop __error__ [R]))",
  'sum by (app) (count_over_time(IN | json | __error__="" [R]))',
  'sum by (svc) (bytes_over_time(IN | json | level=~"in.*|" | status < 404 or level="error" | __error__="" [R]))',
  'sum by (svc) (count_over_time(IN |= "er" | json | level!="error" [R]))',
  'sum by (status) (count_over_time(IN | svc="a" | json | keep status [R]))',
  'topk(2, sum by (level, status) (count_over_time(IN | json | status > 1s | __error__="" [R])))',
];
const UNWRAPS = [
  'sum by (level) (sum_over_time(IN | json | unwrap status | __error__="" [R]))',
  'avg_over_time(IN | json | level!="" | unwrap status | __error__="" [R]) by (svc)',
  'quantile_over_time(0.5, IN | json | unwrap status | __error__="" [R]) by (level)',
  'first_over_time(IN | json | unwrap status | __error__="" [R]) by (svc)',
  'last_over_time(IN | json | unwrap status | __error__="" [R]) by (svc)',
  'max_over_time(IN | json | unwrap duration(status) | __error__="" [R]) by (level)',
  "sum by (level) (sum_over_time(IN | json | unwrap status | drop __error__ [R]))",
  "stddev_over_time(IN | json | unwrap took [R]) by (level)",
  "sum by (level) (sum_over_time(IN | json | unwrap status [R]))",
];

/** Range and, but for instant queries, step. */
const WINDOWS: readonly (readonly [range: string, stepS: number | undefined])[] = [
  ["60s", undefined],
  ["60s", undefined],
  ["10s", 7],
  ["3s", 5],
];

const common = { tenants: ["t"], limit: 100, direction: "forward" as const };

/** The answer with its statistics, or the error's text. */
async function outcome(asked: Asked, query: string, stepS: number | undefined): Promise<unknown> {
  try {
    const answer =
      stepS === undefined
        ? await asked.engine.instant({ ...common, query, timeNs: 60n * SECOND })
        : await asked.engine.range({
            ...common,
            query,
            startNs: 5n * SECOND,
            endNs: 55n * SECOND,
            stepNs: BigInt(stepS) * SECOND,
            intervalNs: 0n,
          });
    return { data: answer.data, stats: { ...answer.stats, execTime: 0 } };
  } catch (error) {
    return (error as Error).message;
  }
}

describe("random pages answer the same with and without field columns", () => {
  for (const [name, hostile, metadata] of [
    ["tidy lines", 0, 0],
    ["some odd lines", 0.02, 0],
    ["hostile lines", 0.15, 0],
    ["structured metadata", 0.03, 0.3],
  ] as const) {
    test(name, async () => {
      for (let seed = 1; seed <= 2; seed++) {
        const random = seededRandom(seed);
        let fielded = 0;
        const counted = (page: Page): Page => {
          const shaped = stored(page);
          if (shaped.fields !== undefined) fielded++;
          return shaped;
        };
        const streams = {
          '{app="a"}': linesOf(random, hostile, metadata),
          '{app="b", level="stream"}': linesOf(random, hostile, metadata),
          '{app="b", host="h"}': linesOf(random, hostile, metadata),
        };
        const [withFields, without] = [counted, unstored].map((shape) => ask(streams, { pageEntries: PAGE_ENTRIES, shape }));
        for (const query of [...COUNTS, ...UNWRAPS]) {
          const [range, stepS] = pick(random, WINDOWS);
          const text = query.replace("IN", pick(random, ['{app="a"}', '{app=~".+"}', '{host="h"}'])).replace("R", range);
          expect(await outcome(withFields!, text, stepS), `seed ${seed}: ${text}`).toEqual(await outcome(without!, text, stepS));
        }
        expect(fielded).toBeGreaterThan(hostile > 0.1 ? 0 : 4);
      }
    });
  }
});

describe("lines are not decoded", () => {
  const random = seededRandom(1);
  const LINES: Line[] = Array.from({ length: PAGE_ENTRIES }, (_, i) => [
    1 + i / 10,
    `{"level":"${i % 3 === 0 ? "error" : "info"}","status":${200 + 100 * (i % 4)},"msg":"${filler(random)}"}`,
  ]);
  /** How often the lines of the page were asked for while the query ran, and its answer. */
  async function reads(query: string, line: Line = LINES[0]!): Promise<[number, string[]]> {
    let count = 0;
    const spy = (page: Page): Page => {
      const inner = stored(page);
      return {
        stats: inner.stats,
        metadata: inner.metadata,
        fields: inner.fields,
        get sec() {
          return inner.sec;
        },
        get nanos() {
          return inner.nanos;
        },
        get bytes() {
          count++;
          return inner.bytes;
        },
        get ends() {
          count++;
          return inner.ends;
        },
      };
    };
    const asked = ask({ '{app="a"}': [line, ...LINES.slice(1)] }, { pageEntries: PAGE_ENTRIES, shape: spy });
    const answer = await asked.at(query, 60);
    return [count, answer];
  }

  const unread = (query: string, answer: readonly string[]) => test(query, async () => expect(await reads(query)).toEqual([0, answer]));
  unread('sum by (level) (count_over_time({app="a"} | json [60s]))', ['{level="error"} 100', '{level="info"} 200']);
  unread('sum(count_over_time({app="a"} | json | status >= 400 [60s]))', ["{} 150"]);
  unread('sum by (app) (count_over_time({app="a"} | json | __error__="" [60s]))', ['{app="a"} 300']);
  unread('sum by (level) (sum_over_time({app="a"} | json | unwrap status [60s]))', ['{level="error"} 35000', '{level="info"} 70000']);

  test("but for the lines that are unsure", async () => {
    const [count, answer] = await reads('sum by (level) (count_over_time({app="a"} | json [60s]))', [1, '{"level":"\\u0078"}']);
    expect(count).toBeGreaterThan(0);
    expect(answer).toEqual(['{level="error"} 99', '{level="info"} 200', '{level="x"} 1']);
  });
});
