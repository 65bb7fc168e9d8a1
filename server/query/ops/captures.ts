// `| regexp "…(?P<name>…)…"` and `| pattern "<ip> - <_> <status>"`: labels cut out of the line.

import { compilePattern } from "../../../lib/text/pattern.ts";
import { compileRegex } from "../../../lib/text/regex.ts";
import type { ExtractionState } from "../hints.ts";
import { DUPLICATE_SUFFIX, PARSED_LABEL } from "../line-labels.ts";
import type { LineOp, LineState } from "../line-state.ts";
import { toLabelName } from "./label-name.ts";

export function regexpOp(pattern: string, wanted: ExtractionState): LineOp {
  const regex = compileRegex(pattern);
  const groups = regex.groupNames.flatMap((name, i) => (name === "" ? [] : [{ i, name: toLabelName(name) }]));
  return (line) => {
    if (wanted.nothingWanted) return true;
    const match = regex.exec(line.text);
    if (match === null) return true;
    for (const { i, name } of groups) {
      if (!take(line, wanted, name, match[i] ?? "")) return false;
      if (wanted.complete) break;
    }
    return true;
  };
}

export function patternOp(text: string, wanted: ExtractionState): LineOp {
  const pattern = compilePattern(text);
  return (line) => {
    if (wanted.nothingWanted) return true;
    const values = pattern.match(line.text);
    for (let i = 0; i < values.length; i++) {
      if (!take(line, wanted, pattern.names[i]!, values[i]!)) return false;
      if (wanted.complete) break;
    }
    return true;
  };
}

/** False when the line is dropped for the label. */
function take(line: LineState, wanted: ExtractionState, plainName: string, value: string): boolean {
  const { labels } = line;
  const name = labels.baseHas(plainName) ? plainName + DUPLICATE_SUFFIX : plainName;
  if (!wanted.wants(name)) return true;
  labels.set(PARSED_LABEL, name, value);
  return wanted.took(name, line);
}
