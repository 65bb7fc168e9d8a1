// What a regex says in plain literals: texts that every match must contain (prefilters), and whole patterns that are no more than a
// search for literals (`.*foo.*`, `foo|bar`, `(?i)error`), which never need a regex engine.

import { isNullable, type RegexNode, type RegexTree } from "./regex-syntax.ts";

export interface RegexLiteral {
  /** Lower-cased when `ignoreCase`. */
  readonly text: string;
  readonly ignoreCase: boolean;
  /**
   * An ASCII-only case-insensitive search is not exact for this text: it has letters beyond ASCII, or `k` or `s`, to which Unicode
   * folds the Kelvin sign and the long s.
   */
  readonly foldsBeyondAscii: boolean;
}

export interface RequiredLiterals {
  /** Every match contains each of these. Longest first, none of them empty. */
  readonly all: readonly RegexLiteral[];
  /** Every match contains at least one of these; null when nothing is known. */
  readonly anyOf: readonly RegexLiteral[] | null;
}

/** A pattern as a whole. For `contains`, `equals`, `prefix`, `suffix`, the text matches when one of `literals` does. */
export type RegexShape =
  | { readonly kind: "always" }
  | { readonly kind: "nonEmpty" }
  | { readonly kind: "regex" }
  | { readonly kind: "contains" | "equals" | "prefix" | "suffix"; readonly literals: readonly RegexLiteral[] };

const NONE: RequiredLiterals = { all: [], anyOf: null };
/** Alternatives past this are not listed one by one. */
const LITERALS_MAX = 100;

export function requiredLiteralsOf(tree: RegexTree): RequiredLiterals {
  const found = required(tree.root);
  return { all: [...found.all].sort((a, b) => b.text.length - a.text.length), anyOf: found.anyOf };
}

function required(node: RegexNode): RequiredLiterals {
  switch (node.kind) {
    case "empty":
    case "assert":
      return NONE;
    case "char":
    case "concat":
      return requiredOfSequence(node.kind === "concat" ? node.of : [node]);
    case "group":
      return required(node.of);
    case "repeat":
      return node.min === 0 ? NONE : required(node.of);
    case "alternate":
      return { all: [], anyOf: bestOfEach(node.of) };
  }
}

/** One literal per branch, its longest; null when a branch has none. */
function bestOfEach(branches: readonly RegexNode[]): RegexLiteral[] | null {
  const best: RegexLiteral[] = [];
  for (const branch of branches) {
    const { all, anyOf } = required(branch);
    const longest = all.reduce<RegexLiteral | undefined>((a, b) => (a === undefined || b.text.length > a.text.length ? b : a), undefined);
    if (longest !== undefined) best.push(longest);
    else if (anyOf !== null) best.push(...anyOf);
    else return null;
    if (best.length > LITERALS_MAX) return null;
  }
  return best;
}

function requiredOfSequence(nodes: readonly RegexNode[]): RequiredLiterals {
  const all: RegexLiteral[] = [];
  let anyOf: readonly RegexLiteral[] | null = null;
  const run = new LiteralRun();
  const cut = (): void => {
    const literal = run.take();
    if (literal !== null) all.push(literal);
  };
  for (const node of flatten(nodes)) {
    if (node.kind === "assert" || node.kind === "empty") continue;
    if (node.kind === "char" && node.codePoint >= 0) {
      if (!run.add(node)) {
        cut();
        run.add(node);
      }
      continue;
    }
    cut();
    if (node.kind === "char") continue;
    const inner = required(node);
    all.push(...inner.all);
    if (inner.anyOf !== null && (anyOf === null || shortest(inner.anyOf) > shortest(anyOf))) anyOf = inner.anyOf;
  }
  cut();
  return { all, anyOf };
}

const shortest = (literals: readonly RegexLiteral[]): number => Math.min(...literals.map((literal) => literal.text.length));

/** Collects neighbouring literal characters that agree about case. */
class LiteralRun {
  #text = "";
  #ignoreCase: boolean | null = null;

