// `| level="error"`, `| status >= 500`, `| took > 1s`, `| size > 1MB`, `| addr = ip("10.0.0.0/8")`: keeps lines by their labels.
// A typed comparison of a value that cannot be converted keeps the line and sets `__error__`; a missing label drops it (reference §2.6).

import type { CompareOp, LabelFilter, Matcher } from "../../../lib/logql/ast.ts";
import { compileMatcher } from "../../../lib/logql/matcher.ts";
import { unreachable } from "../../../lib/runtime/invariant.ts";
import { parseHumanBytes } from "../../../lib/text/byte-size.ts";
import { parseGoDurationNs } from "../../../lib/text/duration.ts";
import { compileIpMatcher } from "../../../lib/text/ip-match.ts";
import { parseGoFloat } from "../go-number.ts";
import { isIdle } from "../hints.ts";
import { ERROR_LABEL, plainNumber } from "../line-labels.ts";
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

function stringFilter(matcher: Matcher): LineOp {
  const { name } = matcher;
  const matches = textTest(matcher);
  if (name === ERROR_LABEL) return (line) => matches(line.labels.error);
  return (line) => matches(line.labels.get(name) ?? "");
}

/** What a string filter says of a label's value; of a missing label, what it says of `""`. */
export function textTest(matcher: Matcher): (value: string) => boolean {
  if (isIdle(matcher)) return () => true;
  if (matcher.op === "!~" && matcher.value === "") return () => false;
  return compileMatcher(matcher);
}

function ipFilter(filter: Extract<LabelFilter, { kind: "ip" }>): LineOp {
  const { name } = filter;
  const matches = ipTest(filter);
  return ({ labels }) => {
    // A line with an error is let through, so that the error is seen.
    if (labels.error !== "") return true;
    const value = labels.get(name);
    return value !== undefined && matches(value);
  };
}

/** What an address filter says of a label's value; a line without the label is dropped. */
export function ipTest({ op, pattern }: Extract<LabelFilter, { kind: "ip" }>): (value: string) => boolean {
  const matcher = compileIpMatcher(pattern);
  const wanted = op === "=";
  return (value) => matcher.test(value) === wanted;
}

/** @param spans whether plain decimal numbers may be read straight from the line's bytes */
function typedFilter(name: string, holds: (value: number) => boolean, parse: (text: string) => number, spans = true): LineOp {
  return (line: LineState) => {
    const { labels } = line;
    const at = spans ? labels.indexOf(name) : -1;
    if (at >= 0) {
      const plain = labels.readSpan(at, plainNumber);
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
