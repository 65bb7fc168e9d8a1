// `skald docker-driver`: a logging driver for Docker, with the log-opts of Loki's.

import { FlagError, type FlagSpec, parseFlags, usageOf } from "../../lib/runtime/flags.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { createLog, type LogLevel } from "../../lib/runtime/log.ts";
import { VERSION } from "../../lib/runtime/version.ts";
import { LogDriver } from "./driver.ts";
import { openPluginServer } from "./plugin-server.ts";

const WRONG_USE = 2;
/** Docker kills a plugin ten seconds after it was told to end. */
const END_MS = 8_000;
const LEVELS: readonly string[] = ["debug", "info", "warn", "error"];

const FLAGS: Readonly<Record<string, FlagSpec>> = {
  socket: { kind: "string", help: "Unix socket that Docker calls.", default: "/run/docker/plugins/loki.sock" },
  "log.level": { kind: "string", help: "Only messages of this level and above; LOG_LEVEL where the flag is not given.", default: "info" },
  help: { kind: "boolean", help: "Print this." },
};

/** @returns the exit status: 0 ended as asked, 1 cannot run, 2 wrong use of the command line */
export async function main(args: readonly string[]): Promise<number> {
  let socket: string;
  let level: string;
  try {
    const { given, rest } = parseFlags(args, FLAGS);
    if (rest.length > 0) throw new FlagError(`unexpected argument ${JSON.stringify(rest[0])}: flags only`);
    if (given.get("help") === "true") {
      process.stdout.write(usageOf("skald docker-driver", FLAGS));
      return 0;
    }
    socket = given.get("socket") ?? FLAGS.socket!.default!;
    level = given.get("log.level") ?? (process.env.LOG_LEVEL || "info");
    if (!LEVELS.includes(level)) throw new FlagError(`unknown log level ${JSON.stringify(level)}: one of ${LEVELS.join(", ")}`);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n${usageOf("skald docker-driver", FLAGS)}`);
    return WRONG_USE;
  }
  const log = createLog({ level: level as LogLevel });
  const driver = new LogDriver(log);
  try {
    const server = await openPluginServer(socket, driver, log);
    log.info({ version: VERSION, socket }, "driver started");
    const signal = await signalled();
    log.info({ reason: signal }, "ending");
    await server.close();
    await driver.close(END_MS);
    return 0;
  } catch (error) {
    log.error({ socket, error: messageOf(error) }, "the driver cannot run");
    return 1;
  } finally {
    setTimeout(() => process.exit(), 1_000).unref();
  }
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
}
