// What stage configurations are made of: text, expressions, durations and sizes, read once, with messages that say what to change.
// Promtail decodes some stages strictly (text must be text) and some weakly (a number will do for text): `text` and `weakText`.

import { z } from "zod";
import { messageOf } from "../lib/runtime/invariant.ts";
import { parseConfigBytes } from "../lib/text/byte-size.ts";
import { parseGoDurationNs } from "../lib/text/duration.ts";
import { type CompiledTemplate, compileTemplate, promtailFunctions, type TemplateFunctions } from "../lib/text/go-template/index.ts";
import { compileRegex, type Regex } from "../lib/text/regex.ts";
import { isLabelName } from "../lib/wire/labels.ts";

/** Text and nothing else. */
export const text = () => z.string({ error: (issue) => expectedText(issue.input) });

/** Text, or a number or boolean that is read as text, as Promtail's weak decoding does (true is `1`). */
export const weakText = () =>
  z.preprocess((value) => (typeof value === "number" ? String(value) : typeof value === "boolean" ? (value ? "1" : "0") : value), text());

/** The optional source of a stage: absent means the line; an empty one is refused. */
export const source = () => text().min(1, "empty source; leave the key out to read the line").optional();

/** A source that has to be there. */
export const requiredSource = () => text().min(1, "empty source; name the extracted value to read");

/** An RE2 pattern, compiled. */
export const regexText = (given: z.ZodType<string> = text()) =>
  given.transform((pattern, context): Regex => {
    return attempt(context, () => compileRegex(pattern), "could not compile regular expression: ");
  });

/** An RE2 pattern that must not be empty. */
export const requiredRegexText = () => regexText(text().min(1, "is required: a regular expression in RE2 syntax"));

/** A Go template with Promtail's functions, compiled; nothing is the empty template. */
export const templateText = () =>
  text()
    .default("")
    .transform(
      (given, context): CompiledTemplate => attempt(context, () => compileTemplate(given, templateFunctions()), "invalid template: "),
    );

let functions: TemplateFunctions | undefined;

/** The functions of templates; made once, when the first template is compiled. */
function templateFunctions(): TemplateFunctions {
  functions ??= promtailFunctions({ env: process.env });
  return functions;
}

/** A Go duration, in nanoseconds. */
export const durationNs = () =>
  weakText().transform((given, context): number => attempt(context, () => parseGoDurationNs(given), "invalid duration: "));

/** A size in bytes, such as `8kb`. */
export const sizeBytes = () =>
  z
    .union([z.string(), z.number()], { error: "expected a size such as 8192 or 8kb" })
    .transform((given, context): number => attempt(context, () => parseConfigBytes(given), "failed to parse as bytes: "));

/** A boolean; weakly also a number, and a text that strconv.ParseBool takes. */
export const weakBoolean = () =>
  z.preprocess((value) => {
    if (typeof value === "number") return value !== 0;
    if (typeof value !== "string") return value;
    return /^(?:1|t|T|TRUE|true|True)$/.test(value) ? true : /^(?:|0|f|F|FALSE|false|False)$/.test(value) ? false : value;
  }, strictBoolean());

export const strictBoolean = () => z.boolean({ error: (issue) => `expected true or false, got ${describeValue(issue.input)}` });

/** A whole number; weakly also as text (of nothing: 0) or a boolean. */
export const wholeNumber = () =>
  z.preprocess(
    (value) => {
      if (typeof value === "boolean") return Number(value);
      return typeof value === "string" && /^(?:-?\d+)?$/.test(value) ? Number(value) : value;
    },
    z.number({ error: (issue) => `expected a whole number, got ${describeValue(issue.input)}` }).transform(Math.trunc),
  );

export const numeric = () =>
  z.preprocess(
    (value) => {
      if (typeof value === "boolean") return Number(value);
      return typeof value === "string" && !/\s/.test(value) && Number.isFinite(Number(value)) ? Number(value) : value;
    },
    z.number({ error: (issue) => `expected a number, got ${describeValue(issue.input)}` }),
  );

/** A map from name to text or nothing; nothing is `""`. YAML 1.1's boolean keys are refused, for nobody means them. */
export const textMap = () =>
  z.preprocess(
    (value) => value ?? {},
    z
      .record(z.string(), text().nullable().transform(emptyForNull), {
        error: (issue) => `expected a map, got ${describeValue(issue.input)}`,
      })
      .superRefine((map, context) => {
        for (const key of Object.keys(map)) {
          if (key !== "true" && key !== "false") continue;
          context.addIssue({
            code: "custom",
            path: [key],
            message: `expected a name, got the boolean ${key}; quote it (YAML reads y, n, yes, no, on and off as booleans)`,
          });
        }
      })
      .transform((map): ReadonlyMap<string, string> => new Map(Object.entries(map))),
  );

/** Map from label name to source; without a source, the source has the label's name. */
export const labelMap = () =>
  textMap().transform((map, context) => {
    for (const name of map.keys()) if (!isLabelName(name)) fail(context, invalidLabelName(name), [name]);
    return new Map([...map].map(([name, from]) => [name, from === "" ? name : from]));
  });

export const invalidLabelName = (name: string): string =>
  `invalid label name: ${name === "" ? '""' : name}; it has to match [a-zA-Z_][a-zA-Z0-9_]*`;

/** A list of names; nothing is `""`. */
export const strictNameList = () =>
  z.preprocess(
    (value) => value ?? [],
    z.array(text().nullable().transform(emptyForNull), { error: (issue) => `expected a list of names, got ${describeValue(issue.input)}` }),
  );

/** The schema of a stage without options. Promtail does not look at what is written there. */
export const noOptions = () => z.unknown();

/** What to say of options where there are none. */
export function warnOfOptions(given: unknown): string | undefined {
  const none = given === null || given === undefined || (typeof given === "object" && Object.keys(given).length === 0);
  return none ? undefined : "this stage has no options; what is written here has no effect";
}

/** A list of names; one name alone will do. */
export const nameList = (given: z.ZodType<string> = text()) =>
  z.preprocess(
    (value) => (value === null || value === undefined ? [] : Array.isArray(value) ? value : [value]),
    z.array(given, { error: (issue) => `expected a list of names, got ${describeValue(issue.input)}` }),
  );

/** Adds an issue and gives the transform something to return. */
export function fail(context: z.RefinementCtx, message: string, path: (string | number)[] = []): never {
  context.addIssue({ code: "custom", message, path });
  return z.NEVER;
}

/** The result of `read`, or an issue with the text of what it threw. */
export function attempt<T>(context: z.RefinementCtx, read: () => T, prefix = "", path: (string | number)[] = []): T {
  try {
    return read();
  } catch (error) {
    return fail(context, prefix + messageOf(error), path);
  }
}

const emptyForNull = (value: string | null): string => value ?? "";

function expectedText(given: unknown): string {
  if (given === undefined) return "is required";
  const hint = typeof given === "boolean" ? "; quote it (YAML reads y, n, yes, no, on and off as booleans)" : "";
  return `expected text, got ${describeValue(given)}${hint || (typeof given === "number" ? "; quote it" : "")}`;
}

export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return `the ${typeof value === "string" ? "text" : typeof value} ${JSON.stringify(value)}`;
}
