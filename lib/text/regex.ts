// Regular expressions with RE2's language, linear in the text, at V8's speed where that is possible.
//
// re2js (an RE2 in JavaScript, 10 to 50 times slower) judges the syntax and gives the error text. To run, a pattern becomes
//
//   shape     a search for literals, when it is no more than that (`.*foo.*`, `foo|bar`)
//   guarded   a JavaScript RegExp that V8's linear engine takes over from when it backtracks too much
//   bounded   a JavaScript RegExp the linear engine does not know, but without loops and with few ways to match
//   re2       re2js
//
// For a text so long that the pattern's size times its length is millions of steps, none of these may be begun, for they cannot be
// stopped: an automaton of our own answers, and one that finds groups, both of which count their steps and refuse to take too many.
//
// Matches are leftmost-first, as RE2's and Go's. Where JavaScript would differ (empty rounds of a loop, groups that keep their text from
// an earlier round, half surrogate pairs, line ends), re2js answers.

import type { Matcher, RE2JS } from "re2js";
import { BoundedCache } from "../runtime/bounded-cache.ts";
import { once } from "../runtime/once.ts";
import { re2 } from "./re2.ts";
import { CountedRegex } from "./regex-counted.ts";
import { judge, RegexError } from "./regex-judge.ts";
import {
  type RegexLiteral,
  type RegexShape,
  type RequiredLiterals,
  requiredLiteralsOf,
  shapeOf,
  startsWithAnyText,
  trimForTest,
} from "./regex-literals.ts";
import { pivotsOf } from "./regex-pivots.ts";
import { programSize } from "./regex-program.ts";
import { matchesDiffer, type Plan, planFor, runnerFor } from "./regex-runner.ts";
import { type Instrumented, instrumentSpans } from "./regex-spans.ts";
import { createDeadline } from "./regex-steps.ts";
import { parseRegex, type RegexNode, type RegexTree } from "./regex-syntax.ts";

export { RegexError } from "./regex-judge.ts";
export type { RegexLiteral, RegexShape, RequiredLiterals } from "./regex-literals.ts";

/** A match: `[0]` the whole, `[i]` group i, undefined when it took no part; `index` is where it starts, in UTF-16 units. */
export interface RegexMatch extends ReadonlyArray<string | undefined> {
  readonly index: number;
  readonly 0: string;
}

export interface RegexOptions {
  /** The pattern has to match the whole text. */
  readonly anchored?: boolean;
  /** The dot takes line feeds, as if `(?s)` stood first. */
  readonly dotAll?: boolean;
}

export interface Regex {
  /** The pattern as it was written. */
  readonly source: string;
  /** Name of group i at index i, `""` for an unnamed one; index 0 is `""`. A name may occur twice. */
  readonly groupNames: readonly string[];
  readonly groupCount: number;
  /** What every match contains, for prefilters. */
  readonly literals: RequiredLiterals;
  /** The whole pattern as a search for literals, when it is one. */
  readonly shape: RegexShape;
  readonly engine: "shape" | "guarded" | "bounded" | "re2";
  test(text: string): boolean;
  /** The leftmost match at or behind `from`. */
  exec(text: string, from?: number): RegexMatch | null;
  /** Literals that `execAtPivots` goes by (regex-pivots.ts), each of them in every match; none when it is no faster than `exec`. */
  readonly pivots: readonly string[];
  /** As `exec`, for a text that has each of the pivots exactly once. */
  execAtPivots(text: string): RegexMatch | null;
  /** As `exec`, but positions: `[start0, end0, start1, end1, …]`, -1 for a group that took no part. */
  execSpans(text: string, from?: number): Int32Array | null;
  /** All matches, without overlaps; an empty match that touches the one before is left out, as in Go. */
  matchAll(text: string): RegexMatch[];
  /** `spans` of all matches, by the rule of `matchAll`. */
  matchAllSpans(text: string): Int32Array[];
  /** Go's ReplaceAllStringFunc: each match replaced by what the function makes of it. */
  replaceAll(text: string, replacement: (match: RegexMatch) => string): string;
}

/** As long as the longest query; above it compiling takes seconds, later minutes and gigabytes. Lists of words belong into labels. */
const PATTERN_UNITS_MAX = 128 * 1024;

