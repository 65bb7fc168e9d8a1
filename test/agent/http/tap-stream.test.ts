import { describe, expect, test } from "vitest";
import { type JobTap, TapStream, type TapStreamOptions } from "../../../agent/http/tap-stream.ts";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { compileSelector } from "../../../pipelines/selector.ts";
import { TapPoint } from "../../../pipelines/tap.ts";
import { makeBatch } from "../../pipelines/run-stages.ts";

interface Watched {
  readonly stream: TapStream;
  readonly point: TapPoint;
  readonly events: () => [event: string, data: unknown][];
  readonly raw: () => string;
  readonly world: { nowMs: number; unsentBytes: number };
}

function watch(options: Partial<TapStreamOptions> = {}): Watched {
  let text = "";
  const world = { nowMs: 0, unsentBytes: 0 };
  const point = new TapPoint("0.json", "json");
  const stream = new TapStream({
    eventsPerSecond: 100,
    sample: 1,
    selector: undefined,
    write: (part) => {
      text += part;
    },
    unsentBytes: () => world.unsentBytes,
    nowMs: () => world.nowMs,
    random: seededRandom(1),
    ...options,
  });
  stream.watch([{ job: "j", point }]);
  const events = (): [string, unknown][] =>
    [...text.matchAll(/event: (\w+)\ndata: ([^\n]*)\n\n/g)].map((match) => [match[1]!, JSON.parse(match[2]!) as unknown]);
  return { stream, point, events, raw: () => text, world };
}

const show = ({ point }: Watched, lines: readonly (string | Uint8Array)[], labels = { a: "b" }): void =>
  point.show?.(makeBatch(lines, { labels, source: "/f" }), point);
const lines = (count: number): string[] => Array.from({ length: count }, (_, n) => `line ${n}`);
const countOf = ({ events }: Watched, wanted: string): number => events().filter(([event]) => event === wanted).length;

describe("entries", () => {
  test("with everything they carry", () => {
    const watched = watch();
    const batch = makeBatch(['x "\n\u2028é'], { labels: { a: "b" }, source: "/f" });
    batch.setTime(0, 1_717_236_000, 5_000_000);
    batch.addMetadata(0, "m", "1");
    batch.setExtracted("e", 0, 4.5);
    batch.setExtracted("nil", 0, null);
    watched.point.show!(batch, watched.point);
    expect(watched.events()).toEqual([
      ["taps", [{ job: "j", stage: "0.json" }]],
      [
        "entry",
        {
          job: "j",
          stage: "0.json",
          time: "2024-06-01T10:00:00.005Z",
          labels: { a: "b" },
          line: 'x "\n\u2028é',
          structured_metadata: { m: "1" },
          extracted: { e: 4.5, nil: null },
          source: "/f",
        },
      ],
    ]);
  });
  test("long lines are cut, and say by how much", () => {
    const watched = watch();
    show(watched, ["x".repeat(20_000)]);
    const [, entry] = watched.events()[1]! as [string, { line: string; cut_bytes: number }];
    expect([entry.line.length, entry.cut_bytes]).toEqual([16_384, 3_616]);
  });
  test("of a selector", () => {
    const watched = watch({ selector: compileSelector('{a="b"} |= "7"') });
    show(watched, lines(20));
    show(watched, lines(20), { a: "c" });
    expect(countOf(watched, "entry")).toBe(2);
  });
  test("a sample of them", () => {
    const watched = watch({ sample: 0.1, eventsPerSecond: 1_000 });
    show(watched, lines(1_000));
    expect(countOf(watched, "entry")).toBeGreaterThan(70);
    expect(countOf(watched, "entry")).toBeLessThan(130);
  });
});

describe("what is left out is told", () => {
  test("above the rate, second by second", () => {
    const watched = watch({ eventsPerSecond: 5 });
    show(watched, lines(12));
    watched.stream.tick();
    watched.world.nowMs = 1_000;
    show(watched, lines(6));
    watched.stream.tick();
    expect(countOf(watched, "entry")).toBe(10);
    expect(watched.events().filter(([event]) => event === "dropped")).toEqual([
      ["dropped", { rate: 7, slow: 0 }],
      ["dropped", { rate: 1, slow: 0 }],
    ]);
  });
  test("of a slow connection, which is sent nothing until it takes again", () => {
    const watched = watch();
    watched.world.unsentBytes = 2_000_000;
    const before = watched.raw();
    show(watched, lines(3));
    watched.stream.tick();
    watched.stream.tick();
    expect(watched.raw()).toBe(before);
    watched.world.unsentBytes = 0;
    watched.stream.tick();
    expect(watched.events().at(-1)).toEqual(["dropped", { rate: 0, slow: 3 }]);
  });
  test("a sign of life when there is nothing to tell", () => {
    const watched = watch();
    watched.stream.tick();
    expect(watched.raw().endsWith("\n\n:\n\n")).toBe(true);
  });
});

describe("taps", () => {
  test("change with a reload: the old one is let go, the new one told of", () => {
    const watched = watch();
    const next: JobTap = { job: "j", point: new TapPoint("1.json", "json") };
    watched.stream.watch([next]);
    expect([watched.point.show, typeof next.point.show]).toEqual([undefined, "function"]);
    expect(watched.events().at(-1)).toEqual(["taps", [{ job: "j", stage: "1.json" }]]);
  });
  test("that stay are not told of again", () => {
    const watched = watch();
    watched.stream.watch([{ job: "j", point: watched.point }]);
    show(watched, ["x"]);
    expect([countOf(watched, "taps"), countOf(watched, "entry")]).toEqual([1, 1]);
  });
  test("are let go at the end", () => {
    const watched = watch();
    watched.stream.end();
    expect(watched.point.show).toBeUndefined();
  });
});
