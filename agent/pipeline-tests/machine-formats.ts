// Results for machines: TAP version 14, and the JUnit XML that continuous integration reads.

import { wellFormed } from "../../lib/text/go-utf8.ts";
import { describeMismatches } from "./report.ts";
import type { CaseResult, SuiteResult } from "./run-suites.ts";

export function printTap(suites: readonly SuiteResult[]): string {
  const cases = suites.flatMap((suite) => suite.cases);
  const lines = cases.map((each, n) => {
    const title = `${n + 1} - ${each.place}: ${each.name}`.replace(/[\\#]/g, "\\$&").replace(/\s+/g, " ");
    return each.passed ? `ok ${title}\n` : `not ok ${title}\n  ---\n  message: |\n${detailOf(each).replace(/^(?=.)/gm, "    ")}  ...\n`;
  });
  return `TAP version 14\n1..${cases.length}\n${lines.join("")}`;
}

export function printJunit(suites: readonly SuiteResult[]): string {
  const all = suites.flatMap((suite) => suite.cases);
  const body = suites.map(
    ({ file, cases }) =>
      `  <testsuite name="${xml(file)}" ${countsOf(cases)}>\n${cases.map((each) => caseOf(each, file)).join("")}  </testsuite>\n`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="skald agent test" ${countsOf(all)}>\n${body.join("")}</testsuites>\n`;
}

const countsOf = (cases: readonly CaseResult[]): string =>
  `tests="${cases.length}" failures="${cases.filter(({ passed }) => !passed).length}"`;

function caseOf(result: CaseResult, file: string): string {
  const head = `    <testcase classname="${xml(file)}" name="${xml(result.name)}"`;
  if (result.passed) return `${head}/>\n`;
  return `${head}>\n      <failure message="${xml(result.place)}">${xml(detailOf(result))}</failure>\n    </testcase>\n`;
}

const detailOf = ({ error, mismatches }: CaseResult): string => (error === undefined ? describeMismatches(mismatches) : `${error}\n`);

/** Text for XML 1.0, which cannot carry most control characters at all. */
function xml(text: string): string {
  return wellFormed(text)
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
