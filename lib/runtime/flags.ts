// Command-line flags as Go's flag package takes them: `-name value`, `-name=value`, `--name`, booleans without a value.

export interface FlagSpec {
  readonly kind: "string" | "boolean";
  readonly help: string;
  readonly default?: string;
  /** What the usage calls the value of a flag that is no boolean; `value` by default. The default of a `string` is shown in quotes. */
  readonly word?: string;
}

export interface ParsedFlags {
  /** Only the flags that were given. A repeated flag keeps its last value; `all` has each. */
  readonly given: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** Wrong use of the command line: the program prints the message and ends with status 2. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/** @throws FlagError with Go's words for an unknown flag, a missing value or a bad boolean */
export function parseFlags(args: readonly string[], specs: Readonly<Record<string, FlagSpec>>): ParsedFlags {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return { given, rest: args.slice(i + 1) };
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(arg);
    if (match === null) return { given, rest: args.slice(i) };
    const name = match[1]!;
    const spec = specs[name];
    if (spec === undefined) throw new FlagError(`flag provided but not defined: -${name}`);
    let value = match[2];
    if (spec.kind === "boolean") {
      value ??= "true";
      if (!/^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/.test(value))
        throw new FlagError(`invalid boolean value "${value}" for -${name}: parse error`);
      value = /^[1tT]/.test(value) ? "true" : "false";
    } else if (value === undefined) {
      if (i + 1 >= args.length) throw new FlagError(`flag needs an argument: -${name}`);
      value = args[++i]!;
    }
    given.set(name, value);
  }
  return { given, rest: [] };
}

/** Flags may stand before and behind the arguments (`skald query '{a="b"}' -limit 5`), which Go's flag package does not allow. @throws as `parseFlags` */
export function parseFlagsAnywhere(args: readonly string[], specs: Readonly<Record<string, FlagSpec>>): ParsedFlags {
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

/** The usage text, one flag per paragraph, as Go prints it. */
export function usageOf(program: string, specs: Readonly<Record<string, FlagSpec>>): string {
  const lines = Object.entries(specs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, spec]) => `  -${name}${wordOf(spec)}\n    \t${spec.help}${defaultOf(spec)}\n`);
  return `Usage of ${program}:\n${lines.join("")}`;
}

const wordOf = ({ kind, word = "value" }: FlagSpec): string => (kind === "string" ? ` ${word}` : "");

function defaultOf({ default: standard, word }: FlagSpec): string {
  if (!standard) return "";
  return ` (default ${word === "string" ? JSON.stringify(standard) : standard})`;
}