/** Compiled patterns that are kept, by their characters together: a query asks for its pattern several times. */
const KEPT_UNITS_MAX = 2 * PATTERN_UNITS_MAX;
const kept = new BoundedCache<CompiledRegex>(KEPT_UNITS_MAX, (_, key) => key.length);

/** Compiles an RE2 pattern, or has it still. @throws RegexError */
export function compileRegex(pattern: string, options: RegexOptions = {}): Regex {
  if (pattern.length > PATTERN_UNITS_MAX) {
    throw new RegexError(`error parsing regexp: expression too large: ${pattern.length} characters, at most ${PATTERN_UNITS_MAX}`, pattern);
  }
  const anchored = options.anchored === true;
  const dotAll = options.dotAll === true;
  const key = `${Number(anchored)}${Number(dotAll)}${pattern}`;
  return kept.get(key, () => new CompiledRegex(pattern, anchored, dotAll));
}

/** Literals that every match of the pattern contains. @throws RegexError */
export function requiredLiterals(pattern: string): RequiredLiterals {
  return compileRegex(pattern).literals;
}

const REFERENCE = once(() => /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu);

/**
 * Go's Regexp.Expand: `$1 ${1} $name ${name}` stand for groups (the longest possible name, an unknown one for nothing), `$$` for a
 * dollar sign.
 */
export function expandTemplate(template: string, match: RegexMatch, groupNames: readonly string[]): string {
  return template.replace(REFERENCE(), (_, bare: string | undefined, braced: string | undefined) => {
    const name = bare ?? braced;
    if (name === undefined) return "$";
    if (/^(?:0|[1-9]\d*)$/.test(name)) return match[Number(name)] ?? "";
    for (let i = 1; i < groupNames.length; i++) if (groupNames[i] === name && match[i] !== undefined) return match[i]!;
    return "";
  });
}

/** A pattern with the auxiliary groups that tell where its groups matched. */
interface SpanPlan {
  readonly plan: Plan;
  readonly instrumented: Instrumented;
}

/** Size of a pattern times length of a text up to which an engine may run that cannot be stopped: at worst, about 50 ms. */
const UNCOUNTED_STEPS_MAX = 1_000_000;

/** A literal shorter than this is not worth a search of its own before the regex runs. */
const PREFILTER_UNITS_MIN = 3;
class CompiledRegex implements Regex {
  readonly source: string;
  readonly groupNames: readonly string[];
  readonly groupCount: number;
  readonly literals: RequiredLiterals;
  readonly shape: RegexShape;
  readonly pivots: readonly string[];
  readonly #tree: RegexTree;
  readonly #pivotRoot: RegexNode;
  readonly #testing: Plan;
  readonly #re2Pattern: string;
  readonly #re2Flags: number;
  readonly #prefilter: string | null;
  /** Texts longer than this are for the engines that count their steps. */
  readonly #unitsMax: number;
  readonly #tiedToStart: boolean;
  #execPlans: ExecPlans | undefined;
  #pivotPlans: ExecPlans | undefined;
  #spanPlan: SpanPlan | undefined;
  #tiedSpanPlan: SpanPlan | undefined;
  #re2: RE2JS | undefined;
  #countedRegex: CountedRegex | undefined;

