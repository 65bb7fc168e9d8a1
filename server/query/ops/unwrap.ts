// `| unwrap status`, `| unwrap duration(took)`, `| unwrap bytes(size)`: a label as the sample's number (reference §2.8).

import type { Unwrap } from "../../../lib/logql/ast.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import { parseHumanBytes } from "../../../lib/text/byte-size.ts";
import { parseGoDurationNs, plainDurationNs } from "../../../lib/text/duration.ts";
import { parseGoFloat } from "../go-number.ts";
import { plainNumber, type SpanReader } from "../line-labels.ts";
import type { LineState } from "../line-state.ts";
import { labelFilterOp } from "./label-filter.ts";

const SAMPLE_ERROR = "SampleExtractionErr";
const NS_PER_SECOND = 1e9;

/** The line's number; undefined when it has none (the label is missing or empty, or a filter behind the unwrap drops the line). */
export type UnwrapOp = (line: LineState) => number | undefined;

export function compileUnwrap({ label, conversion, filters }: Unwrap): UnwrapOp {
  const convert = converter(conversion);
  const read = spanReader(conversion);
  const keeps = filters.map(labelFilterOp);
  return (line) => {
    const { labels } = line;
    const at = labels.indexOf(label);
    let value = at >= 0 ? labels.readSpan(at, read) : undefined;
    if (value === undefined) {
      const text = labels.get(label);
      if (text === undefined || text === "") return undefined;
      try {
        value = convert(text);
      } catch (error) {
        value = 0;
        labels.setError(SAMPLE_ERROR, messageOf(error));
      }
    }
    for (const keep of keeps) if (!keep(line)) return undefined;
    return value;
  };
}

function converter(conversion: Unwrap["conversion"]): (text: string) => number {
  switch (conversion) {
    case null:
      return parseGoFloat;
    case "bytes":
      return parseHumanBytes;
    default:
      return (text) => secondsOf(parseGoDurationNs(text));
  }
}

/** Reads what is a plain number of its kind where it lies, which needs no text. */
export function spanReader(conversion: Unwrap["conversion"]): SpanReader {
  switch (conversion) {
    case null:
      return plainNumber;
    case "bytes":
      return () => undefined;
    default:
      return (bytes, start, end) => {
        const ns = plainDurationNs(bytes, start, end);
        return ns === undefined ? undefined : secondsOf(ns);
      };
  }
}

/** Whole seconds and the rest apart, as Go's Duration.Seconds does it, so that the same bits come out. */
function secondsOf(ns: number): number {
  const whole = Math.trunc(ns / NS_PER_SECOND);
  return whole + (ns % NS_PER_SECOND) / NS_PER_SECOND;
}
