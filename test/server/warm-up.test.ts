import { describe, expect, test } from "vitest";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { LogView, Page, PageReader, PageRef } from "../../server/page.ts";
import { type InstantRequest, parseQuery, type QueryAnswer, type RangeRequest } from "../../server/query/engine.ts";
import { warmUp } from "../../server/warm-up.ts";

const MIB = 1024 * 1024;
const NOTHING: QueryAnswer = {
  data: { type: "vector", series: [], timeMs: 0 },
  stats: {} as QueryAnswer["stats"],
  execSeconds: 0,
  warnings: [],
};

interface Asked {
  readonly query: string;
  readonly tenant: string;
  readonly bytes: number;
  readonly startNs: bigint | undefined;
  readonly endNs: bigint;
}

/** A store of one block with one stream per line, and what is asked of it. */
function storeOf(lines: readonly string[], { lineBytes = 32 * MIB, fails = false, onQuery = (): void => {} } = {}) {
  const asked: Asked[] = [];
  const pages = lines.map((line, page) => ({ line, ref: pageRef(page, lineBytes) }));
  const view: LogView = {
    select: () => pages.map(({ line, ref }) => ({ labels: LabelSet.of([["line", line.slice(0, 5)]]), pages: [ref, ref, ref] })),
  };
  const reader: PageReader = {
    mayContain: () => true,
    tally: () => undefined,
    open: ({ location }) => pageOf(lines[location.kind === "block" ? location.page : -1]!),
  };
  const ask = async (
    over: LogView,
    { query, tenants }: InstantRequest | RangeRequest,
    endNs: bigint,
    startNs?: bigint,
  ): Promise<QueryAnswer> => {
    const bytes = (await over.select("", [], { startNs: 0n, endNs: 0n })).reduce(
      (sum, stream) => sum + stream.pages.reduce((of, { stats }) => of + stats.lineBytes, 0),
      0,
    );
    asked.push({ query, tenant: tenants.join(), bytes, startNs, endNs });
    onQuery();
    if (fails) throw new Error("refused");
    return NOTHING;
  };
  const engine = {
    over: (sample: LogView) => ({
      instant: (request: InstantRequest) => ask(sample, request, request.timeNs),
      range: (request: RangeRequest) => ask(sample, request, request.endNs, request.startNs),
    }),
  };
  const block = { key: "b", tenant: "t", minSec: 1_000, maxSec: 2_000, entryCount: 1, lineBytes, objectBytes: 1 };
  const older = { ...block, tenant: "old", maxSec: 1_500, lineBytes: 64 * MIB };
  return { asked, parts: { blocks: [older, block, older], view, openReader: () => reader, engine, signal: new AbortController().signal } };
}

function pageRef(page: number, lineBytes: number): PageRef {
  const stats = { entryCount: 1, lineBytes: lineBytes / 4, metadataBytes: 0, minSec: 1, minNanos: 0, maxSec: 2, maxNanos: 0 };
  const filters = { filtersOffset: 0, filtersBytes: 0, filterOffset: 0, filterBytes: 0 };
  return { stats, location: { kind: "block", key: "b", page, offset: 0, bytes: 1, ...filters } };
}

function pageOf(line: string): Page {
  const bytes = new TextEncoder().encode(`${line}\n`);
  return { bytes, ends: Int32Array.of(bytes.length - 1) } as Partial<Page> as Page;
}

const JSON_LINE = '{"ts":"2026-01-01T00:00:00Z","level":"info","trace_id":"1","status":200,"took":"3ms"}';
const LOGFMT_LINE = 'ts=2026-01-01T00:00:00Z level=info status=200 took=3.5ms msg="a b"';
const TEXT_LINE = '10.0.0.1 - - [01/Jan/2026] "GET /index.html HTTP/1.1" 200 12';

describe("the queries", () => {
  const cases: [name: string, line: string, want: string[]][] = [
    [
      "of JSON lines ask for their fields",
      JSON_LINE,
      [
        'sum by (level) (count_over_time({warm="up"} | json | status > 200 [1002s]))',
        'quantile_over_time(0.9, {warm="up"} | json | unwrap duration(took) | __error__="" [1002s]) by (level)',
      ],
    ],
    [
      "of logfmt lines too",
      LOGFMT_LINE,
      [
        'sum by (level) (count_over_time({warm="up"} | logfmt | status > 200 [1002s]))',
        'quantile_over_time(0.9, {warm="up"} | logfmt | unwrap duration(took) | __error__="" [1002s]) by (level)',
      ],
    ],
    [
      "of JSON that is none ask for what is likely",
      "{oops",
      [
        'sum by (level) (count_over_time({warm="up"} | json | status > 1 [1002s]))',
        'quantile_over_time(0.9, {warm="up"} | json | unwrap status | __error__="" [1002s]) by (level)',
      ],
    ],
    [
      "of other lines search, cut and read",
      TEXT_LINE,
      [
        'sum(count_over_time({warm="up"} |= "index" [1002s]))',
        'sum by (word) (count_over_time({warm="up"} | regexp `(?P<word>\\w+) \\S+` [1002s]))',
        '{warm="up"}',
      ],
    ],
  ];
  for (const [name, line, want] of cases) {
    test(name, async () => {
      const { asked, parts } = storeOf([line]);
      expect(await warmUp(parts)).toBe(2 * want.length);
      expect(asked.map(({ query }) => query)).toEqual([...want, ...want]);
      for (const { query } of asked) expect(() => parseQuery(query)).not.toThrow();
    });
  }
});

test("the newest block's tenant and times are asked, some megabytes of each kind of line", async () => {
  const { asked, parts } = storeOf([JSON_LINE, TEXT_LINE, LOGFMT_LINE, JSON_LINE]);
  expect(await warmUp(parts)).toBe(14);
  for (const { tenant, bytes, startNs, endNs } of asked) {
    expect([tenant, endNs]).toEqual(["t", 2_001_000_000_000n]);
    if (startNs !== undefined) expect(startNs).toBe(1_000_000_000_000n);
    expect(bytes).toBeGreaterThanOrEqual(10 * MIB);
    expect(bytes).toBeLessThan(20 * MIB);
  }
});

test("little data is not worth it, and none neither", async () => {
  expect(await warmUp(storeOf([JSON_LINE], { lineBytes: MIB }).parts)).toBe(0);
  expect(await warmUp({ ...storeOf([]).parts, blocks: [] })).toBe(0);
});

test("refusals and unreadable pages are no failure", async () => {
  const { parts } = storeOf([JSON_LINE], { fails: true });
  const unreadable: PageReader = { mayContain: () => true, tally: () => undefined, open: () => Promise.reject(new Error("gone")) };
  expect(await warmUp(parts)).toBe(4);
  expect(await warmUp({ ...parts, openReader: () => unreadable })).toBe(6);
});

test("it ends when told to", async () => {
  const stop = new AbortController();
  const { asked, parts } = storeOf([JSON_LINE, TEXT_LINE], { onQuery: () => stop.abort() });
  expect(await warmUp({ ...parts, signal: stop.signal })).toBe(1);
  expect(asked).toHaveLength(1);
});