  constructor(pattern: string, anchored: boolean, dotAll: boolean) {
    this.source = pattern;
    this.#re2Flags = dotAll ? re2().DOTALL : 0;
    const accepted = judge(pattern, this.#re2Flags);
    this.#re2Pattern = anchored ? `\\A(?:${accepted})\\z` : accepted;
    const tree = parseRegex(pattern, dotAll);
    this.groupNames = tree.groupNames;
    this.groupCount = tree.groupNames.length - 1;
    this.literals = requiredLiteralsOf(tree);
    this.shape = shapeOf(tree, anchored);
    this.#tree = anchored ? { ...tree, root: anchor(tree.root) } : tree;
    const pivots = pivotsOf(this.#tree.root);
    this.pivots = pivots?.texts ?? [];
    this.#pivotRoot = pivots?.root ?? this.#tree.root;
    const testRoot = anchored ? this.#tree.root : trimForTest(tree.root);
    this.#testing = planFor(testRoot, false);
    this.#prefilter = prefilterOf(this.literals, testRoot);
    this.#tiedToStart = !anchored && startsWithAnyText(tree.root);
    this.#unitsMax = UNCOUNTED_STEPS_MAX / programSize(tree.root);
  }

  get engine(): "shape" | "guarded" | "bounded" | "re2" {
    if (this.shape.kind !== "regex") return "shape";
    if (this.#testing.narrow === null) return "re2";
    return this.#testing.narrow.guarded ? "guarded" : "bounded";
  }

  test(text: string): boolean {
    const shape = this.shape;
    if (shape.kind !== "regex") {
      const verdict = testShape(shape, text);
      if (verdict !== null) return verdict;
    }
    if (this.#prefilter !== null && !text.includes(this.#prefilter)) return false;
    if (text.length > this.#unitsMax) return this.#counted().test(text);
    const runner = runnerFor(this.#testing, text);
    if (runner === null) return this.#matcher(text).find();
    runner.regexp.lastIndex = 0;
    return runner.regexp.test(text);
  }

  exec(text: string, from = 0): RegexMatch | null {
    if (this.#prefilter !== null && !text.includes(this.#prefilter, from)) return null;
    return this.#run((this.#execPlans ??= new ExecPlans(this.#tree.root)), text, from);
  }

  execAtPivots(text: string): RegexMatch | null {
    return this.#run((this.#pivotPlans ??= new ExecPlans(this.#pivotRoot)), text, 0);
  }

  #run(plans: ExecPlans, text: string, from: number): RegexMatch | null {
    if (text.length - from > this.#unitsMax) return matchOf(this.#counted().spans(text, from), text);
    const runner = runnerFor(this.#startsAtText(text, from) ? plans.tied : plans.free, text);
    if (runner === null) return matchOf(this.#spansRe2(text, from), text);
    runner.regexp.lastIndex = from;
    return runner.regexp.exec(text) as RegexMatch | null;
  }

  execSpans(text: string, from = 0): Int32Array | null {
    if (this.groupCount === 0) {
      const match = this.exec(text, from);
      return match === null ? null : Int32Array.of(match.index, match.index + match[0].length);
    }
    if (this.#prefilter !== null && !text.includes(this.#prefilter, from)) return null;
    if (text.length - from > this.#unitsMax) return this.#counted().spans(text, from);
    const { plan, instrumented } = this.#planForSpans(text, from);
    const runner = runnerFor(plan, text);
    if (runner === null) return this.#spansRe2(text, from);
    runner.regexp.lastIndex = from;
    const match = runner.regexp.exec(text);
    return match === null ? null : instrumented.locate(match, match.index, this.groupCount);
  }

  matchAll(text: string): RegexMatch[] {
    const found: RegexMatch[] = [];
    this.#eachMatch(
      text,
      (from) => {
        const match = this.exec(text, from);
        return match === null ? null : { match, start: match.index, end: match.index + match[0].length };
      },
      (match) => found.push(match),
    );
    return found;
  }

  matchAllSpans(text: string): Int32Array[] {
    const found: Int32Array[] = [];
    this.#eachMatch(
      text,
      (from) => {
        const match = this.execSpans(text, from);
        return match === null ? null : { match, start: match[0]!, end: match[1]! };
      },
      (match) => found.push(match),
    );
    return found;
  }

  replaceAll(text: string, replacement: (match: RegexMatch) => string): string {
    let out = "";
    let copied = 0;
    for (const match of this.matchAll(text)) {
      out += text.slice(copied, match.index) + replacement(match);
      copied = match.index + match[0].length;
    }
    return out + text.slice(copied);
  }

  #eachMatch<M>(text: string, find: (from: number) => { match: M; start: number; end: number } | null, keep: (match: M) => void): void {
    let from = 0;
    let lastEnd = -1;
    const checkTime = createDeadline(this.source, text.length);
    while (from <= text.length) {
      const found = find(from);
      if (found === null) return;
      checkTime();
      const { match, start, end } = found;
      if (end > from || start !== lastEnd) keep(match);
      from = end > from ? end : from + (text.codePointAt(from)! > 0xffff ? 2 : 1);
      lastEnd = end;
    }
  }

  #planForSpans(text: string, from: number): SpanPlan {
    if (this.#startsAtText(text, from)) return (this.#tiedSpanPlan ??= instrument(tied(this.#tree.root)));
    return (this.#spanPlan ??= instrument(this.#tree.root));
  }

  /** A pattern that starts with `.*` matches a text of one line at its start or nowhere: no need to try each place. */
  #startsAtText(text: string, from: number): boolean {
    return this.#tiedToStart && from === 0 && !text.includes("\n");
  }

  #matcher(text: string): Matcher {
    return (this.#re2 ??= re2().compile(this.#re2Pattern, this.#re2Flags)).matcher(text);
  }

  #spansRe2(text: string, from: number): Int32Array | null {
    const matcher = this.#matcher(text);
    if (!matcher.find(from)) return null;
    const spans = new Int32Array(2 * this.groupCount + 2);
    for (let i = 0; i <= this.groupCount; i++) {
      spans[2 * i] = matcher.start(i);
      spans[2 * i + 1] = matcher.end(i);
    }
    return spans;
  }

  #counted(): CountedRegex {
    return (this.#countedRegex ??= new CountedRegex(this.#tree.root, this.source, this.groupCount));
  }
}

/** A pattern made ready to be run, when first it is: as it is, and tied to the start of the text. */
class ExecPlans {
  readonly #root: RegexNode;
  #free: Plan | undefined;
  #tied: Plan | undefined;

  constructor(root: RegexNode) {
    this.#root = root;
  }

  get free(): Plan {
    return (this.#free ??= groupsAsInRe2(this.#root));
  }

  get tied(): Plan {
    return (this.#tied ??= groupsAsInRe2(tied(this.#root)));
  }
}

function groupsAsInRe2(root: RegexNode): Plan {
  return matchesDiffer(root) ? { narrow: null, wide: null, root, captures: true } : planFor(root, true);
}

const tied = (root: RegexNode): RegexNode => ({ kind: "concat", of: [{ kind: "assert", what: "textStart" }, group(root)] });

function matchOf(spans: Int32Array | null, text: string): RegexMatch | null {
  if (spans === null) return null;
  const groups: (string | undefined)[] = [];
  for (let i = 0; i < spans.length; i += 2) groups.push(spans[i]! < 0 ? undefined : text.slice(spans[i], spans[i + 1]));
  return Object.assign(groups, { index: spans[0]! }) as unknown as RegexMatch;
}

function instrument(root: RegexNode): SpanPlan {
  const instrumented = instrumentSpans(root);
  const plan = matchesDiffer(root) ? { narrow: null, wide: null, root, captures: true } : planFor(instrumented.root, true);
  return { plan, instrumented };
}

const group = (node: RegexNode): RegexNode =>
  node.kind === "alternate" ? { kind: "repeat", of: node, min: 1, max: 1, greedy: true } : node;

function anchor(root: RegexNode): RegexNode {
  return {
    kind: "concat",
    of: [{ kind: "assert", what: "textStart" }, group(root), { kind: "assert", what: "textEnd" }],
  };
}

/** A text without which nothing matches, when searching it first is cheaper than starting the regex; null otherwise. */
function prefilterOf(literals: RequiredLiterals, root: RegexNode): string | null {
  const best = literals.all.find((literal) => !literal.ignoreCase && literal.text.length >= PREFILTER_UNITS_MIN);
  const first = root.kind === "concat" ? root.of[0]! : root;
  // V8 searches fast for a pattern that starts with literal text.
  return best === undefined || (first.kind === "char" && first.codePoint >= 0) ? null : best.text;
}

/** Null: the literals fold in ways that plain text search does not follow. */
function testShape(shape: RegexShape, text: string): boolean | null {
  if (shape.kind === "always") return true;
  if (shape.kind === "nonEmpty") return text !== "";
  if (shape.kind === "regex") return null;
  for (const literal of shape.literals) {
    if (literal.ignoreCase) return null;
    if (testLiteral(shape.kind, literal, text)) return true;
  }
  return false;
}

function testLiteral(kind: "contains" | "equals" | "prefix" | "suffix", literal: RegexLiteral, text: string): boolean {
  if (kind === "contains") return text.includes(literal.text);
  if (kind === "equals") return text === literal.text;
  return kind === "prefix" ? text.startsWith(literal.text) : text.endsWith(literal.text);
}
