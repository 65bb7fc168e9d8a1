// `skald server`: flags and file to a running server, signals, exit codes.

import { ConfigError } from "../lib/runtime/config-file.ts";
import { FlagError, parseFlags, usageOf } from "../lib/runtime/flags.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import { createLog } from "../lib/runtime/log.ts";
import { openLogDestination } from "../lib/runtime/log-destination.ts";
import { VERSION } from "../lib/runtime/version.ts";
import { type LoadedConfig, loadServerConfig } from "./config/load.ts";
import { printServerConfig } from "./config/print.ts";
import { overridesOf, SERVER_FLAGS } from "./flags.ts";
import { runServer } from "./run.ts";

/** @returns the exit status: 0 ended as asked, 1 cannot run, 2 wrong use of the command line */
export async function main(args: readonly string[]): Promise<number> {
  let given: ReadonlyMap<string, string>;
  try {
    const flags = parseFlags(args, SERVER_FLAGS);
    if (flags.rest.length > 0) throw new FlagError(`unexpected argument ${flags.rest[0]}: flags only`);
    given = flags.given;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usageOf("skald server", SERVER_FLAGS)}`);
    return 2;
  }
  const on = (name: string): boolean => given.get(name) === "true";
  if (on("help")) {
    process.stdout.write(usageOf("skald server", SERVER_FLAGS));
    return 0;
  }
  if (on("version")) {
    process.stdout.write(`skald server, version ${VERSION}\n`);
    return 0;
  }
  if (on("list-targets")) {
    process.stdout.write("all\n");
    return 0;
  }
  let loaded: LoadedConfig;
  try {
    const files = (given.get("config.file") ?? "").split(",").filter((file) => file !== "");
    loaded = loadServerConfig(files, { expandEnv: on("config.expand-env"), overrides: overridesOf(given) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`failed parsing config:\n${error.message}\n`);
    return 1;
  }
  const { config, notes } = loaded;
  if (on("print-config-stderr")) process.stderr.write(printServerConfig(config));
  const write = await openLogDestination("skald-server");
  const log = createLog({ level: config.server.log_level, format: config.server.log_format, write });
  if (on("verify-config")) {
    log.info({}, "config is valid");
    return 0;
  }
  for (const note of notes) log.info({}, note);
  return serveUntilSignal(loaded, log);
}

async function serveUntilSignal({ config, raw }: LoadedConfig, log: ReturnType<typeof createLog>): Promise<number> {
  try {
    const server = await runServer(config, raw, log);
    const signal = await new Promise<string>((resolve) => {
      for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
    });
    log.info({ signal }, "draining");
    await server.close();
    log.info({}, "ended");
    return 0;
  } catch (error) {
    log.error({ error: messageOf(error) }, "the server cannot run");
    return 1;
  }
}
