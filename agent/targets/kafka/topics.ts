// Which of a cluster's topics are read: those named, and those a pattern fits.

import { messageOf } from "../../../lib/runtime/invariant.ts";
import { compileRegex } from "../../../lib/text/regex.ts";

/** Topics the brokers keep for themselves are read only when they are named. */
const INTERNAL = /^__/;

export type TopicChoice = (existing: readonly string[]) => string[];

/** @param wanted names, and RE2 patterns that begin with `^` @throws Error naming the pattern RE2 refuses */
export function chooseTopics(wanted: readonly string[]): TopicChoice {
  const names = new Set(wanted.filter((topic) => !topic.startsWith("^")));
  const patterns = wanted.filter((topic) => topic.startsWith("^")).map(compile);
  return (existing) =>
    existing.filter((topic) => names.has(topic) || (!INTERNAL.test(topic) && patterns.some((pattern) => pattern.test(topic)))).sort();
}

function compile(pattern: string) {
  try {
    return compileRegex(pattern);
  } catch (error) {
    throw new Error(`topics: ${JSON.stringify(pattern)} is no regular expression: ${messageOf(error)}`);
  }
}
