// Results for people: one line per file when all is well, and for each failed case what was expected (-) and what came (+).

import { stringify } from "yaml";
import { type Difference, type Mismatch, printTime } from "./compare.ts";
import type { Drop, Entry } from "./run-case.ts";
import type { CaseResult, SuiteResult } from "./run-suites.ts";
import type { ExpectedOutcome } from "./schema.ts";

const RED = 31;
const GREEN = 32;
const BOLD = 1;
/** Two texts that begin alike get a mark where they part, when they are long enough for it to help. */
const MARK_FROM = 12;

export type Paint = (code: number, text: string) => string;

export const painter =
  (color: boolean): Paint =>
  (code, text) =>
    color ? `\x1b[${code}m${text}\x1b[0m` : text;

export function printSuite({ file, cases }: SuiteResult, paint: Paint): string {
  const failed = cases.filter(({ passed }) => !passed);
  const count = `${cases.length} case${cases.length === 1 ? "" : "s"}`;
  if (failed.length === 0) return `${paint(GREEN, "ok")}    ${file} (${count})\n`;
  return `${failed.map((each) => printFailure(each, paint)).join("")}${paint(RED, "FAIL")}  ${file} (${failed.length} of ${count} failed)\n`;
}

function printFailure({ place, name, error, mismatches }: CaseResult, paint: Paint): string {
  const head = `${paint(RED, "FAIL")}  ${place}: ${paint(BOLD, name)}\n`;
  if (error !== undefined) return `${head}  ${error}\n`;
  return head + describeMismatches(mismatches, paint);
}

/** Also without colours, for the machine formats. */
export function describeMismatches(mismatches: readonly Mismatch[], paint: Paint = painter(false)): string {
  return mismatches.map((mismatch) => describeMismatch(mismatch, paint)).join("");
}

function describeMismatch(mismatch: Mismatch, paint: Paint): string {
  switch (mismatch.kind) {
    case "different":
      return `  expectation ${mismatch.number}, ${titleOf(mismatch.event)}:\n${describeDifferences(mismatch.differences, paint)}`;
    case "missing":
      return `  expectation ${mismatch.number} did not come:\n${signed("-", RED, yamlOfExpected(mismatch.expected), paint)}`;
    case "unexpected":
      return `  not expected:\n${signed("+", GREEN, yamlOf(mismatch.event), paint)}`;
    case "count":
      return describeDifferences(mismatch.differences, paint);
  }
}

const titleOf = (event: Entry | Drop): string => (event.kind === "drop" ? "a dropped line" : shortened(JSON.stringify(event.line)));

const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);

function describeDifferences(differences: readonly Difference[], paint: Paint): string {
  return differences
    .map(({ field, expected, actual }) => {
      const [wanted, is] = [valueText(expected), valueText(actual)];
      return `    ${field}:\n      ${paint(RED, `- ${wanted}`)}\n      ${paint(GREEN, `+ ${is}`)}\n${markOf(wanted, is)}`;
    })
    .join("");
}

/** As it is, unless that would not be seen. */
function valueText(value: string | undefined): string {
  if (value === undefined) return "(none)";
  return value === "" || value !== value.trim() || /[\0-\x1f\x7f\ufffd]/.test(value) || value === "(none)" ? JSON.stringify(value) : value;
}

function markOf(a: string, b: string): string {
  if (Math.max(a.length, b.length) < MARK_FROM) return "";
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  return same === 0 ? "" : `        ${" ".repeat(same)}^\n`;
}

function signed(sign: string, code: number, yaml: string, paint: Paint): string {
  return yaml
    .trimEnd()
    .split("\n")
    .map((line) => `      ${paint(code, `${sign} ${line}`)}\n`)
    .join("");
}

/** What came out, as it can be pasted under `expect`. */
export function printActual({ place, name, events }: CaseResult): string {
  const list =
    events.length === 0
      ? "[]\n"
      : `\n${yamlOf(...events)
          .replace(/^/gm, "  ")
          .trimEnd()}\n`;
  return `# ${place}: ${name}\nexpect: ${list}`.replace("expect: \n", "expect:\n");
}

function yamlOf(...events: readonly (Entry | Drop)[]): string {
  return toYaml(
    events.map((event) => {
      if (event.kind === "drop") return { dropped: event.reason };
      const { line, labels, metadata, tenant, timed } = event;
      return {
        line,
        labels,
        ...(timed ? { timestamp: printTime(event) } : {}),
        ...(Object.keys(metadata).length > 0 ? { structured_metadata: metadata } : {}),
        ...(tenant !== "" ? { tenant } : {}),
      };
    }),
  );
}

function yamlOfExpected({ timestamp, ...rest }: ExpectedOutcome): string {
  const given = Object.entries({ ...rest, ...(timestamp === undefined ? {} : { timestamp: printTime(timestamp) }) });
  return toYaml([Object.fromEntries(given.filter(([, value]) => value !== undefined))]);
}

const toYaml = (value: unknown): string => stringify(value, { version: "1.1", lineWidth: 0 });
