// `-client.external-labels`: `name=value`, or a line of CSV with a pair in each field.

import { FlagError } from "../lib/runtime/flags.ts";

/** @throws FlagError for what are no pairs */
export function readExternalLabels(written: string): Record<string, string> {
  const refuse = (): never => {
    throw new FlagError(
      `invalid value ${JSON.stringify(written)} for flag -client.external-labels: expected name=value,name2=value2 (a pair with a comma in double quotes)`,
    );
  };
  // With one pair there is nothing that a comma could separate.
  const isOnePair = written.split("=").length === 2;
  const pairs = isOnePair ? [written.replace(/^"+|"+$/g, "")] : (csvFields(written) ?? refuse());
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return at < 1 ? refuse() : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

const FIELD = /"((?:[^"]|"")*)"(,|$)|([^",]*)(,|$)/y;

/** The fields of a line of CSV, as Go's encoding/csv reads them; undefined when a quote is not where it may be. */
function csvFields(line: string): string[] | undefined {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  for (let isLast = false; !isLast; ) {
    const match = FIELD.exec(line);
    if (match === null) return undefined;
    const [, quoted, behindQuoted, plain = "", behindPlain] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    isLast = (behindQuoted ?? behindPlain) === "";
  }
  return fields;
}
