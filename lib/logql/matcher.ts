// Matchers: what they accept, and which of them a selector needs.

import { compileRegex, RegexError } from "../text/regex.ts";
import type { Matcher } from "./ast.ts";
import { checkRegex } from "./check-parsers.ts";
import { LogqlError } from "./errors.ts";

/** The predicate of a matcher over a label's value; an absent label has the value `""`. @throws LogqlError for a regex RE2 refuses */
export function compileMatcher(matcher: Matcher): (value: string) => boolean {
  const { op, value: wanted } = matcher;
  if (op === "=") return (value) => value === wanted;
  if (op === "!=") return (value) => value !== wanted;
  const regex = compileWhole(wanted);
  return op === "=~" ? (value) => regex.test(value) : (value) => !regex.test(value);
}

/** All matchers as one predicate over a label set. @throws LogqlError for a regex RE2 refuses */
export function compileMatchers(matchers: readonly Matcher[]): (labels: { get(name: string): string }) => boolean {
  const compiled = matchers.map((matcher) => ({ name: matcher.name, test: compileMatcher(matcher) }));
  return (labels) => compiled.every(({ name, test }) => test(labels.get(name)));
}

/** True when the matcher takes streams that lack the label. */
export function matchesEmpty(matcher: Matcher): boolean {
  return compileMatcher(matcher)("");
}

/** The matcher itself, when RE2 takes its regex. @throws LogqlError */
export function checkRegexMatcher(matcher: Matcher): Matcher {
  if (matcher.op === "=~" || matcher.op === "!~") compileWhole(matcher.value);
  return matcher;
}

/** Prometheus compiles matchers anchored at both ends, and lets the dot take line feeds. */
function compileWhole(pattern: string): { test(text: string): boolean } {
  try {
    return compileRegex(pattern, { anchored: true, dotAll: true });
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    // Without the anchors and flags, the message shows the pattern as it was written.
    throw LogqlError.semantic(checkRegex(pattern) ?? error.message);
  }
}
