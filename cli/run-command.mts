// The frame of a command: flags, help, and errors as one line and an exit status.

import { FlagError, type FlagSpec, type ParsedFlags, parseFlagsAnywhere, usageOf } from "../lib/runtime/flags.ts";
import { ClientError } from "./client.mts";

/** Runs a command's body; 2 for wrong flags, 1 for what went wrong in the world. */
export async function runCommand(
  name: string,
  args: readonly string[],
  specs: Readonly<Record<string, FlagSpec>>,
  body: (flags: ParsedFlags) => Promise<void>,
): Promise<number> {
  try {
    const flags = parseFlagsAnywhere(args, specs);
    if (flags.given.get("help") === "true") {
      process.stdout.write(usageOf(`skald ${name}`, specs));
      return 0;
    }
    await body(flags);
    return 0;
  } catch (error) {
    if (error instanceof FlagError) {
      process.stderr.write(`${error.message}\n${usageOf(`skald ${name}`, specs)}`);
      return 2;
    }
    if (error instanceof ClientError) {
      process.stderr.write(`skald ${name}: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}
