// Values of the extracted data as text, by Promtail's rules (its getString), and the text a stage reads.

import { goNumber } from "../lib/text/go-json.ts";
import type { EntryBatch, Value } from "../lib/wire/entry-batch.ts";

/** The value as text; undefined for what has none: a missing value, nil, a list or an object. */
export function textOfValue(value: Value | undefined): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return goNumber(value);
    case "boolean":
      return value ? "true" : "false";
    default:
      return undefined;
  }
}

/** What a stage with an optional `source` reads for entry i: the extracted value as text, or the line. Undefined when there is none. */
export function sourceText(batch: EntryBatch, source: string | undefined, i: number): string | undefined {
  return source === undefined ? batch.line(i) : textOfValue(batch.extract(source, i));
}
