// label_replace (reference §2.10).

import type { LabelReplace } from "../../lib/logql/ast.ts";
import { mapInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import { compileRegex, expandTemplate } from "../../lib/text/regex.ts";
import type { Series } from "./range-aggregate.ts";
import { type ResultLabels, sortedLabels } from "./series-table.ts";

/** Sets `dst` to the replacement where the whole of `src` matches; equal label sets that arise stay apart. */
export function replaceLabels(
  { dst, src, pattern, replacement }: LabelReplace,
  series: readonly Series[],
  takeTurn: TakeTurn,
): Promise<Series[]> {
  const regex = compileRegex(pattern, { anchored: true });
  return mapInTurns(series, takeTurn, (one) => {
    const match = regex.exec(labelValue(one.labels, src));
    if (match === null) return one;
    const pairs = new Map(one.labels.names.map((name, i) => [name, one.labels.values[i]!]));
    const value = expandTemplate(replacement, match, regex.groupNames);
    if (value === "") pairs.delete(dst);
    else pairs.set(dst, value);
    return { ...one, labels: sortedLabels([...pairs]) };
  });
}

function labelValue({ names, values }: ResultLabels, name: string): string {
  const at = names.indexOf(name);
  return at < 0 ? "" : values[at]!;
}
