// Regular expressions over lines that are still bytes: a line that lacks a text every match contains is never made a string.

import type { Regex, RegexLiteral, RegexMatch } from "../lib/text/regex.ts";
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
  const searches = needles.map((needle) => new LineSearch(needle));
  let counts: Uint8Array[] = [];
  return {
    start(batch) {
      counts = searches.map((search) => search.count(batch));
    },
    holds(_batch, i) {
      for (let n = 0; n < counts.length; n++) if (counts[n]![i]! > 0) return true;
      return false;
    },
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

/** Runs an expression over the lines of batch after batch. */
export class LineMatcher {
  readonly #regex: Regex;
  readonly #mayMatch: EntryTest | undefined;
  readonly #pivots: readonly LineSearch[];
  #counts: Uint8Array[] = [];

  constructor(regex: Regex) {
    const pivots = regex.pivots.map((text) => ({ text, ignoreCase: false, foldsBeyondAscii: false }));
    this.#regex = regex;
    this.#pivots = (needlesOf(pivots, 1) ?? []).map((needle) => new LineSearch(needle, 2));
    // Every match has the pivots, so they are a prefilter, too.
    this.#mayMatch = this.#pivots.length === 0 ? linePrefilter(regex) : undefined;
  }

  /** Looks at the batch as a whole; comes before the first `exec` of each batch. */
  start(batch: EntryBatch): void {
    this.#mayMatch?.start?.(batch);
    this.#counts = this.#pivots.map((pivot) => pivot.count(batch));
  }

  exec(batch: EntryBatch, i: number): RegexMatch | null {
    if (this.#mayMatch !== undefined && !this.#mayMatch.holds(batch, i)) return null;
    let eachOnce = this.#counts.length > 0;
    for (let n = 0; n < this.#counts.length; n++) {
      const count = this.#counts[n]![i]!;
      if (count === 0) return null;
      eachOnce &&= count === 1;
    }
    return eachOnce ? this.#regex.execAtPivots(batch.line(i)) : this.#regex.exec(batch.line(i));
  }
}

/** Undefined when one of the texts cannot be found by its bytes, or the search would cost too much. */
function needlesOf(literals: readonly RegexLiteral[], bytesMin: number): Uint8Array[] | undefined {
  if (literals.length === 0 || literals.length > NEEDLES_MAX) return undefined;
  const needles = literals.map(({ text }) => new TextEncoder().encode(text));
  // U+FFFD stands for any invalid bytes of a line.
  const searchable = literals.every(({ ignoreCase, text }, n) => !ignoreCase && !text.includes("\ufffd") && needles[n]!.length >= bytesMin);
  return searchable ? needles : undefined;
}
