// Where batches begin and end must not matter: random lines through stages that keep state come out the same, whatever the batches.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { type Entry, runStages } from "./run-stages.ts";

const SEED = Number(process.env.SEED ?? 20_240_602);

const PIPELINES: Readonly<Record<string, string>> = {
  cri: "- cri: {max_partial_lines: 3}",
  "cri, multiline": "- cri:\n- multiline: {firstline: '^S', max_lines: 4}",
  "cri, multiline, json, labels":
    "- cri:\n- multiline: {firstline: '^S'}\n- regex: {expression: '(?P<k>[a-c])'}\n- labels: {k: }\n- replace: {expression: '(S)', replace: T}",
  "labels first, so that there are more streams":
    "- regex: {expression: ' (?P<k>[a-c])'}\n- labels: {k: }\n- cri: {max_partial_lines: 2}\n- multiline: {firstline: '^S'}\n- structured_metadata: {k: , flags: }",
  "inside a match":
    "- cri:\n- match:\n    selector: '{stream=\"stdout\"}'\n    stages: [{multiline: {firstline: '^S'}}, {regex: {expression: '(?P<last>\\w)$'}}]\n- labels: {last: }",
  "timestamps that fail": "- regex: {expression: '^(?P<t>\\S+)'}\n- timestamp: {source: t, format: RFC3339}\n- cri:",
};

function randomLines(random: () => number): string[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  return Array.from({ length: 60 }, (_, n) => {
    if (random() < 0.05) return pick(["", "no cri", "S"]);
    const time = random() < 0.1 ? "soon" : `2024-06-01T00:00:${String(n).padStart(2, "0")}Z`;
    return `${time} ${pick(["stdout", "stdout", "stderr"])} ${pick(["F", "F", "P"])} ${pick(["S a", "S", "b", " c", "", "é a"])}`;
  });
}

/** By stream, for the order between streams may differ. */
function byStream(entries: readonly Entry[]): string[] {
  const streams = new Map<string, string[]>();
  for (const { line, labels, sec, nanos, metadata } of entries) {
    const key = JSON.stringify(Object.entries(labels).sort());
    streams.set(key, [...(streams.get(key) ?? []), JSON.stringify([line, sec, nanos, metadata])]);
  }
  return [...streams].map(([key, list]) => `${key}: ${list.join(" ")}`).sort();
}

describe("batch boundaries", () => {
  for (const [name, stages] of Object.entries(PIPELINES)) {
    test(`${name}, seed ${SEED}`, () => {
      const random = seededRandom(SEED);
      for (let round = 0; round < 60; round++) {
        const lines = randomLines(random);
        const whole = byStream(runStages(stages, lines));
        for (const perBatch of [1, 2, 7])
          expect(byStream(runStages(stages, lines, { perBatch })), `${perBatch} a batch: ${JSON.stringify(lines)}`).toEqual(whole);
      }
    });
  }
});
