// Runs test files, one after the other, to results that any format can print.

import { ConfigError } from "../../lib/runtime/config-file.ts";
import { compare, type Mismatch } from "./compare.ts";
import type { TestSuite } from "./load.ts";
import { type Drop, type Entry, runCase } from "./run-case.ts";
import type { TestCase } from "./schema.ts";

export interface CaseResult {
  readonly name: string;
  /** `file:line:column` */
  readonly place: string;
  readonly passed: boolean;
  readonly mismatches: readonly Mismatch[];
  readonly events: readonly (Entry | Drop)[];
  /** Why the case could not be run. */
  readonly error: string | undefined;
}

export interface SuiteResult {
  readonly file: string;
  readonly cases: readonly CaseResult[];
}

export interface RunSuiteOptions {
  /** Every case strictly, also those that do not say so. */
  readonly strict: boolean;
  readonly wanted: (name: string) => boolean;
}

export async function runSuite(suite: TestSuite, { strict, wanted }: RunSuiteOptions): Promise<SuiteResult> {
  const cases: CaseResult[] = [];
  for (const testCase of suite.test.cases) {
    if (wanted(testCase.name)) cases.push(await resultOf(suite, testCase, strict || (testCase.strict ?? suite.test.strict)));
  }
  return { file: suite.file, cases };
}

async function resultOf(suite: TestSuite, testCase: TestCase, strict: boolean): Promise<CaseResult> {
  const base = { name: testCase.name, place: suite.where(testCase) };
  try {
    const outcome = await runCase(suite, testCase);
    const mismatches = compare(testCase, outcome, strict);
    return { ...base, passed: mismatches.length === 0, mismatches, events: outcome.events, error: undefined };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ...base, passed: false, mismatches: [], events: [], error: error.message };
  }
}
