// The small byte-level parts under the stages, against plain JavaScript, on seeded random input.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import { InternTable } from "../../pipelines/intern-table.ts";
import { unescapeJson } from "../../pipelines/json-unescape.ts";
import { LineSearch } from "../../pipelines/line-search.ts";
import { lineTest } from "../../pipelines/line-test.ts";
import { entriesOf, makeBatch, runStages } from "./run-stages.ts";

const SEED = Number(process.env.SEED ?? 20_240_601);

describe("unescapeJson", () => {
  const unescaped = (escaped: string): string | undefined => {
    const bytes = Buffer.from(escaped);
    const out = new Uint8Array(bytes.length);
    const end = unescapeJson(bytes, 0, bytes.length, out, 0);
    return end < 0 ? undefined : Buffer.from(out.subarray(0, end)).toString();
  };
  for (const bad of ["\\", "\\x", "\\u12", "\\u12g4", "a\\"]) test(`${bad} is none`, () => expect(unescaped(bad)).toBeUndefined());
  test(`as JSON.parse, seed ${SEED}`, () => {
    const random = seededRandom(SEED);
    const parts = [
      "a",
      "é",
      "😀",
      "\\n",
      '\\"',
      "\\\\",
      "\\/",
      "\\b\\f\\r\\t",
      "\\u00e9",
      "\\u0041",
      "\\u0000",
      "\\ud83d\\ude00",
      "\\ud83d",
      "\\ude00",
      "\\u2028",
      "\\uFFFF",
    ];
    for (let round = 0; round < 2_000; round++) {
      const escaped = Array.from({ length: Math.floor(random() * 8) }, () => parts[Math.floor(random() * parts.length)]).join("");
      const wanted = (JSON.parse(`"${escaped}"`) as string).replace(/\p{Surrogate}/gu, "\ufffd");
      expect(unescaped(escaped), escaped).toBe(wanted);
    }
  });
});

describe("LineSearch", () => {
  test(`as includes, also for lines out of order, seed ${SEED}`, () => {
    const random = seededRandom(SEED);
    const needles = ["ab", "b", "aab"];
    const search = new LineSearch(needles.slice(0, 2).map((needle) => Buffer.from(needle)));
    for (let round = 0; round < 500; round++) {
      const lines = Array.from({ length: 1 + Math.floor(random() * 12) }, () =>
        Array.from({ length: Math.floor(random() * 5) }, () => "acb"[Math.floor(random() * 3)]).join(""),
      );
      const batch = makeBatch(lines);
      for (let i = 0; i < lines.length; i++) if (random() < 0.2) batch.setLine(i, `${batch.line(i)}x`);
      batch.filterLive(() => random() < 0.8);
      const marks = search.mark(batch);
      for (const i of batch.live.subarray(0, batch.liveCount))
        expect(marks[i], `${lines.join("|")} at ${i}`).toBe(/ab|b/.test(batch.line(i)) ? 1 : 0);
    }
  });
});

describe("lineTest", () => {
  const lines = ["GET /healthz", "get /HEALTHZ", "error: x", "", "naïve needle", "needle\u212a", "abc"];
  for (const pattern of [
    "healthz",
    "(?i)healthz",
    "^GET .*z$",
    "a|b",
    "(healthz|error)",
    "needle\\W",
    "",
    "^$",
    "x*",
    "na.ve",
    "(?i)needlek",
    "[abc]{3}",
  ]) {
    test(`/${pattern}/ over bytes is as over text`, () => {
      const regex = compileRegex(pattern);
      const line = lineTest(regex);
      const batch = makeBatch(lines);
      line.start?.(batch);
      expect(lines.map((_, i) => line.holds(batch, i))).toEqual(lines.map((text) => regex.test(text)));
    });
  }
});

describe("InternTable", () => {
  test(`gives the text of the bytes, whatever collides, seed ${SEED}`, () => {
    const random = seededRandom(SEED);
    const table = new InternTable();
    for (let round = 0; round < 20_000; round++) {
      const text = `é${Math.floor(random() * 5_000)}${"x".repeat(Math.floor(random() * 70))}`;
      const bytes = Buffer.from(`__${text}`);
      expect(table.text(bytes, 2, bytes.length)).toBe(text);
    }
  });
});

describe("stages over random JSON", () => {
  test(`values as JSON.parse gives them, in batches of any size, seed ${SEED}`, () => {
    const random = seededRandom(SEED);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const value = (depth: number): unknown => {
      if (depth < 2 && random() < 0.3)
        return Object.fromEntries(["a", "b", "c"].filter(() => random() < 0.6).map((key) => [key, value(depth + 1)]));
      return pick(["", "plain", "é😀", 'q"\\\n', 0, 12, -3.5, 1e21, true, false, null, [1, "x"]]);
    };
    const lines = Array.from({ length: 400 }, () => (random() < 0.1 ? pick(["", "text", "{", "[1]", "null"]) : JSON.stringify(value(0))));
    const stages = "- json: {expressions: {a: , ab: a.b, abc: a.b.c, b: }}\n- labels: {a: , ab: , abc: , b: }";
    const reference = "- json: {expressions: {a: 'a | @', ab: 'a.b | @', abc: 'a.b.c | @', b: 'b | @'}}\n- labels: {a: , ab: , abc: , b: }";
    const wanted = runStages(reference, lines).map(({ labels }) => labels);
    for (const perBatch of [1, 7, 400]) expect(runStages(stages, lines, { perBatch }).map(({ labels }) => labels)).toEqual(wanted);
    expect(entriesOf(makeBatch(lines)).length).toBe(400);
  });
});
