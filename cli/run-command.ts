// The frame of a command: flags, help, and errors as one line and an exit status.

import { FlagError, type FlagSpec, type ParsedFlags, parseFlags, usageOf } from "../lib/runtime/flags.ts";
import { ClientError } from "./client.ts";

/** Runs a command's body; 2 for wrong flags, 1 for what went wrong in the world. */
export async function runCommand(
  name: string,
  args: readonly string[],
  specs: Readonly<Record<string, FlagSpec>>,
  body: (flags: ParsedFlags) => Promise<void>,
): Promise<number> {
  try {
    const flags = splitFlags(args, specs);
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

/** Flags may stand before and behind the arguments (`skald query '{a="b"}' -limit 5`), which Go's flag package does not allow. */
function splitFlags(args: readonly string[], specs: Readonly<Record<string, FlagSpec>>): ParsedFlags {
  const given = new Map<string, string>();
  const rest: string[] = [];
  let left = args;
  while (left.length > 0) {
    const parsed = parseFlags(left, specs);
    for (const [key, value] of parsed.given) given.set(key, value);
    rest.push(...parsed.rest.slice(0, 1));
    left = parsed.rest.slice(1);
  }
  return { given, rest };
}
