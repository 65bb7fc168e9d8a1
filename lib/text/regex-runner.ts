// How a pattern runs as a JavaScript RegExp, if it may: in which form, on which texts, and whether it ends in time.

import { setFlagsFromString } from "node:v8";
import { emitRegex } from "./regex-emit.ts";
import { isNullable, type RegexNode, walk } from "./regex-syntax.ts";

// The first lets a RegExp that backtracks too often continue on V8's linear engine; the second lets us ask, by flag `l`, whether that
// engine knows a pattern.
setFlagsFromString("--enable-experimental-regexp-engine-on-excessive-backtracks");
setFlagsFromString("--enable-experimental-regexp-engine");

/** One way to run a pattern, and the texts it must not be used for. */
export interface Runner {
  readonly regexp: RegExp;
  readonly hazard: RegExp | null;
  readonly guarded: boolean;
}

export interface Plan {
  readonly narrow: Runner | null;
  /** For texts that the narrow form's hazard finds; made when first needed. */
  wide: Runner | null | undefined;
  readonly root: RegexNode;
  readonly captures: boolean;
}

/** Ways to match at one place, up to which backtracking without the linear engine behind it is harmless. */
const WAYS_MAX = 1_000;

export function planFor(root: RegexNode, captures: boolean): Plan {
  return { narrow: makeRunner(root, captures, false), wide: undefined, root, captures };
}

/** The form of the pattern that is right for this text; null: re2js. */
export function runnerFor(plan: Plan, text: string): Runner | null {
  const narrow = plan.narrow;
  if (narrow === null || narrow.hazard === null || !narrow.hazard.test(text)) return narrow;
  if (plan.wide === undefined) plan.wide = makeRunner(plan.root, plan.captures, true);
  const wide = plan.wide;
  return wide?.hazard?.test(text) ? null : wide;
}

function makeRunner(root: RegexNode, captures: boolean, wide: boolean): Runner | null {
  for (const expandCounts of [false, true]) {
    const emitted = emitRegex(root, { wide, captures, expandCounts });
    if (emitted !== null && isLinear(emitted.source, emitted.flags)) return runner(emitted.source, emitted.flags, emitted.hazard, true);
  }
  const emitted = emitRegex(root, { wide, captures, expandCounts: false });
  if (emitted === null || waysToMatch(root) > WAYS_MAX) return null;
  return runner(emitted.source, emitted.flags, emitted.hazard, false);
}

function runner(source: string, flags: string, hazard: RegExp | null, guarded: boolean): Runner | null {
  try {
    const regexp = new RegExp(source, `g${flags}`);
    // V8 compiles when a RegExp first runs; one that is too large fails then.
    regexp.test("");
    return { regexp, hazard, guarded };
  } catch {
    return null;
  }
}

/** Does V8's linear engine know the pattern? */
function isLinear(source: string, flags: string): boolean {
  try {
    new RegExp(source, `l${flags}`);
    return true;
  } catch {
    return false;
  }
}

/** An upper bound of the ways in which backtracking can go through the pattern from one place; Infinity for a loop. */
function waysToMatch(node: RegexNode): number {
  switch (node.kind) {
    case "group":
      return waysToMatch(node.of);
    case "concat":
      return node.of.reduce((ways, child) => ways * waysToMatch(child), 1);
    case "alternate":
      return node.of.reduce((ways, child) => ways + waysToMatch(child), 0);
    case "repeat": {
      if (node.max === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
      const each = waysToMatch(node.of);
      let ways = 0;
      for (let rounds = node.min; rounds <= node.max && ways <= WAYS_MAX; rounds++) ways += each ** rounds;
      return ways;
    }
    default:
      return 1;
  }
}

/**
 * May JavaScript's match or groups differ from RE2's? In a loop it refuses rounds that match nothing, and forgets groups of earlier
 * rounds. (Whether there is a match at all is the same.)
 */
export function matchesDiffer(root: RegexNode): boolean {
  let differ = false;
  walk(root, (node) => {
    if (node.kind !== "repeat") return;
    if (node.max > 1) differ ||= isNullable(node.of) || hasOptionalGroup(node.of, false);
    else if (node.max === 0) differ ||= hasOptionalGroup(node.of, true);
    // `(a*)?` and `(|a)?`: an optional round that matches nothing is refused as well.
    else if (node.min === 0) differ ||= isNullable(node.of);
  });
  return differ;
}

function hasOptionalGroup(node: RegexNode, optional: boolean): boolean {
  switch (node.kind) {
    case "group":
      return optional || hasOptionalGroup(node.of, false);
    case "concat":
      return node.of.some((child) => hasOptionalGroup(child, optional));
    case "alternate":
      return node.of.some((child) => hasOptionalGroup(child, true));
    case "repeat":
      return hasOptionalGroup(node.of, optional || node.min === 0);
    default:
      return false;
  }
}
