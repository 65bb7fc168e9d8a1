// `skald agent`: flags and file to a running agent, signals, exit statuses.

import { systemClock } from "../lib/runtime/clock.ts";
import { ConfigError } from "../lib/runtime/config-file.ts";
import { FlagError, usageOf } from "../lib/runtime/flags.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import type { Log, LogLevel } from "../lib/runtime/log.ts";
import { VERSION } from "../lib/runtime/version.ts";
import type { LoadedConfig, LoadOptions } from "./config/load.ts";
import { AGENT_FLAGS, type AgentFlags, parseAgentFlags } from "./flags.ts";
import type { RunOptions } from "./run.ts";

const WRONG_USE = 2;
/** What is still open this long after the end keeps the process no longer. */
const LINGER_MS = 1_000;

type Main = (args: readonly string[]) => Promise<number>;

/** `skald agent <word> …`; everything else is Promtail's flags. */
const COMMANDS: Readonly<Record<string, () => Promise<Main>>> = {
  check: async () => (await import("./check.ts")).checkCommand,
  presets: async () => (await import("./presets-command.ts")).presetsCommand,
  test: async () => (await import("./pipeline-tests/command.ts")).testCommand,
};

/** @returns the exit status: 0 ended as asked, 1 cannot run, 2 wrong use of the command line */
export async function main(args: readonly string[]): Promise<number> {
  const [word = "", ...rest] = args;
  if (Object.hasOwn(COMMANDS, word)) return (await COMMANDS[word]!())(rest);
  let flags: AgentFlags;
  try {
    flags = parseAgentFlags(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n${usageOf("skald agent", AGENT_FLAGS)}`);
    return WRONG_USE;
  }
  if (flags.help) {
    const others = Object.keys(COMMANDS).map((word) => `skald agent ${word} -help`);
    process.stdout.write(`${usageOf("skald agent", AGENT_FLAGS)}\nOther uses: ${others.join(", ")}\n`);
    return WRONG_USE;
  }
  if (flags.ignored.length > 0) process.stderr.write(`warning: ${ignoredText(flags.ignored)}\n`);
  try {
    if (flags.checkSyntax) return await checkFile(flags);
    const loaded = await load(flags);
    return flags.version ? printVersion() : await run(loaded, flags);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`unable to parse config:\n${error.message}\n`);
    return 1;
  }
}

function ignoredText([first, ...others]: readonly string[]): string {
  const what = `${JSON.stringify(first)} is no flag, and ignored`;
  return others.length === 0 ? what : `${what} with all that follows it: ${others.join(" ")}`;
}

async function checkFile(flags: AgentFlags): Promise<number> {
  if (flags.configFiles.length === 0) {
    process.stderr.write("Invalid config file: -check-syntax needs -config.file\n");
    return 1;
  }
  return (await import("./check.ts")).checkSyntax(loadOptions(flags), flags.strict);
}

function printVersion(): number {
  process.stdout.write(`skald, version ${VERSION} (agent, node ${process.version}, ${process.platform}/${process.arch})\n`);
  return 0;
}

async function load(flags: AgentFlags): Promise<LoadedConfig> {
  return (await import("./config/load.ts")).loadAgentConfig(loadOptions(flags));
}

function loadOptions({ configFiles: files, expandEnv, overrides, externalLabels }: AgentFlags): LoadOptions {
  return { files, expandEnv, env: process.env, overrides, externalLabels };
}

async function run({ config, warnings, refusals }: LoadedConfig, flags: AgentFlags): Promise<number> {
  if (flags.printConfig || flags.logConfig) await showConfig(config, flags);
  if (refusals.length > 0) {
    process.stderr.write(`cannot start:\n${refusals.join("\n")}\n`);
    return 1;
  }
  const log = await openLog(config.server);
  for (const warning of warnings) log.warn({}, warning);
  try {
    return await runUntilEnd(config, flags, log);
  } catch (error) {
    log.error({ error: messageOf(error) }, "the agent cannot run");
    return 1;
  } finally {
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

async function showConfig(config: LoadedConfig["config"], flags: AgentFlags): Promise<void> {
  const { printConfig } = await import("./config/print.ts");
  const text = printConfig(config);
  if (flags.printConfig) process.stderr.write(`---\n# effective configuration\n# skald agent ${VERSION}\n\n${text}`);
  if (!flags.logConfig) return;
  const log = await openLog(config.server);
  for (const line of text.trimEnd().split("\n").reverse()) log.info({}, line);
}

async function runUntilEnd(config: LoadedConfig["config"], flags: AgentFlags, log: Log): Promise<number> {
  const { runAgent } = await import("./run.ts");
  const agent = await runAgent(config, {
    log,
    clock: systemClock,
    dryRun: flags.dryRun,
    load: () => reloaded(flags, log),
    // Node makes the stream when it is first asked for.
    get stdin() {
      return process.stdin;
    },
    write: writeOut,
    ...(await printingCompile(flags)),
  });
  log.info({ version: VERSION, pid: process.pid }, "agent started");
  const hangUp = (): void => void agent.reload().catch(() => {});
  process.on("SIGHUP", hangUp);
  try {
    const reason = await Promise.race([agent.ended.then(() => "end of input"), signalled()]);
    log.info({ reason }, "ending");
    void signalled().then(() => process.exit(1));
    await agent.stop();
    return 0;
  } finally {
    process.off("SIGHUP", hangUp);
  }
}

async function openLog(server: { readonly log_level: LogLevel; readonly log_format: string }): Promise<Log> {
  const { createLog } = await import("../lib/runtime/log.ts");
  const { openLogDestination } = await import("../lib/runtime/log-destination.ts");
  const write = await openLogDestination("skald-agent");
  return createLog({ level: server.log_level, format: server.log_format === "json" ? "json" : "logfmt", write });
}

/** Pipelines for who prints their entries, or tells on standard error what each stage changes. */
async function printingCompile({ dryRun, inspect, inspectEveryStage }: AgentFlags): Promise<Pick<RunOptions, "compile">> {
  if (inspect) {
    const { compileInspected } = await import("../pipelines/inspect.ts");
    const isTerminal = process.stderr.isTTY === true;
    const options = { write: (text: string) => void process.stderr.write(text), color: isTerminal, everyStage: inspectEveryStage };
    return { compile: (stages, context, path) => compileInspected(stages, context, options, path) };
  }
  if (!dryRun) return {};
  const { compileTapped } = await import("../pipelines/tap.ts");
  return { compile: (stages, context, path) => compileTapped(stages, { ...context, keepsZones: true }, path) };
}

/** The configuration of a reload: what a start would refuse is refused here too. */
async function reloaded(flags: AgentFlags, log: Log): Promise<LoadedConfig["config"]> {
  const { config, warnings, refusals } = await load(flags);
  if (refusals.length > 0) throw new ConfigError(refusals);
  for (const warning of warnings) log.warn({}, warning);
  return config;
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
}

/** Waits for room, so that a slow terminal does not fill the memory. */
function writeOut(text: string): Promise<void> {
  return new Promise((resolve, reject) => process.stdout.write(text, (error) => (error ? reject(error) : resolve())));
}
