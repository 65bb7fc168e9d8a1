// Extracts values of a JSON object by JMESPath. Paths of plain keys (nearly all there are) read spans of the line's bytes and parse
// nothing; other expressions, and lines the scanner is not sure about, go through JSON.parse.

import { z } from "zod";
import { goJson } from "../../lib/text/go-json.ts";
import { wellFormed } from "../../lib/text/go-utf8.ts";
import { compileJmespath } from "../../lib/text/jmespath.ts";
import type { Column, EntryBatch, Value } from "../../lib/wire/entry-batch.ts";
import { dropEntries } from "../drop-entries.ts";
import { columnOf } from "../extracted-data.ts";
import { type JsonPath, JsonPaths } from "../json-paths.ts";
import { defineStage, type Stage } from "../stage.ts";
import { attempt, fail, source, strictBoolean, textMap } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

/** One expression: the keys of a plain path, or any JMESPath. */
interface Extraction {
  readonly name: string;
  readonly keys: readonly string[] | undefined;
  readonly evaluate: (document: unknown) => unknown;
}

export const json = defineStage({
  name: "json",
  config: () =>
    z.object({
      expressions: textMap().transform((map, context): readonly Extraction[] => {
        if (map.size === 0) return fail(context, "is required: a map from extracted names to JMESPath expressions");
        return [...map].map(([name, given]) => {
          const expression = given === "" ? name : given;
          const evaluate = attempt(context, () => compileJmespath(expression), "could not compile the expression: ", [name]);
          return { name, keys: plainPath(expression), evaluate };
        });
      }),
      source: source(),
      drop_malformed: strictBoolean().default(false),
    }),
  build({ expressions, source: from, drop_malformed: dropMalformed }, context): Stage {
    const plain = expressions.flatMap(({ name, keys }): JsonPath[] => (keys === undefined ? [] : [{ name, keys }]));
    const paths = from === undefined && plain.length === expressions.length ? new JsonPaths(plain, parseDocument, storedValue) : undefined;
    return {
      process(batch) {
        const malformed = paths === undefined ? readDocuments(batch, expressions, from) : paths.read(batch);
        if (dropMalformed && malformed !== undefined) dropEntries(batch, malformed, "malformed_json", context);
      },
    };
  },
});

const PLAIN_KEY = /(?:([A-Za-z_]\w*)|("(?:[^"\\]|\\.)*"))(\.|$)/y;

/** The keys of an expression that is only `a.b."c d"`; undefined for any other. */
function plainPath(expression: string): string[] | undefined {
  const keys: string[] = [];
  PLAIN_KEY.lastIndex = 0;
  while (PLAIN_KEY.lastIndex < expression.length) {
    const match = PLAIN_KEY.exec(expression);
    if (match === null || (match[3] === "." && PLAIN_KEY.lastIndex === expression.length)) return undefined;
    try {
      keys.push(match[1] ?? (JSON.parse(match[2]!) as string));
    } catch {
      return undefined;
    }
  }
  return keys.length === 0 ? undefined : keys;
}

/** Parses each document whole. Returns the entries whose document is malformed. */
function readDocuments(batch: EntryBatch, extractions: readonly Extraction[], from: string | undefined): Set<number> {
  const malformed = new Set<number>();
  let columns: Column[] | undefined;
  for (let k = 0; k < batch.liveCount; k++) {
    const i = batch.live[k]!;
    const input = from === undefined ? batch.line(i) : textOfValue(batch.extract(from, i));
    if (input === undefined) continue;
    const document = parseDocument(input);
    if (document === undefined) {
      malformed.add(i);
      continue;
    }
    columns ??= extractions.map(({ name }) => columnOf(batch, name));
    for (let e = 0; e < extractions.length; e++) {
      const found = evaluate(extractions[e]!, document);
      const stored = found === undefined ? undefined : storedValue(found);
      if (stored !== undefined) columns[e]!.set(i, stored);
    }
  }
  return malformed;
}

/** Null where nothing is found; undefined where a function got what it does not take: then the value stays what it was. */
function evaluate({ evaluate }: Extraction, document: unknown): unknown {
  try {
    return evaluate(document);
  } catch {
    return undefined;
  }
}

/** Lists and objects are kept as JSON text; what was not found is nil. Undefined for what has no text: a list with a NaN. */
function storedValue(value: unknown): Value | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return wellFormed(value);
  if (typeof value !== "object") return value as Value;
  try {
    return goJson(value, { iterator: true });
  } catch {
    return undefined;
  }
}

/** An object, or null for `null`, which counts as an object without keys; undefined for anything else. */
function parseDocument(text: string): object | null | undefined {
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "n") return undefined;
  let document = tryParse(text);
  if (document === undefined && /[\x00-\x1f]/.test(text) && text.includes("\\")) document = tryParse(escapeControls(text));
  return MAYBE_TOO_LARGE.test(text) && hasInfinity(document) ? undefined : document;
}

/** A number beyond a double's, which Promtail's decoder refuses, looks like this; so do others. */
const MAYBE_TOO_LARGE = /[eE]\+?\d{3}|\d{300}/;

function hasInfinity(document: unknown): boolean {
  const open = [document];
  while (open.length > 0) {
    const value = open.pop();
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return true;
    if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) open.push(inner);
  }
  return false;
}

function tryParse(text: string): object | null | undefined {
  try {
    return JSON.parse(text) as object | null;
  } catch {
    return undefined;
  }
}

/** Promtail's decoder takes raw control characters in a text once the text has had an escape; JavaScript's takes none. */
function escapeControls(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"/gs, (quoted) => {
    const plain = quoted.indexOf("\\");
    return plain < 0 ? quoted : quoted.slice(0, plain) + quoted.slice(plain).replace(/[\x00-\x1f]/g, escapeControl);
  });
}

const escapeControl = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
