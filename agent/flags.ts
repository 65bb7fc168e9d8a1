// The agent's command line: Promtail's flags, each with the configuration key it overrides, and a few of our own (-strict).

import { FlagError, type FlagSpec, type ParsedFlags, parseFlags } from "../lib/runtime/flags.ts";
import { parseConfigBytes } from "../lib/text/byte-size.ts";
import { parseGoDurationNs } from "../lib/text/duration.ts";
import { parseGoFloat } from "../lib/text/go-float.ts";
import { parseGoInt, parseGoUint } from "../lib/text/go-int.ts";
import { goUrlFault } from "../lib/text/go-url.ts";
import { Plain } from "./config/written.ts";
import type { ConfigFlag, FlagKind } from "./config-flag.ts";
import { CONFIG_FLAGS } from "./config-flags.ts";
import { readExternalLabels } from "./external-labels.ts";

/** What Go's usage calls the values. */
const WORDS: Readonly<Record<FlagKind, string>> = {
  ...{ text: "string", int: "int", uint: "uint", float: "float", bool: "", duration: "duration" },
  ...{ list: "value", size: "value", url: "value", level: "value" },
};

const LOG_LEVELS = ["debug", "info", "warn", "error"];

const own = (kind: "string" | "boolean", help: string, word = "string"): FlagSpec => ({ kind, help, word });

export const AGENT_FLAGS: Readonly<Record<string, FlagSpec>> = {
  "config.file": own("string", "YAML file to load; of several, with commas between, the first that exists."),
  "config.expand-env": own("boolean", "Replace $" + "{VAR} in the file by environment variables."),
  "check-syntax": own("boolean", "Check the file, pipelines and relabelling included, and end with status 0 or 1."),
  strict: own("boolean", "With -check-syntax: what has no effect is an error too."),
  "dry-run": own("boolean", "Print entries instead of sending them; positions are not written."),
  inspect: own("boolean", "Print what each stage changes."),
  "inspect.every-stage": own("boolean", "As -inspect, with the stages of which Promtail shows nothing: json, drop, match, multiline …"),
  "print-config-stderr": own("boolean", "Print the effective configuration, without secrets, on standard error."),
  "log-config-reverse-order": own("boolean", "Log the effective configuration, last line first."),
  "client.external-labels": own("string", "Labels for every entry of every client, as name=value,name2=value2.", "value"),
  version: own("boolean", "Print the version."),
  help: own("boolean", "Print this."),
  h: own("boolean", "Print this."),
  ...Object.fromEntries(
    Object.entries(CONFIG_FLAGS).map(([name, flag]): [string, FlagSpec] => [
      name,
      {
        kind: flag.kind === "bool" ? "boolean" : "string",
        help: flag.help,
        word: WORDS[flag.kind],
        ...(flag.default === undefined ? {} : { default: flag.default }),
      },
    ]),
  ),
};

export interface AgentFlags {
  readonly configFiles: readonly string[];
  readonly expandEnv: boolean;
  readonly checkSyntax: boolean;
  readonly strict: boolean;
  readonly dryRun: boolean;
  readonly inspect: boolean;
  readonly inspectEveryStage: boolean;
  readonly printConfig: boolean;
  readonly logConfig: boolean;
  readonly version: boolean;
  readonly help: boolean;
  readonly externalLabels: Readonly<Record<string, string>>;
  /** Values by dotted key, which win over the file's. */
  readonly overrides: ReadonlyMap<string, string | Plain>;
  /** The first argument that is no flag, and what follows it: no flag behind it counts, as in Go. */
  readonly ignored: readonly string[];
}

/** @throws FlagError for an unknown flag or a value its flag cannot take */
export function parseAgentFlags(args: readonly string[]): AgentFlags {
  const { given, rest }: ParsedFlags = parseFlags(args, AGENT_FLAGS);
  const externalLabels = given.get("client.external-labels");
  const on = (name: string): boolean => given.get(name) === "true";
  const overrides = new Map<string, string | Plain>();
  for (const [name, value] of given) {
    const flag = CONFIG_FLAGS[name];
    if (flag === undefined) continue;
    const override = readValue(name, flag, value);
    if (flag.key !== undefined) overrides.set(flag.key, override);
  }
  return {
    configFiles: (given.get("config.file") ?? "")
      .split(",")
      .map((file) => file.trim())
      .filter((file) => file !== ""),
    expandEnv: on("config.expand-env"),
    checkSyntax: on("check-syntax"),
    strict: on("strict"),
    dryRun: on("dry-run"),
    inspect: on("inspect") || on("inspect.every-stage"),
    inspectEveryStage: on("inspect.every-stage"),
    printConfig: on("print-config-stderr"),
    logConfig: on("log-config-reverse-order"),
    version: on("version"),
    help: on("help") || on("h"),
    externalLabels: externalLabels === undefined ? {} : readExternalLabels(externalLabels),
    overrides,
    ignored: rest,
  };
}

function readValue(name: string, { kind }: ConfigFlag, value: string): string | Plain {
  const refuse = (reason: string): never => {
    throw new FlagError(`invalid value ${JSON.stringify(value)} for flag -${name}: ${reason}`);
  };
  const number = (read: number | undefined): Plain => (read === undefined ? refuse("parse error") : new Plain(read, value));
  switch (kind) {
    case "text":
    case "list":
      return value;
    case "bool":
      return new Plain(value === "true");
    case "int":
      return number(parseGoInt(value));
    case "uint":
      return number(parseGoUint(value));
    case "float":
      return number(parseGoFloat(value));
    case "duration":
      return attempt(() => parseGoDurationNs(value)) ? value : refuse("parse error");
    case "size":
      return attempt(() => parseConfigBytes(value)) ? value : refuse("not a size such as 256kb");
    case "url": {
      const fault = goUrlFault(value);
      return fault === undefined ? value : refuse(`parse ${JSON.stringify(value)}: ${fault}`);
    }
    case "level":
      return LOG_LEVELS.includes(value) ? value : refuse(`it is one of ${LOG_LEVELS.join(", ")}`);
  }
}

function attempt(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
