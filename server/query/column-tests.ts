// Label filters held against key columns instead of a line's labels.

import { JSON_ABSENT, JSON_ESCAPED_STRING, JSON_NULL } from "../../lib/kernels/kernels.ts";
import type { LabelFilter } from "../../lib/logql/ast.ts";
import { unreachable } from "../../lib/runtime/invariant.ts";
import { parseHumanBytes } from "../../lib/text/byte-size.ts";
import { plainDurationNs } from "../../lib/text/duration.ts";
import type { KeyColumns } from "./key-columns.ts";
import { ERROR_LABEL, plainNumber, type SpanReader } from "./line-labels.ts";
import { compareWith, ipTest, textTest } from "./ops/label-filter.ts";
import { SpanMemo } from "./span-memo.ts";

export const DROP = 0;
export const KEEP = 1;
/** Only the filter's own op can tell, which may also set an error. */
export const UNSURE = 2;
export type Verdict = typeof DROP | typeof KEEP | typeof UNSURE;

/** Of a loaded line that the columns are sure of. */
export type ColumnTest = (bytes: Uint8Array, ordinal: number) => Verdict;

const NS_PER_SECOND = 1e9;

/** All bytes of a plain text are characters of their own, so that it says the same however it is read. */
export function isPlain(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** The test of a filter, every name of which is a column (or `__error__`, which a sure line does not have). */
export function columnTest(filter: LabelFilter, columns: KeyColumns): ColumnTest {
  switch (filter.kind) {
    case "and":
      return bothOf(columnTest(filter.left, columns), columnTest(filter.right, columns));
    case "or":
      return eitherOf(columnTest(filter.left, columns), columnTest(filter.right, columns));
    case "string": {
      const matches = textTest(filter.matcher);
      const missing = verdictOf(matches(""));
      const slot = columns.slotOf(filter.matcher.name);
      if (filter.matcher.name === ERROR_LABEL || slot < 0) return () => missing;
      return textColumn(columns, slot, missing, (text) => verdictOf(matches(text)));
    }
    case "ip": {
      const matches = ipTest(filter);
      return textColumn(columns, columns.slotOf(filter.name), DROP, (text) => verdictOf(matches(text)));
    }
    case "number":
      return numberColumn(columns, columns.slotOf(filter.name), plainNumber, compareWith(filter.op, filter.value));
    case "duration":
      return numberColumn(columns, columns.slotOf(filter.name), plainDurationNs, compareWith(filter.op, filter.value * NS_PER_SECOND));
    case "bytes": {
      const holds = compareWith(filter.op, filter.value);
      return textColumn(columns, columns.slotOf(filter.name), DROP, (text) => bytesVerdict(text, holds));
    }
    default:
      return unreachable(filter);
  }
}

function verdictOf(kept: boolean): Verdict {
  return kept ? KEEP : DROP;
}

/** A side that is unsure may set an error, which the other side's word does not undo. */
function bothOf(left: ColumnTest, right: ColumnTest): ColumnTest {
  return (bytes, ordinal) => {
    const one = left(bytes, ordinal);
    const other = right(bytes, ordinal);
    if (one === UNSURE || other === UNSURE) return UNSURE;
    return one === KEEP && other === KEEP ? KEEP : DROP;
  };
}

function eitherOf(left: ColumnTest, right: ColumnTest): ColumnTest {
  return (bytes, ordinal) => {
    const one = left(bytes, ordinal);
    return one === DROP ? right(bytes, ordinal) : one;
  };
}

function numberColumn(columns: KeyColumns, slot: number, read: SpanReader, holds: (value: number) => boolean): ColumnTest {
  return (bytes, ordinal) => {
    const kind = columns.kindOf(ordinal, slot);
    if (kind === JSON_ABSENT || kind === JSON_NULL) return DROP;
    if (kind === JSON_ESCAPED_STRING) return UNSURE;
    const value = read(bytes, columns.startOf(ordinal, slot), columns.endOf(ordinal, slot));
    if (value === undefined) return UNSURE;
    return holds(value) ? KEEP : DROP;
  };
}

/** @param missing the verdict on a line without the label */
function textColumn(columns: KeyColumns, slot: number, missing: Verdict, judge: (text: string) => Verdict): ColumnTest {
  const verdicts = new SpanMemo((text) => (isPlain(text) ? judge(text) : UNSURE));
  return (bytes, ordinal) => {
    const kind = columns.kindOf(ordinal, slot);
    if (kind === JSON_ABSENT || kind === JSON_NULL) return missing;
    if (kind === JSON_ESCAPED_STRING) return UNSURE;
    return verdicts.of(bytes, columns.startOf(ordinal, slot), columns.endOf(ordinal, slot));
  };
}

function bytesVerdict(text: string, holds: (value: number) => boolean): Verdict {
  try {
    return holds(parseHumanBytes(text)) ? KEEP : DROP;
  } catch {
    return UNSURE;
  }
}
