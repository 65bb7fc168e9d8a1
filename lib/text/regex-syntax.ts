// RE2 syntax to a tree. Whether a pattern is allowed, and the error text when it is not, is re2js's business; this parser runs only
// on patterns that re2js has accepted, and says what they mean. Source: RE2's syntax page, Go's regexp/syntax with Perl flags.

import {
  ANY,
  type CharSet,
  foldCase,
  NOT_LINE_FEED,
  negate,
  normalize,
  PERL_CLASSES,
  POSIX_CLASSES,
  unicodeClass,
} from "./regex-charset.ts";

export type RegexNode =
  | { readonly kind: "empty" }
  /** One code point out of `set`. `codePoint` is the literal as written, -1 for a class; `fold` when it stands for any case. */
  | { readonly kind: "char"; readonly set: CharSet; readonly codePoint: number; readonly fold: boolean }
  | { readonly kind: "assert"; readonly what: Assertion }
  | { readonly kind: "group"; readonly index: number; readonly of: RegexNode }
  | { readonly kind: "concat" | "alternate"; readonly of: readonly RegexNode[] }
  /** `max` may be Infinity. */
  | { readonly kind: "repeat"; readonly of: RegexNode; readonly min: number; readonly max: number; readonly greedy: boolean };

export type Assertion = "textStart" | "textEnd" | "lineStart" | "lineEnd" | "word" | "notWord";

export interface RegexTree {
  readonly root: RegexNode;
  /** Names by group index; `""` for an unnamed group and for group 0. A name may occur twice. */
  readonly groupNames: readonly string[];
}

export const EMPTY: RegexNode = { kind: "empty" };

interface Flags {
  fold: boolean;
  multiLine: boolean;
  dotAll: boolean;
  ungreedy: boolean;
}

/** Parses a pattern that re2js accepts. */
export function parseRegex(pattern: string, dotAll = false): RegexTree {
  const parser = new RegexParser(pattern, dotAll);
  const root = parser.alternation();
  return { root, groupNames: parser.groupNames };
}

class RegexParser {
  readonly groupNames: string[] = [""];
  readonly #pattern: string;
  #at = 0;
  #flags: Flags;
  /** A pattern may be a hundred thousand letters, and they are not that many different ones. */
  readonly #foldedSets = new Map<string, CharSet>();

  constructor(pattern: string, dotAll: boolean) {
    this.#pattern = pattern;
    this.#flags = { fold: false, multiLine: false, dotAll, ungreedy: false };
  }

