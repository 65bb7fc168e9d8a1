import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadSuite } from "../../agent/pipeline-tests/load.ts";
import { describeMismatches } from "../../agent/pipeline-tests/report.ts";
import { runSuite } from "../../agent/pipeline-tests/run-suites.ts";
import { presetNames, presetStages, readPreset } from "../../pipelines/presets.ts";
import { faultsOf, labelsOut, linesOut } from "./run-stages.ts";

const FOLDER = fileURLToPath(new URL("presets/", import.meta.url));
const every = { strict: false, wanted: () => true };

for (const name of presetNames()) {
  describe(`preset ${name}`, async () => {
    const { cases } = await runSuite(await loadSuite(`${FOLDER}${name}.test.yaml`, { expandEnv: false, env: {} }), every);
    for (const each of cases) test(each.name, () => expect(each.error ?? describeMismatches(each.mismatches)).toBe(""));
    test("says in its first line what it is for", () => expect(readPreset(name).summary).not.toBe(""));
    test("has no faults, and nothing to be warned of", () => expect(faultsOf(`- preset: ${name}`)).toBe(""));
  });
}

test("each preset has tests, and each file of tests a preset", () =>
  expect(readdirSync(FOLDER).sort()).toEqual(presetNames().map((name) => `${name}.test.yaml`)));

describe("the stage preset", () => {
  const KLOG = "I0601 12:00:00.000000 1 a.go:1] x";
  test("stands among others", () =>
    expect(labelsOut("- preset: klog\n- labels: {also: severity}", KLOG)).toEqual({ level: "info", also: "I" }));
  test("stands in a match", () =>
    expect(labelsOut("- match: {selector: '{a=\"b\"}', stages: [{preset: klog}]}", KLOG, { labels: { a: "b" } })).toEqual({
      a: "b",
      level: "info",
    }));
  test("lets go what its stages hold", () =>
    expect(linesOut("- preset: java", ["11:00:00.1 a", " b", " c"])).toEqual(["11:00:00.1 a\n b\n c"]));
  test("unknown names are refused with the known ones", () =>
    expect(faultsOf("- preset: ngnix")).toMatch(
      /^error 0\.preset preset stage: unknown preset "ngnix"; did you mean "nginx"\? \(there are apache, .*syslog\)$/,
    ));
  test("a path is no name", () => expect(faultsOf("- preset: ../presets/nginx")).toMatch(/unknown preset/));
  test("no name", () => expect(faultsOf("- preset:")).toMatch(/^error 0\.preset preset stage: expected text, got nothing/));
  test("a preset is a list of stages", () => expect(presetStages("klog")).toContainEqual({ labels: { level: null } }));
});
