// The recorded answers of the real Promtail and Loki, asked of the built programs through the suites' own runners. What fails is listed
// in known-failures.json with the topic it belongs to: a case that fails and is not listed fails the test, and so does a listed one
// that passes (take it off the list). SKALD_CONFORMANCE_RECORD=1 writes the list anew.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { builtSkald } from "../e2e/processes.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const LIST = join(HERE, "known-failures.json");
const known = JSON.parse(readFileSync(LIST, "utf8")) as Record<"agent" | "server", string[]>;
const folder = mkdtempSync(join(tmpdir(), "skald-conformance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly output: string;
}

/** Runs one suite; ids are named as in its case files, those asked again after a flush have a suffix. */
function run(suite: "agent" | "server", args: readonly string[], read: (results: unknown) => { id: string; failed: boolean }[]): Outcome {
  const file = join(folder, `${suite}.json`);
  const done = spawnSync(process.execPath, [join(HERE, suite, "run.mjs"), ...args, "--json", file], { encoding: "utf8", maxBuffer: 1 << 27 });
  const results = read(JSON.parse(readFileSync(file, "utf8")));
  return {
    passed: results.filter(({ failed }) => !failed).map(({ id }) => id),
    failed: results.filter(({ failed }) => failed).map(({ id }) => id),
    output: done.stdout,
  };
}

/** Once more, for cases that look at the clock and were disturbed by a busy machine. */
function confirm(suite: "agent" | "server", outcome: Outcome, again: (filter: string) => Outcome): readonly string[] {
  const surprising = outcome.failed.filter((id) => !known[suite].includes(id));
  if (surprising.length === 0 || surprising.length > 40) return outcome.failed;
  const second = again(`(^|/)(${surprising.map((id) => id.replace(/ .*/, "").replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$`);
  return outcome.failed.filter((id) => known[suite].includes(id) || second.failed.includes(id));
}

function judge(suite: "agent" | "server", outcome: Outcome, failed: readonly string[]): void {
  if (process.env.SKALD_CONFORMANCE_RECORD !== undefined) {
    known[suite] = [...failed].sort();
    writeFileSync(LIST, `${JSON.stringify(known, null, 1)}\n`);
    return;
  }
  const details = outcome.output.split(/^(?=FAIL )/m).filter((part) => failed.some((id) => !known[suite].includes(id) && part.startsWith(`FAIL ${id}`)));
  expect(failed.filter((id) => !known[suite].includes(id)), details.join("").slice(0, 5000)).toEqual([]);
  expect(known[suite].filter((id) => outcome.passed.includes(id)), "listed in known-failures.json, but they pass").toEqual([]);
  expect(outcome.passed.length, "cases that pass").toBeGreaterThan(100);
}

describe("conformance", () => {
  test("the agent answers as Promtail 3.5.1", { timeout: 300_000 }, () => {
    const read = (results: unknown) => (results as { id: string; differences: unknown[] }[]).map(({ id, differences }) => ({ id, failed: differences.length > 0 }));
    const suite = (...more: string[]): Outcome => run("agent", ["--agent", `${process.execPath} ${builtSkald()} agent`, "--jobs", "4", ...more], read);
    const outcome = suite();
    judge("agent", outcome, confirm("agent", outcome, (filter) => suite("--filter", filter)));
  });

  test("the server answers as Loki 3.7.8, before and after a flush", { timeout: 300_000 }, () => {
    const read = (results: unknown) => (results as { id: string; outcome: string }[]).filter(({ outcome }) => outcome !== "skipped").map(({ id, outcome }) => ({ id, failed: outcome === "failed" }));
    const suite = (...more: string[]): Outcome => run("server", ["--server", `${process.execPath} ${builtSkald()} server`, "--after-flush", ...more], read);
    const outcome = suite();
    judge("server", outcome, confirm("server", outcome, (filter) => suite("--filter", filter)));
  });
});
