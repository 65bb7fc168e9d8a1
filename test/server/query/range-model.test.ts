// Range aggregations against a model that looks at every entry at every step: random entries, pages, ranges and steps.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { parseLabels } from "../../../lib/wire/parse-labels.ts";
import { quantile } from "../../../server/query/quantile.ts";
import { askData, SECOND } from "./ask.ts";
import { MemoryData } from "./memory-data.ts";

interface Sample {
  readonly ns: bigint;
  readonly value: number;
  readonly bytes: number;
}

const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
const MODEL: Readonly<Record<string, (window: readonly Sample[], seconds: number) => number>> = {
  'count_over_time({s=~".+"}[R])': (w) => w.length,
  'rate({s=~".+"}[R])': (w, seconds) => w.length / seconds,
  'bytes_over_time({s=~".+"}[R])': (w) => w.reduce((sum, { bytes }) => sum + bytes, 0),
  'sum_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => w.reduce((sum, { value }) => sum + value, 0),
  'avg_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => mean(w.map(({ value }) => value)),
  'min_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => Math.min(...w.map(({ value }) => value)),
  'max_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => Math.max(...w.map(({ value }) => value)),
  'stdvar_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => {
    const m = mean(w.map(({ value }) => value));
    return mean(w.map(({ value }) => (value - m) ** 2));
  },
  'first_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => w[0]!.value,
  'last_over_time({s=~".+"} | logfmt | unwrap v [R])': (w) => w.at(-1)!.value,
  'quantile_over_time(0.9, {s=~".+"} | logfmt | unwrap v [R])': (w) => quantile(Float64Array.from(w, ({ value }) => value).sort(), 0.9),
};

describe("range aggregations agree with a model", () => {
  for (const [query, model] of Object.entries(MODEL)) {
    test(query, async () => {
      for (let seed = 1; seed <= 12; seed++) await compare(query, model, seed);
    });
  }
});

async function compare(query: string, model: (window: readonly Sample[], seconds: number) => number, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const data = new MemoryData(1 + below(9));
  const streams = new Map<string, Sample[]>();
  for (const name of ["x", "y"].slice(0, 1 + below(2))) {
    // Distinct times, so that first and last are no matter of taste.
    const times = [...new Set(Array.from({ length: below(60) }, () => below(300) * 5 + 1))];
    const samples = times.map((tenth) => ({ ns: (BigInt(tenth) * SECOND) / 10n, value: below(100) - 20, bytes: 0 }));
    const lines = samples.map(({ ns, value }) => ({ ns, line: `v=${value}` }));
    data.add("t", parseLabels(`{s="${name}"}`), lines);
    streams.set(
      name,
      samples.map((sample, i) => ({ ...sample, bytes: lines[i]!.line.length })).sort((a, b) => Number(a.ns - b.ns)),
    );
  }
  const rangeS = [1, 3, 10, 60][below(4)]!;
  const step = [1, 2, 5, 30][below(4)]!;
  const offsetS = below(3) === 0 ? 7 : 0;
  const [from, to] = [below(40), 60 + below(120)];
  const text = query.replace("[R]", `[${rangeS}s]${offsetS > 0 ? ` offset ${offsetS}s` : ""}`);
  const got = await askData(data).over(text, from, to, step);
  expect(got.map(rounded), `seed ${seed}: ${text} ${from}..${to}/${step}`).toEqual(
    expectedOf(streams, model, { rangeS, offsetS, from, to, step }).map(rounded),
  );
}

function expectedOf(
  streams: Map<string, Sample[]>,
  model: (window: readonly Sample[], seconds: number) => number,
  at: { rangeS: number; offsetS: number; from: number; to: number; step: number },
): string[] {
  const rows: string[] = [];
  for (const [name, samples] of streams) {
    const points: string[] = [];
    for (let t = at.from; t <= at.to; t += at.step) {
      const end = BigInt(t - at.offsetS) * SECOND;
      const window = samples.filter(({ ns }) => ns > end - BigInt(at.rangeS) * SECOND && ns <= end);
      points.push(window.length === 0 ? "_" : String(model(window, at.rangeS)));
    }
    if (points.some((point) => point !== "_")) rows.push(`{s="${name}"} ${points.join(" ")}`);
  }
  return rows;
}

function rounded(row: string): string {
  return row
    .replace(/-?\d+\.\d+(e-?\d+)?/g, (number) =>
      Number(number)
        .toFixed(9)
        .replace(/\.?0+$/, ""),
    )
    .replace(/-0(?= |$)/g, "0");
}
