import { describe, expect, test } from "vitest";
import { shareByRange, shareInTurn } from "../../../../agent/targets/kafka/assignors.ts";

const both = new Map([
  ["m2", ["a", "b"]],
  ["m1", ["a", "b"]],
]);
const topics = new Map([
  ["a", [0, 1, 2]],
  ["b", [0]],
]);
const one = new Map([
  ["m1", ["a"]],
  ["m2", ["b"]],
]);

describe("shares", () => {
  test.each([
    ["by range", shareByRange, both, { m1: { a: [0, 1], b: [0] }, m2: { a: [2] } }],
    ["in turn", shareInTurn, both, { m1: { a: [0, 2] }, m2: { a: [1], b: [0] } }],
    ["by range, each his own topics", shareByRange, one, { m1: { a: [0, 1, 2] }, m2: { b: [0] } }],
    ["in turn, each his own topics", shareInTurn, one, { m1: { a: [0, 1, 2] }, m2: { b: [0] } }],
    ["by range, nobody", shareByRange, new Map(), {}],
    ["in turn, nobody", shareInTurn, new Map(), {}],
  ])("%s", (_, share, members, expected) => {
    expect(Object.fromEntries(share(members, topics))).toEqual(expected);
  });

  test.each([
    ["by range", shareByRange],
    ["in turn", shareInTurn],
  ])("%s give every partition to one member, whatever the numbers", (_, share) => {
    for (let members = 1; members <= 7; members++) {
      for (let partitions = 0; partitions <= 15; partitions++) {
        const names = Array.from({ length: members }, (__, i) => [`m${i}`, ["t"]] as const);
        const shares = share(new Map(names), new Map([["t", Array.from({ length: partitions }, (__, i) => i)]]));
        const given = [...shares.values()].flatMap((topicShares) => topicShares.t!);
        expect(given.sort((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (__, i) => i));
        const sizes = names.map(([name]) => shares.get(name)?.t?.length ?? 0);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  });
});
