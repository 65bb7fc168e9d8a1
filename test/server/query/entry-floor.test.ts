// Log queries without a filter answer the same with and without tallies, and open no page that the answer has nothing of.

import { expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import { ask, type Line } from "./ask.ts";

/** Some times lie on whole seconds, some together, some far apart; some entries come twice. */
function linesOf(random: () => number): Line[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let second = 1;
  return Array.from({ length: 300 }, (_, i): Line => {
    second += pick([0, 0, 0.25, 0.3, 1, 1 - (second % 1), 7.5]);
    return [second, `line ${random() < 0.1 ? "again" : i}`];
  });
}

for (const tallyBytesMax of [1e6, 40]) {
  test(`random pages, tallies of at most ${tallyBytesMax} bytes`, async () => {
    const random = seededRandom(4);
    const streams = { '{app="a"}': linesOf(random), '{app="b"}': linesOf(random), '{app="b", host="h"}': linesOf(random) };
    const [tallied, read] = [tallyBytesMax, 0].map((bytes) => ask(streams, { pageEntries: 30, tallyBytesMax: bytes }));
    for (const query of ['{app="a"}', '{app=~".+"}', '{host="h"}']) {
      for (const direction of ["forward", "backward"] as const) {
        for (const limit of [1, 10, 100, 350, 5000]) {
          for (const [from, to] of [
            [0, 1000],
            [50, 300],
            [50.5, 300.25],
            [100, 101],
          ]) {
            const options = { from: from!, to: to!, limit, direction };
            expect(await tallied!.lines(query, options), JSON.stringify({ query, ...options })).toEqual(await read!.lines(query, options));
          }
        }
      }
    }
    expect(tallied!.data.opened).toBeLessThan(read!.data.opened);
  });
}

const EVENLY = (from: number, line: string): Line[] => Array.from({ length: 100 }, (_, i) => [from + i, `${line} ${i}`]);

test("a page is opened only for what it adds", async () => {
  const asked = ask(
    { '{app="new"}': EVENLY(200, "new"), '{app="old"}': EVENLY(190, "old"), '{app="oldest"}': EVENLY(0, "oldest") },
    { pageEntries: 25, tallyBytesMax: 1e6 },
  );
  expect(await asked.lines('{app=~".+"}', { limit: 30, direction: "backward" })).toHaveLength(30);
  // All from second 280 on: of the last page of "new" and of the last of "old".
  expect(asked.data.opened).toBe(2);
});

test("what is stored twice counts once", async () => {
  const line: Line = [10, "again"];
  const asked = ask({ '{app="a"}': [[1, "one"], [2, "two"], line, line, line, line] }, { pageEntries: 2, tallyBytesMax: 1e6 });
  expect(await asked.lines('{app="a"}', { limit: 3, direction: "backward" })).toEqual(["again", "two", "one"]);
});
