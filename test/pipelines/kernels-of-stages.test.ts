// The small byte-level parts under the stages, against plain JavaScript, on seeded random input.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { InternTable } from "../../pipelines/intern-table.ts";
import { LineSearch } from "../../pipelines/line-search.ts";
import { LineMatcher, lineTest } from "../../pipelines/line-test.ts";
import { entriesOf, makeBatch, runStages } from "./run-stages.ts";

const SEED = Number(process.env.SEED ?? 20_240_601);

describe("LineSearch", () => {
  test(`as split, also for lines out of order, seed ${SEED}`, () => {
    const random = seededRandom(SEED);
    const search = new LineSearch(Buffer.from("aa"), 2);
    for (let round = 0; round < 500; round++) {
      const lines = Array.from({ length: 1 + Math.floor(random() * 12) }, () =>
        Array.from({ length: Math.floor(random() * 5) }, () => "aab"[Math.floor(random() * 3)]).join(""),
      );
      const batch = makeBatch(lines);
      for (let i = 0; i < lines.length; i++) if (random() < 0.2) batch.setLine(i, `${batch.line(i)}x`);
      batch.filterLive(() => random() < 0.8);
      const counts = search.count(batch);
      for (const i of batch.live.subarray(0, batch.liveCount))
        expect(counts[i], `${lines.join("|")} at ${i}`).toBe(Math.min(2, batch.line(i).split(/a(?=a)/).length - 1));
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

describe("LineMatcher", () => {
  const lines = [
    "a=1 b=2 c=3",
    "b=2 a=1",
    "a=1 b=2 b=3",
    "a=1 b=2\nb=3",
    "xb=2 a=1 b=é c=",
    "",
    "a=1",
    "c=3 b=",
    "naïve b=1 b=2 c=4",
    "b=b=b=",
  ];
  for (const pattern of [
    "(?P<x>.*)b=(?P<y>.*)",
    ".*b=(\\S+) (.*)c=",
    "a=(\\d).*b=(\\d)",
    "^(?P<all>.+) b=(?P<b>\\w*)",
    "(?s)(.*)b=(.)",
    "(.*)na\u00efve",
    "(\\w+)=(\\w+)",
    "(.*)[abc]=$",
    "zzz",
  ]) {
    test(`/${pattern}/ over bytes finds what it finds in text`, () => {
      const regex = compileRegex(pattern);
      const matcher = new LineMatcher(regex);
      const batch = makeBatch([]);
      for (const line of lines) batch.addText(line, 0, 0, LabelSet.EMPTY);
      matcher.start(batch);
      expect(lines.map((_, i) => matcher.exec(batch, i)?.slice())).toEqual(lines.map((line) => regex.exec(line)?.slice()));
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
