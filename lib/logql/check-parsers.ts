// What Loki's regexp and pattern ops refuse, in its words. The functions say what is wrong, null when nothing is.

import { compilePattern, compilePatternFilter, PatternError } from "../text/pattern.ts";
import { compileRegex, RegexError } from "../text/regex.ts";

/** Why RE2 refuses a pattern. */
export function checkRegex(pattern: string): string | null {
  try {
    compileRegex(pattern);
    return null;
  } catch (error) {
    if (error instanceof RegexError) return error.message;
    throw error;
  }
}

/** `| regexp`: at least one named group, and no name twice. */
export function checkRegexpParser(pattern: string): string | null {
  const fault = checkRegex(pattern);
  if (fault !== null) return fault;
  const names = compileRegex(pattern).groupNames.filter((name) => name !== "");
  const duplicate = names.find((name, i) => names.indexOf(name) < i);
  if (duplicate !== undefined) return `duplicate extracted label name '${duplicate}'`;
  return names.length === 0 ? "at least one named capture must be supplied" : null;
}

/** `| pattern`: at least one named capture, none next to another, no name twice. */
export const checkPatternParser = (pattern: string): string | null => patternFault(() => compilePattern(pattern));

/** `|>` and `!>`: placeholders only, none next to another. */
export const checkPatternFilter = (pattern: string): string | null => patternFault(() => compilePatternFilter(pattern));

function patternFault(compile: () => unknown): string | null {
  try {
    compile();
    return null;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** `logfmt a="key"`: the expression is one key of letters, digits and underscores. */
export function checkLogfmtKey(expression: string): string | null {
  const [, key, rest] = /^\s*((?:[\p{L}_][\p{L}\p{N}_]*)?)\s*(.*)$/su.exec(expression)!;
  const fault = (cause: string): string => `cannot parse expression [${expression}]: ${cause}`;
  if (key === "") return fault("syntax error: unexpected $end, expecting KEY");
  if (rest === "") return null;
  if (/^[\p{L}_]/u.test(rest!)) return fault("syntax error: unexpected KEY");
  return fault(`unexpected char ${String.fromCodePoint(rest!.codePointAt(0)!)}`);
}
