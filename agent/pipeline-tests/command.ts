// `skald agent test [FILE…]`: runs files of pipeline tests.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../lib/runtime/config-file.ts";
import { FlagError, type FlagSpec, parseFlagsAnywhere, usageOf } from "../../lib/runtime/flags.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { loadSuite, type TestSuite } from "./load.ts";
import { printJunit, printTap } from "./machine-formats.ts";
import { painter, printActual, printSuite } from "./report.ts";
import { runSuite, type SuiteResult } from "./run-suites.ts";

const FORMATS = ["text", "tap", "junit"] as const;
type Format = (typeof FORMATS)[number];

const FLAGS: Readonly<Record<string, FlagSpec>> = {
  strict: { kind: "boolean", help: "Compare whole entries in every case, not only what is expected of them." },
  run: { kind: "string", help: "Only cases whose name this regular expression matches." },
  actual: { kind: "boolean", help: "Print what comes out of each case, as it can be pasted under expect, and compare nothing." },
  format: { kind: "string", help: "How results are printed: text, tap or junit.", default: "text" },
  "config.expand-env": { kind: "boolean", help: "Replace $" + "{VAR} in configurations by environment variables." },
  help: { kind: "boolean", help: "Print this." },
  h: { kind: "boolean", help: "Print this." },
};
const USAGE = `${usageOf("skald agent test [flags] [FILE or FOLDER…]", FLAGS)}
A folder stands for the *.test.yaml and *.test.yml files in it; without arguments, the working folder.
Exit status: 0 every case passed, 1 a case failed, 2 wrong use, or a file or configuration that is wrong itself.
`;
const WRONG = 2;
const TEST_FILE = /\.test\.ya?ml$/;

interface TestFlags {
  readonly strict: boolean;
  readonly actual: boolean;
  readonly format: Format;
  readonly expandEnv: boolean;
  readonly wanted: (name: string) => boolean;
}

/** @returns the exit status, as the usage says */
export async function testCommand(args: readonly string[]): Promise<number> {
  try {
    const { given, rest } = parseFlagsAnywhere(args, FLAGS);
    if (given.get("help") === "true" || given.get("h") === "true") {
      process.stdout.write(USAGE);
      return 0;
    }
    return await runFiles(filesOf(rest.length === 0 ? ["."] : rest), readFlags(given));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}`);
    return WRONG;
  }
}

function readFlags(given: ReadonlyMap<string, string>): TestFlags {
  const format = FORMATS.find((known) => known === (given.get("format") ?? "text"));
  if (format === undefined) throw new FlagError(`invalid value for flag -format: it is one of ${FORMATS.join(", ")}`);
  const on = (name: string): boolean => given.get(name) === "true";
  return {
    strict: on("strict"),
    actual: on("actual"),
    format,
    expandEnv: on("config.expand-env"),
    wanted: nameTest(given.get("run") ?? ""),
  };
}

function nameTest(pattern: string): (name: string) => boolean {
  try {
    const regex = new RegExp(pattern);
    return (name) => regex.test(name);
  } catch (error) {
    throw new FlagError(`invalid value for flag -run: ${messageOf(error)}`);
  }
}

function filesOf(paths: readonly string[]): string[] {
  const files = paths.flatMap((path) => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
    return readdirSync(path)
      .filter((name) => TEST_FILE.test(name))
      .sort()
      .map((name) => join(path, name));
  });
  if (files.length === 0) throw new FlagError(`no test files in ${paths.join(", ")}: they are named *.test.yaml`);
  return files;
}

async function runFiles(files: readonly string[], flags: TestFlags): Promise<number> {
  const suites: TestSuite[] = [];
  const faults: string[] = [];
  for (const file of files) {
    try {
      suites.push(await loadSuite(file, { expandEnv: flags.expandEnv, env: process.env }));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(error.message);
    }
  }
  const results: SuiteResult[] = [];
  for (const suite of suites) results.push(await runSuite(suite, flags));
  process.stdout.write(flags.actual ? printAllActual(results) : PRINTERS[flags.format](results));
  if (faults.length > 0) {
    process.stderr.write(`${faults.join("\n")}\n`);
    return WRONG;
  }
  const cases = results.flatMap((result) => result.cases);
  if (cases.length === 0) throw new FlagError("-run matches no case");
  return !flags.actual && cases.some(({ passed }) => !passed) ? 1 : 0;
}

const PRINTERS: Readonly<Record<Format, (results: readonly SuiteResult[]) => string>> = {
  text: (results) => {
    const paint = painter(process.stdout.isTTY === true && !process.env.NO_COLOR);
    return results.map((result) => printSuite(result, paint)).join("");
  },
  tap: printTap,
  junit: printJunit,
};

const printAllActual = (results: readonly SuiteResult[]): string => results.flatMap(({ cases }) => cases.map(printActual)).join("\n");