  add(node: RegexNode & { kind: "char" }): boolean {
    const char = String.fromCodePoint(node.codePoint);
    const cased = node.fold || char.toLowerCase() !== char.toUpperCase();
    if (cased && this.#ignoreCase !== null && this.#ignoreCase !== node.fold) return false;
    if (cased) this.#ignoreCase = node.fold;
    this.#text += char;
    return true;
  }

  take(): RegexLiteral | null {
    const literal = this.#text === "" ? null : literalOf(this.#text, this.#ignoreCase === true);
    this.#text = "";
    this.#ignoreCase = null;
    return literal;
  }
}

function literalOf(text: string, ignoreCase: boolean): RegexLiteral {
  const folded = ignoreCase ? text.toLowerCase() : text;
  return { text: folded, ignoreCase, foldsBeyondAscii: ignoreCase && /[ks\u0080-\uffff]/.test(folded) };
}

/** Groups and nested sequences opened up, so that literals on both sides of a parenthesis join. */
function flatten(nodes: readonly RegexNode[], out: RegexNode[] = []): RegexNode[] {
  for (const node of nodes) {
    let open = node;
    while (open.kind === "group") open = open.of;
    if (open.kind === "concat") flatten(open.of, out);
    else out.push(open);
  }
  return out;
}

/** @param anchored the pattern has to match the whole text */
export function shapeOf(tree: RegexTree, anchored: boolean): RegexShape {
  const parts = flatten([tree.root]).filter((part) => part.kind !== "empty");
  let start = anchored;
  let end = anchored;
  if (isAssert(parts[0], "textStart")) start = parts.shift() !== undefined;
  if (isAssert(parts.at(-1), "textEnd")) end = parts.pop() !== undefined;
  // A leading or trailing `.*` of an open end says nothing; at a fixed end it opens that end, if the dot takes line feeds.
  let anySeen = false;
  while (parts.length > 0 && isAnyText(parts[0]!, start)) {
    parts.shift();
    start = false;
    anySeen = true;
  }
  while (parts.length > 0 && isAnyText(parts.at(-1)!, end)) {
    parts.pop();
    end = false;
  }
  if (parts.length === 0) return start && end && !anySeen ? { kind: "equals", literals: [literalOf("", false)] } : { kind: "always" };
  if (parts.length === 1 && isAnyChar(parts[0]!, start || end)) return { kind: "nonEmpty" };
  const literals = listLiterals(parts);
  if (literals === null) return { kind: "regex" };
  if (literals.some((literal) => literal.text === "") && !(start && end)) return { kind: "always" };
  return { kind: start && end ? "equals" : start ? "prefix" : end ? "suffix" : "contains", literals };
}

const isAssert = (node: RegexNode | undefined, what: string): boolean => node?.kind === "assert" && node.what === what;

/** `.*`: any text where `everything` asks for line feeds too, else any text without. */
function isAnyText(node: RegexNode, everything: boolean): boolean {
  return node.kind === "repeat" && node.min === 0 && node.max === Number.POSITIVE_INFINITY && isDot(node.of, everything);
}

/** `.+` (and `.` where both ends are open) with a dot that takes everything: the text is not empty. */
function isAnyChar(node: RegexNode, fixed: boolean): boolean {
  if (node.kind === "char") return !fixed && isDot(node, true);
  return node.kind === "repeat" && node.min === 1 && isDot(node.of, true) && (!fixed || node.max === Number.POSITIVE_INFINITY);
}

function isDot(node: RegexNode, everything: boolean): boolean {
  if (node.kind === "group") return isDot(node.of, everything);
  if (node.kind !== "char") return false;
  const all = node.set.length === 2 && node.set[0] === 0 && node.set[1] === 0x10ffff;
  const dot = node.set.length === 4 && node.set[1] === 9 && node.set[2] === 11 && node.set[3] === 0x10ffff;
  return all || (dot && !everything);
}

/** All texts the sequence stands for, when they are few and plain; null otherwise. */
function listLiterals(parts: readonly RegexNode[]): RegexLiteral[] | null {
  const texts = expand({ kind: "concat", of: parts });
  if (texts === null) return null;
  const ignoreCase = texts.some((text) => text.ignoreCase === true);
  // One flag for all: a pattern that folds only a part of its letters is left to the engine.
  if (ignoreCase && texts.some((text) => text.ignoreCase === false)) return null;
  return texts.map((text) => literalOf(text.text, ignoreCase));
}

interface CasedText {
  readonly text: string;
  /** null: no letter in it has a case. */
  readonly ignoreCase: boolean | null;
}

function expand(node: RegexNode): CasedText[] | null {
  switch (node.kind) {
    case "empty":
      return [{ text: "", ignoreCase: null }];
    case "assert":
      return null;
    case "group":
      return expand(node.of);
    case "char": {
      if (node.codePoint < 0) return null;
      const text = String.fromCodePoint(node.codePoint);
      return [{ text, ignoreCase: node.fold ? true : text.toLowerCase() !== text.toUpperCase() ? false : null }];
    }
    case "repeat": {
      if (node.min !== node.max || node.max > 8) return null;
      return expand({ kind: "concat", of: Array.from({ length: node.min }, () => node.of) });
    }
    case "alternate": {
      const all: CasedText[] = [];
      for (const branch of node.of) {
        const texts = expand(branch);
        if (texts === null) return null;
        all.push(...texts);
        if (all.length > LITERALS_MAX) return null;
      }
      return all;
    }
    case "concat": {
      let all: CasedText[] = [{ text: "", ignoreCase: null }];
      for (const part of node.of) {
        const texts = expand(part);
        if (texts === null || all.length * texts.length > LITERALS_MAX) return null;
        const joined: CasedText[] = [];
        for (const head of all) {
          for (const tail of texts) {
            if (head.ignoreCase !== null && tail.ignoreCase !== null && head.ignoreCase !== tail.ignoreCase) return null;
            joined.push({ text: head.text + tail.text, ignoreCase: head.ignoreCase ?? tail.ignoreCase });
          }
        }
        all = joined;
      }
      return all;
    }
  }
}

/** Drops what an unanchored yes-or-no search does not need: `.*` and other nullable repetitions of one dot at either end. */
export function trimForTest(root: RegexNode): RegexNode {
  const parts = flatten([root]);
  while (parts.length > 0 && isAnyText(parts[0]!, false)) parts.shift();
  while (parts.length > 0 && isAnyText(parts.at(-1)!, false)) parts.pop();
  return parts.length === 1 ? parts[0]! : parts.length === 0 ? { kind: "empty" } : { kind: "concat", of: parts };
}

/** Does the text consist of one line, so that a leading `.*` reaches back to its start? Then a search may be tied to it. */
export function startsWithAnyText(root: RegexNode): boolean {
  const first = flatten([root])[0];
  return first !== undefined && isNullable(first) && isAnyText(first, false);
}
