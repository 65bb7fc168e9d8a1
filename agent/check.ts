// `skald agent check` and Promtail's `-check-syntax`: everything there is to say about a configuration, and nothing is started.

import { ConfigError } from "../lib/runtime/config-file.ts";
import { FlagError, type FlagSpec, parseFlagsAnywhere, usageOf } from "../lib/runtime/flags.ts";
import { Registry } from "../lib/runtime/metrics.ts";
import type { PipelineContext } from "../pipelines/compile.ts";
import { type Finding, printFinding } from "./config/findings.ts";
import { type Judgement, judgeAgentConfig, type LoadOptions } from "./config/load.ts";

const FLAGS: Readonly<Record<string, FlagSpec>> = {
  strict: { kind: "boolean", help: "Warnings are errors." },
  "config.expand-env": { kind: "boolean", help: "Replace $" + "{VAR} in the file by environment variables." },
  help: { kind: "boolean", help: "Print this." },
  h: { kind: "boolean", help: "Print this." },
};
const USAGE = `${usageOf("skald agent check [flags] FILE…", FLAGS)}
Prints each error and warning as file:line:column: severity: sentence, by place, and a count.
Exit status: 0 no errors, 1 errors (with -strict also warnings), 2 wrong use, or a file that cannot be read.
`;
const WRONG_USE = 2;

/** @returns the exit status, as the usage says */
export async function checkCommand(args: readonly string[]): Promise<number> {
  try {
    const { given, rest: files } = parseFlagsAnywhere(args, FLAGS);
    if (given.get("help") === "true" || given.get("h") === "true") {
      process.stdout.write(USAGE);
      return 0;
    }
    if (files.length === 0) throw new FlagError("which file? Name one or more");
    const flags = { strict: given.get("strict") === "true", expandEnv: given.get("config.expand-env") === "true" };
    let status = 0;
    for (const file of files) status = Math.max(status, await checkFile(file, flags));
    return status;
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}`);
    return WRONG_USE;
  }
}

async function checkFile(file: string, { strict, expandEnv }: { strict: boolean; expandEnv: boolean }): Promise<number> {
  let judged: Judgement;
  try {
    judged = await check({ files: [file], expandEnv, env: process.env, overrides: new Map(), externalLabels: {} });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return WRONG_USE;
  }
  const severity = (finding: Finding): string =>
    finding.severity === "refusal" || (strict && finding.severity === "warning") ? "error" : finding.severity;
  const count = (wanted: string): number => judged.findings.filter((finding) => severity(finding) === wanted).length;
  for (const finding of judged.findings) process.stdout.write(`${printFinding(finding, `${severity(finding)}: `)}\n`);
  process.stdout.write(`${file}: ${plural(count("error"), "error")}, ${plural(count("warning"), "warning")}\n`);
  return count("error") > 0 ? 1 : 0;
}

/** `-check-syntax`: what only stops a start is a warning, as Promtail's own check sees less. @returns the exit status */
export async function checkSyntax(options: LoadOptions, strict: boolean): Promise<number> {
  const { findings } = await check(options);
  const faults = findings.filter(({ severity }) => severity === "error" || severity === "hint");
  const notes = findings.filter((finding) => !faults.includes(finding));
  if (faults.length > 0) process.stderr.write("unable to parse config:\n");
  for (const finding of findings)
    process.stderr.write(`${notes.includes(finding) && !strict ? "warning: " : ""}${printFinding(finding)}\n`);
  if (faults.length > 0 || (strict && notes.length > 0)) return 1;
  process.stdout.write("Valid config file! No syntax issues found\n");
  return 0;
}

/** @throws ConfigError when the file cannot be read */
const check = (options: LoadOptions): Promise<Judgement> => judgeAgentConfig(options, nowhere());

/** A world for stages that are built and never run. */
function nowhere(): PipelineContext {
  const nothing = (): void => {};
  return { now: () => 0, random: () => 0, registry: new Registry(), jobName: "", dropped: nothing, debug: nothing, warn: nothing };
}

const plural = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;
