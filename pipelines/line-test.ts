// Regular expressions over lines that are still bytes: a line that lacks a text every match contains is never made a string.

import type { Regex, RegexLiteral } from "../lib/text/regex.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import { LineSearch } from "./line-search.ts";

/** A question about the entries of a batch. */
export interface EntryTest {
  /** Looks at the batch as a whole; comes before the first `holds` of each batch. */
  start?(batch: EntryBatch): void;
  holds(batch: EntryBatch, i: number): boolean;
}

/** Alternatives searched for one after the other; more of them cost more than the expression. */
const NEEDLES_MAX = 4;
/** A shorter text is in most lines, so searching it first only costs. */
const NEEDLE_BYTES_MIN = 3;

/** Does the expression match the line? */
export function lineTest(regex: Regex): EntryTest {
  const { shape } = regex;
  if (shape.kind === "always") return { holds: () => true };
  if (shape.kind === "contains") {
    const needles = needlesOf(shape.literals, 1);
    if (needles !== undefined) return containsTest(needles);
  }
  if (shape.kind === "prefix") {
    const prefixes = needlesOf(shape.literals, 1);
    if (prefixes !== undefined) return { holds: (batch, i) => startsWithOne(batch, i, prefixes) };
  }
  const mayMatch = linePrefilter(regex);
  if (mayMatch === undefined) return { holds: (batch, i) => regex.test(batch.line(i)) };
  return {
    start: (batch) => mayMatch.start?.(batch),
    holds: (batch, i) => mayMatch.holds(batch, i) && regex.test(batch.line(i)),
  };
}

/** Does the line contain one of the texts? */
export function containsTest(needles: readonly Uint8Array[]): EntryTest {
  const search = new LineSearch(needles);
  let marks: Uint8Array = new Uint8Array(0);
  return {
    start(batch) {
      marks = search.mark(batch);
    },
    holds: (_batch, i) => marks[i] === 1,
  };
}

function startsWithOne({ bytes, starts, ends }: EntryBatch, i: number, prefixes: readonly Uint8Array[]): boolean {
  const start = starts[i]!;
  for (const prefix of prefixes) {
    let at = 0;
    while (at < prefix.length && bytes[start + at] === prefix[at]) at++;
    if (at === prefix.length && start + at <= ends[i]!) return true;
  }
  return false;
}

/** False when the line certainly does not match; undefined when nothing can be said without the expression. */
export function linePrefilter(regex: Regex): EntryTest | undefined {
  const { all, anyOf } = regex.literals;
  const needles =
    all.length > 0 ? needlesOf(all.slice(0, 1), NEEDLE_BYTES_MIN) : anyOf === null ? undefined : needlesOf(anyOf, NEEDLE_BYTES_MIN);
  return needles && containsTest(needles);
}

/** Undefined when one of the texts cannot be found by its bytes, or the search would cost too much. */
function needlesOf(literals: readonly RegexLiteral[], bytesMin: number): Uint8Array[] | undefined {
  if (literals.length === 0 || literals.length > NEEDLES_MAX) return undefined;
  const needles = literals.map(({ text }) => new TextEncoder().encode(text));
  // U+FFFD stands for any invalid bytes of a line.
  const searchable = literals.every(({ ignoreCase, text }, n) => !ignoreCase && !text.includes("\ufffd") && needles[n]!.length >= bytesMin);
  return searchable ? needles : undefined;
}
