// `| drop a, b="x"` and `| keep a, b=~"x.*"`: fewer labels. The error labels go only by name, and only with `drop`.

import type { DropKeep } from "../../../lib/logql/ast.ts";
import { compileMatcher } from "../../../lib/logql/matcher.ts";
import { ERROR_DETAILS_LABEL, ERROR_LABEL, type LineLabels, PRESERVE_ERROR_LABEL } from "../line-labels.ts";
import type { LineOp } from "../line-state.ts";

interface Item {
  readonly name: string;
  readonly matches: ((value: string) => boolean) | undefined;
}

export function dropKeepOp(op: DropKeep): LineOp {
  const items = op.items.map(({ name, matcher }): Item => ({ name, matches: matcher === null ? undefined : compileMatcher(matcher) }));
  if (op.kind === "drop") {
    return ({ labels }) => {
      for (const item of items) dropOne(labels, item);
      return true;
    };
  }
  return ({ labels }) => {
    const lost: string[] = [];
    labels.forEach((name, value) => {
      if (
        name !== ERROR_LABEL &&
        name !== ERROR_DETAILS_LABEL &&
        name !== PRESERVE_ERROR_LABEL &&
        !items.some((item) => keeps(item, name, value))
      )
        lost.push(name);
    });
    for (const name of lost) labels.delete(name);
    return true;
  };
}

function keeps(item: Item, name: string, value: string): boolean {
  return item.name === name && (item.matches === undefined || item.matches(value));
}

function dropOne(labels: LineLabels, { name, matches }: Item): void {
  if (name === ERROR_LABEL) {
    if (matches === undefined || matches(labels.error)) labels.error = "";
  } else if (name === ERROR_DETAILS_LABEL) {
    if (matches === undefined || matches(labels.errorDetails)) labels.errorDetails = "";
  } else {
    const value = labels.get(name);
    if (value !== undefined && (matches === undefined || matches(value))) labels.delete(name);
  }
}
