import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { kernels } from "../../../lib/kernels/index.ts";
import type { LineFilter } from "../../../lib/logql/ast.ts";
import type { Page } from "../../../server/page.ts";
import { LineSelector } from "../../../server/query/line-selector.ts";
import { LineState } from "../../../server/query/line-state.ts";
import { compileLineFilter } from "../../../server/query/ops/line-filter.ts";

function pageOf(lines: readonly string[]): Page {
  const ends = new Int32Array(lines.length);
  let used = 0;
  lines.forEach((line, i) => {
    used += Buffer.byteLength(line);
    ends[i] = used++;
  });
  return { bytes: Buffer.from(`${lines.join("\n")}\n`), ends, stats: { entryCount: lines.length } } as unknown as Page;
}

const selectorOf = (...filters: readonly (readonly [LineFilter["op"], string])[]): LineSelector =>
  new LineSelector(
    filters.map(([op, text]) => compileLineFilter({ kind: "lineFilter", op, operands: [{ kind: "text", text }] }, kernels)),
    kernels,
    new LineState(),
  );

const SHORT = Array.from({ length: 100 }, (_, i) => `${i} a${i % 3 === 0 ? "b" : "c"}`);
const LONG = Array.from({ length: 10 }, (_, i) => `${"x".repeat(9000)} ${i % 2} y`);

describe("a page's lines are selected in turns with others", () => {
  for (const [name, lines, filters, turnsWanted] of [
    ["a regex that every line is tested with", SHORT, [["|~", "[bc]$"]], 12],
    ["a negative one, for the lines that its literal leaves", SHORT, [["!~", "ab[0-9]?$"]], 4],
    [
      "two of them, one after the other",
      SHORT,
      [
        ["|~", "a[bc]$"],
        ["|~", "^[0-4]\\d? a"],
      ],
      17,
    ],
    ["long lines, each by itself", LONG, [["|~", "x+ [01] y"]], 7],
    ["literals, which need none", SHORT, [["|=", "ab"]], 0],
    ["nothing to select by", SHORT, [], 0],
  ] as const) {
    test(name, async () => {
      const page = pageOf(lines);
      const alone = selectorOf(...filters);
      const count = alone.select(page, 3, lines.length);
      let turns = 0;
      const shared = selectorOf(...filters);
      const betweenLines = async (): Promise<void> => {
        turns++;
        await setImmediate();
      };
      expect(await shared.selectInTurns(page, 3, lines.length, { betweenLines })).toBe(count);
      expect(shared.hits.subarray(0, Math.max(0, count))).toEqual(alone.hits.subarray(0, Math.max(0, count)));
      expect(turns).toBe(turnsWanted);
    });
  }

  test("without waiting while nobody is due", () => {
    expect(selectorOf(["|~", "[bc]$"]).selectInTurns(pageOf(SHORT), 0, 100, { betweenLines: () => undefined })).toBe(100);
  });
  test("and end when the query is stopped", async () => {
    const stopped = selectorOf(["|~", "[bc]$"]).selectInTurns(pageOf(SHORT), 0, 100, {
      betweenLines: () => Promise.reject(new Error("stopped")),
    });
    await expect(stopped).rejects.toThrow("stopped");
  });
});