  alternation(): RegexNode {
    const branches: RegexNode[] = [this.#concatenation()];
    while (this.#take("|")) branches.push(this.#concatenation());
    return branches.length === 1 ? branches[0]! : { kind: "alternate", of: branches };
  }

  #concatenation(): RegexNode {
    const parts: RegexNode[] = [];
    while (this.#at < this.#pattern.length && !this.#sees("|") && !this.#sees(")")) this.#item(parts);
    return parts.length === 0 ? EMPTY : parts.length === 1 ? parts[0]! : { kind: "concat", of: parts };
  }

  /** Adds one item with its repetition, or what `\Q…\E` holds, or nothing for `(?flags)`. */
  #item(parts: RegexNode[]): void {
    if (this.#take("\\Q")) {
      const end = this.#pattern.indexOf("\\E", this.#at);
      const text = this.#pattern.slice(this.#at, end < 0 ? undefined : end);
      this.#at = end < 0 ? this.#pattern.length : end + 2;
      for (const char of text) parts.push(this.#literal(char.codePointAt(0)!));
      if (text === "") return;
    } else if (this.#take("\\E")) return;
    else {
      const atom = this.#atom();
      if (atom === null) return;
      parts.push(atom);
    }
    for (let bounds = this.#repetition(); bounds !== null; bounds = this.#repetition()) {
      const lazy = this.#take("?");
      parts.push({ kind: "repeat", of: parts.pop()!, min: bounds[0], max: bounds[1], greedy: lazy === this.#flags.ungreedy });
    }
  }

  #atom(): RegexNode | null {
    const codePoint = this.#next();
    switch (String.fromCodePoint(codePoint)) {
      case "(":
        return this.#group();
      case "[":
        return this.#class();
      case ".":
        return this.#set(this.#flags.dotAll ? ANY : NOT_LINE_FEED);
      case "^":
        return { kind: "assert", what: this.#flags.multiLine ? "lineStart" : "textStart" };
      case "$":
        return { kind: "assert", what: this.#flags.multiLine ? "lineEnd" : "textEnd" };
      case "\\":
        return this.#escape();
      default:
        return this.#literal(codePoint);
    }
  }

  #group(): RegexNode | null {
    const outer = this.#flags;
    if (this.#take("?")) {
      if (this.#sees("P<") || this.#sees("<")) {
        this.#take("P");
        this.#at++;
        const end = this.#pattern.indexOf(">", this.#at);
        const name = this.#pattern.slice(this.#at, end);
        this.#at = end + 1;
        return this.#capture(name);
      }
      this.#flags = { ...outer };
      if (this.#inlineFlags() === ")") return null;
      return this.#groupBody(outer);
    }
    return this.#capture("");
  }

  #capture(name: string): RegexNode {
    const index = this.groupNames.push(name) - 1;
    const outer = this.#flags;
    this.#flags = { ...outer };
    return { kind: "group", index, of: this.#groupBody(outer) };
  }

  #groupBody(outer: Flags): RegexNode {
    const body = this.alternation();
    this.#take(")");
    this.#flags = outer;
    return body;
  }

  /** Reads `i-s:` or `i-s)` into the current flags; returns the character that ended it. */
  #inlineFlags(): string {
    let on = true;
    for (;;) {
      const flag = String.fromCodePoint(this.#next());
      if (flag === ":" || flag === ")") return flag;
      if (flag === "-") on = false;
      else if (flag === "i") this.#flags.fold = on;
      else if (flag === "m") this.#flags.multiLine = on;
      else if (flag === "s") this.#flags.dotAll = on;
      else if (flag === "U") this.#flags.ungreedy = on;
    }
  }

  /** `* + ? {n} {n,} {n,m}` at the current place; null leaves the place as it was. */
  #repetition(): [min: number, max: number] | null {
    if (this.#take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#take("?")) return [0, 1];
    const counted = /^\{(\d+)(,(\d*))?\}/.exec(this.#pattern.slice(this.#at, this.#at + 16));
    if (counted === null) return null;
    const min = Number(counted[1]);
    const max = counted[2] === undefined ? min : counted[3] === "" ? Number.POSITIVE_INFINITY : Number(counted[3]);
    if (min > 1000 || (Number.isFinite(max) && max > 1000)) return null;
    this.#at += counted[0].length;
    return [min, max];
  }

  #escape(): RegexNode {
    const perl = this.#perlClass();
    if (perl !== null) return this.#set(perl);
    if (this.#take("A")) return { kind: "assert", what: "textStart" };
    if (this.#take("z")) return { kind: "assert", what: "textEnd" };
    if (this.#take("b")) return { kind: "assert", what: "word" };
    if (this.#take("B")) return { kind: "assert", what: "notWord" };
    return this.#literal(this.#escapedCodePoint());
  }

  /** `\d \S \pL \P{Greek} …` behind the backslash; null when something else stands there. */
  #perlClass(): CharSet | null {
    const letter = this.#pattern[this.#at]!;
    if ("dswDSW".includes(letter)) {
      this.#at++;
      const set = this.#folded(PERL_CLASSES[letter.toLowerCase()]!);
      return letter >= "a" ? set : negate(set);
    }
    if (letter !== "p" && letter !== "P") return null;
    const named = /^[pP](?:\{(\^?)([^}]*)\}|(.))/u.exec(this.#pattern.slice(this.#at))!;
    this.#at += named[0].length;
    const set = this.#folded(unicodeClass(named[2] ?? named[3]!) ?? []);
    return (letter === "P") === (named[1] === "^") ? set : negate(set);
  }

  #escapedCodePoint(): number {
    const rest = this.#pattern.slice(this.#at, this.#at + 12);
    const hex = /^x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(rest);
    if (hex !== null) {
      this.#at += hex[0].length;
      return Number.parseInt(hex[1] ?? hex[2]!, 16);
    }
    const octal = /^[0-7]{1,3}/.exec(rest);
    if (octal !== null) {
      this.#at += octal[0].length;
      return Number.parseInt(octal[0], 8);
    }
    const codePoint = this.#next();
    return CONTROL_ESCAPES[String.fromCodePoint(codePoint)] ?? codePoint;
  }

  #class(): RegexNode {
    const negated = this.#take("^");
    const ranges: number[] = [];
    for (let first = true; first || !this.#sees("]"); first = false) {
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.#pattern.slice(this.#at, this.#at + 16));
      if (posix !== null) {
        this.#at += posix[0].length;
        const set = this.#folded(POSIX_CLASSES[posix[2]!] ?? []);
        ranges.push(...(posix[1] === "^" ? negate(set) : set));
        continue;
      }
      if (this.#sees("\\")) {
        this.#at++;
        const perl = this.#perlClass();
        if (perl !== null) {
          ranges.push(...perl);
          continue;
        }
        this.#at--;
      }
      const lo = this.#classCodePoint();
      let hi = lo;
      if (this.#sees("-") && this.#pattern[this.#at + 1] !== "]" && this.#at + 1 < this.#pattern.length) {
        this.#at++;
        hi = this.#classCodePoint();
      }
      ranges.push(...this.#folded([lo, hi]));
    }
    this.#at++;
    const set = normalize(ranges);
    return this.#set(negated ? negate(set) : set);
  }

  #classCodePoint(): number {
    return this.#take("\\") ? this.#escapedCodePoint() : this.#next();
  }

  #literal(codePoint: number): RegexNode {
    const set = this.#folded([codePoint, codePoint]);
    return { kind: "char", set, codePoint, fold: set.length > 2 || set[0] !== set[1] };
  }

  #set(set: CharSet): RegexNode {
    const single = set.length === 2 && set[0] === set[1];
    return { kind: "char", set, codePoint: single ? set[0]! : -1, fold: false };
  }

  #folded(set: CharSet): CharSet {
    if (!this.#flags.fold) return set;
    const key = set.join();
    let folded = this.#foldedSets.get(key);
    if (folded === undefined) this.#foldedSets.set(key, (folded = foldCase(set)));
    return folded;
  }

  #next(): number {
    const codePoint = this.#pattern.codePointAt(this.#at)!;
    this.#at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  #sees(text: string): boolean {
    return this.#pattern.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += text.length;
    return true;
  }
}

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

/** Can the node match the empty text? Assertions count as empty. */
export function isNullable(node: RegexNode): boolean {
  switch (node.kind) {
    case "empty":
    case "assert":
      return true;
    case "char":
      return false;
    case "group":
      return isNullable(node.of);
    case "concat":
      return node.of.every(isNullable);
    case "alternate":
      return node.of.some(isNullable);
    case "repeat":
      return node.min === 0 || isNullable(node.of);
  }
}

/** Calls `visit` for the node and everything below it. */
export function walk(node: RegexNode, visit: (node: RegexNode) => void): void {
  visit(node);
  if (node.kind === "group" || node.kind === "repeat") walk(node.of, visit);
  else if (node.kind === "concat" || node.kind === "alternate") for (const child of node.of) walk(child, visit);
}
