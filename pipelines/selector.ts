// Selectors of the match stage: a stream selector and line filters. Promtail's own small LogQL: no parsers, no label filters, no `or`,
// no backticks; a selector that every stream satisfies is allowed, `{}` is not.

import type { LineFilter } from "../lib/logql/ast.ts";
import { compileMatcher, LogqlError } from "../lib/logql/index.ts";
import { parse } from "../lib/logql/parser.ts";
import { compileRegex } from "../lib/text/regex.ts";
import type { LabelSet } from "../lib/wire/labels.ts";
import { containsTest, type EntryTest, lineTest } from "./line-test.ts";

/**
 * Which entries match: their labels, and their lines.
 *
 * @throws LogqlError, or RegexError for a line filter's expression
 */
export function compileSelector(text: string): EntryTest {
  const { expr } = parseAny(text);
  if (expr.kind !== "log") throw new LogqlError("a metric query cannot select entries", "", 0, 0);
  if (expr.matchers.length === 0) throw new LogqlError('the selector has no label matcher, as in {job="app"}', "", 0, 0);
  if (hasBacktick(text)) throw new LogqlError("backticks are not known here; use double quotes", "", 0, 0);
  const labelsMatch = compileLabels(expr.matchers.map((matcher) => ({ name: matcher.name, test: compileMatcher(matcher) })));
  const filters = expr.ops.map((op) => {
    if (op.kind !== "lineFilter") throw new LogqlError("only line filters (|= != |~ !~) can follow the selector here", "", 0, 0);
    return compileLineFilter(op);
  });
  return {
    start(batch) {
      for (const filter of filters) filter.start?.(batch);
    },
    holds(batch, i) {
      if (!labelsMatch(batch.labels.get(i)!)) return false;
      for (let f = 0; f < filters.length; f++) if (!filters[f]!.holds(batch, i)) return false;
      return true;
    },
  };
}

/** A label may be called `json` or `on` here, which LogQL keeps for itself. */
function parseAny(text: string): ReturnType<typeof parse> {
  try {
    return parse(text);
  } catch (error) {
    try {
      return parse(text, new Set());
    } catch {
      throw error;
    }
  }
}

/** Verdicts are remembered by label set. */
function compileLabels(
  matchers: readonly { readonly name: string; readonly test: (value: string) => boolean }[],
): (labels: LabelSet) => boolean {
  const known = new WeakMap<LabelSet, boolean>();
  let lastLabels: LabelSet | undefined;
  let lastVerdict = false;
  return (labels) => {
    if (labels === lastLabels) return lastVerdict;
    let verdict = known.get(labels);
    if (verdict === undefined) {
      verdict = matchers.every(({ name, test }) => test(labels.get(name)));
      known.set(labels, verdict);
    }
    lastLabels = labels;
    lastVerdict = verdict;
    return verdict;
  };
}

function compileLineFilter({ op, operands }: LineFilter): EntryTest {
  const operand = operands[0]!;
  if (operands.length > 1 || operand.kind !== "text" || op === "|>" || op === "!>") {
    throw new LogqlError("a line filter here is one of |= != |~ !~ and one text; or, ip() and patterns are not known", "", 0, 0);
  }
  const wanted = op === "|=" || op === "|~";
  if (op === "|~" || op === "!~") return wanted ? lineTest(compileRegex(operand.text)) : not(lineTest(compileRegex(operand.text)));
  if (operand.text === "") return { holds: () => wanted };
  const contains = containsTest([new TextEncoder().encode(operand.text)]);
  return wanted ? contains : not(contains);
}

function not(test: EntryTest): EntryTest {
  return { start: (batch) => test.start?.(batch), holds: (batch, i) => !test.holds(batch, i) };
}

/** Is there a backtick outside of double quotes? */
function hasBacktick(text: string): boolean {
  return text.replace(/"(?:[^"\\]|\\.)*"/gs, "").includes("`");
}
