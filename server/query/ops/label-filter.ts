// `| level="error"`, `| status >= 500`, `| took > 1s`, `| size > 1MB`, `| addr = ip("10.0.0.0/8")`: keeps lines by their labels.
// A typed comparison of a value that cannot be converted keeps the line and sets `__error__`; a missing label drops it (reference §2.6).

import type { CompareOp, LabelFilter } from "../../../lib/logql/ast.ts";
import { compileMatcher } from "../../../lib/logql/matcher.ts";
import { unreachable } from "../../../lib/runtime/invariant.ts";
import { parseHumanBytes } from "../../../lib/text/byte-size.ts";
import { parseGoDurationNs } from "../../../lib/text/duration.ts";
import { compileIpMatcher } from "../../../lib/text/ip-match.ts";
import { parseGoFloat } from "../go-number.ts";
import { isIdle } from "../hints.ts";
import { ERROR_LABEL } from "../line-labels.ts";
import type { LineOp, LineState } from "../line-state.ts";

const LABEL_FILTER_ERROR = "LabelFilterErr";
const NS_PER_SECOND = 1e9;

export function labelFilterOp(filter: LabelFilter): LineOp {
  switch (filter.kind) {
    case "and":
      return bothOf(labelFilterOp(filter.left), labelFilterOp(filter.right));
    case "or":
      return eitherOf(labelFilterOp(filter.left), labelFilterOp(filter.right));
    case "string":
      return stringFilter(filter.matcher);
    case "ip":
      return ipFilter(filter);
    case "number":
      return typedFilter(filter.name, compareWith(filter.op, filter.value), parseGoFloat);
    case "duration":
      return typedFilter(filter.name, compareWith(filter.op, filter.value * NS_PER_SECOND), parseGoDurationNs, false);
    case "bytes":
      return typedFilter(filter.name, compareWith(filter.op, filter.value), parseHumanBytes, false);
    default:
      return unreachable(filter);
  }
}

/** The right side runs even when the left one has failed: it may set an error, as in Loki. */
function bothOf(left: LineOp, right: LineOp): LineOp {
  return (line) => {
    const kept = left(line);
    return right(line) && kept;
  };
}

function eitherOf(left: LineOp, right: LineOp): LineOp {
  return (line) => left(line) || right(line);
}

function stringFilter(matcher: Parameters<typeof compileMatcher>[0]): LineOp {
  const { name } = matcher;
  if (isIdle(matcher)) return () => true;
  if (matcher.op === "!~" && matcher.value === "") return () => false;
  const matches = compileMatcher(matcher);
  if (name === ERROR_LABEL) return (line) => matches(line.labels.error);
  return (line) => matches(line.labels.get(name) ?? "");
}

function ipFilter({ name, op, pattern }: { readonly name: string; readonly op: "=" | "!="; readonly pattern: string }): LineOp {
  const matcher = compileIpMatcher(pattern);
  const wanted = op === "=";
  return ({ labels }) => {
    // A line with an error is let through, so that the error is seen.
    if (labels.error !== "") return true;
    const value = labels.get(name);
    return value !== undefined && matcher.test(value) === wanted;
  };
}

/** @param spans whether plain decimal numbers may be read straight from the line's bytes */
function typedFilter(name: string, holds: (value: number) => boolean, parse: (text: string) => number, spans = true): LineOp {
  return (line: LineState) => {
    const { labels } = line;
    const at = spans ? labels.indexOf(name) : -1;
    if (at >= 0) {
      const plain = labels.numberAt(at);
      if (plain !== undefined) return holds(plain);
    }
    const text = labels.get(name);
    if (text === undefined) return false;
    try {
      return holds(parse(text));
    } catch (error) {
      // An earlier error may be the more useful one.
      if (labels.error === "") labels.setError(LABEL_FILTER_ERROR, (error as Error).message);
      return true;
    }
  };
}

/** The comparison of a typed label filter, `value <op> right`. */
export function compareWith(op: CompareOp, right: number): (value: number) => boolean {
  switch (op) {
    case "==":
    case "=":
      return (value) => value === right;
    case "!=":
      return (value) => value !== right;
    case ">":
      return (value) => value > right;
    case ">=":
      return (value) => value >= right;
    case "<":
      return (value) => value < right;
    case "<=":
      return (value) => value <= right;
    default:
      return unreachable(op);
  }
}
