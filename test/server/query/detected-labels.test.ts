import { expect, test } from "vitest";
import { parseLabels } from "../../../lib/wire/parse-labels.ts";
import { detectLabels } from "../../../server/query/detected-labels.ts";

const detected = async (...streams: string[]): Promise<string> =>
  (await detectLabels(streams.map(parseLabels))).map(({ label, cardinality }) => `${label}:${cardinality}`).join(" ");

test.each([
  ["labels and their numbers of values", ['{app="a", env="x"}', '{app="b", env="x"}'], "app:2 env:1"],
  ["values that are all numbers are left out", ['{app="a", shard="1"}', '{app="a", shard="2.5"}'], "app:1"],
  ["one value that is no number is enough", ['{shard="1"}', '{shard="main"}'], "shard:2"],
  ["UUIDs are left out", ['{app="a", id="123e4567-e89b-12d3-a456-426614174000"}'], "app:1"],
  ["UUIDs without hyphens are left out", ['{app="a", id="123e4567e89b12d3a456426614174000"}'], "app:1"],
  [
    "UUIDs as URN and in braces are left out",
    ['{id="urn:uuid:123e4567-e89b-12d3-a456-426614174000"}', '{id="{123e4567-e89b-12d3-a456-426614174000}"}'],
    "",
  ],
  ["a pod stays whatever it is called", ['{pod="1"}'], "pod:1"],
  ["no streams, no labels", [], ""],
])("%s", async (_, streams, expected) => {
  expect(await detected(...streams)).toBe(expected);
});
