import { describe, expect, test } from "vitest";
import { LOG_BEGINNING, LogCursor, type LogPosition, parseMark, printMark, readPosition } from "../../../../agent/targets/docker/cursor.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

type Time = readonly [sec: number, nanos: number];

/** What a request from a position brings, and which of it is new. */
function read(log: readonly Time[], position: LogPosition, upTo = log.length): { fresh: Time[]; position: LogPosition } {
  const cursor = new LogCursor(position);
  cursor.restart();
  const seen = log.slice(0, upTo).filter(([sec]) => sec >= position.sinceSec);
  return { fresh: seen.filter(([sec, nanos]) => cursor.take(sec, nanos)), position: cursor.position };
}

describe("a position", () => {
  test("is printed and read again", () => {
    const position = { sinceSec: 1_700_000_000, newestSec: 1_700_000_001, newestNanos: 5, count: 17 };
    expect(printMark(position)).toBe("1700000000 1700000001.000000005 17");
    expect(parseMark(printMark(position))).toEqual(position);
  });

  const mark = "1700000000 1700000000.500000000 3";
  test.each<[string, string | undefined, string | undefined, LogPosition]>([
    ["nothing known", undefined, undefined, LOG_BEGINNING],
    ["ours", "1700000000", mark, parseMark(mark)!],
    ["Promtail's alone", "1700000000", undefined, { sinceSec: 1_700_000_000, newestSec: 1_700_000_000, newestNanos: 0, count: 0 }],
    ["Promtail has read on", "1700000009", mark, { sinceSec: 1_700_000_009, newestSec: 1_700_000_009, newestNanos: 0, count: 0 }],
    ["another job of the same container is behind", "1690000000", mark, parseMark(mark)!],
    ["no number", "x", mark, LOG_BEGINNING],
    ["the value was removed", undefined, mark, LOG_BEGINNING],
    ["ours is damaged", "1700000000", "1 2 3", { sinceSec: 1_700_000_000, newestSec: 1_700_000_000, newestNanos: 0, count: 0 }],
  ])("is taken up: %s", (_name, seconds, own, position) => expect(readPosition(seconds, own)).toEqual(position));
});

describe("after a restart", () => {
  test("entries of one nanosecond are told apart", () => {
    const log: Time[] = [[5, 200_000_000], [5, 200_000_000], [5, 200_000_000]]; // biome-ignore format: one line
    const first = read(log, LOG_BEGINNING, 2);
    expect(read(log, first.position).fresh).toEqual([log[2]]);
  });
  test("an entry a little older than the one before it is not lost at the turn of a second", () => {
    const log: Time[] = [[5, 900_000_000], [6, 1_000], [5, 999_999_000]]; // biome-ignore format: one line
    const first = read(log, LOG_BEGINNING, 2);
    expect(first.position.sinceSec).toBe(5);
    expect(read(log, first.position).fresh).toEqual([log[2]]);
  });
  test("what a rotation took away does not hide newer entries", () => {
    const first = read([[5, 1e8], [5, 2e8], [5, 3e8]], LOG_BEGINNING); // biome-ignore format: one line
    expect(read([[5, 3e8], [5, 4e8], [5, 5e8]], first.position).fresh).toEqual([[5, 4e8], [5, 5e8]]); // biome-ignore format: one line
  });
  test("a clock that was set back costs entries twice, and loses none", () => {
    const log: Time[] = [[5000, 5e8], [4000, 5e8], [4001, 5e8]]; // biome-ignore format: one line
    const first = read(log, LOG_BEGINNING, 2);
    expect(first.position.sinceSec).toBe(4000);
    expect(read(log, first.position).fresh).toContainEqual(log[2]);
  });

  test.each([1, 2, 3, 4, 5])("whatever the moment, each entry is new once (seed %i)", (seed) => {
    const random = seededRandom(seed);
    // Two outputs that race: times grow, each up to 50 ms older than the newest before it.
    let ms = 1_700_000_000_000;
    const log = Array.from({ length: 300 }, (): Time => {
      ms += random() < 0.3 ? 0 : Math.floor(random() * 120);
      const at = ms - Math.floor(random() * 50);
      return [Math.floor(at / 1000), (at % 1000) * 1e6];
    });
    let position = LOG_BEGINNING;
    const all: Time[] = [];
    for (let upTo = 1; upTo <= log.length; upTo += 1 + Math.floor(random() * 40)) {
      const next = read(log, position, upTo);
      all.push(...next.fresh);
      position = next.position;
    }
    all.push(...read(log, position).fresh);
    expect(all).toEqual(log);
  });
});
