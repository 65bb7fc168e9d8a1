// A regex tree as a program of a few instructions (Thompson's construction, as RE2 has it), for the two engines of our own that count their
// steps: RegexDfa says whether there is a match, regex-threads.ts where. Counted repetition is written out.

import { type CharSet, CODE_POINT_MAX } from "./regex-charset.ts";
import { type Assertion, isNullable, type RegexNode, walk } from "./regex-syntax.ts";

export const MATCH = 0;
export const CHAR = 1;
export const SPLIT = 2;
export const SAVE = 3;
export const ASSERT = 4;

/** What stands before and behind a place in a text, as far as assertions ask. */
export const EDGE = 0;
export const LINE_FEED = 1;
export const WORD = 2;
export const OTHER = 3;

/** Instruction i is `op[i]`; instruction 0 is MATCH. */
export interface RegexProgram {
  readonly op: Uint8Array;
  /** The next instruction; of SPLIT the one to be preferred. */
  readonly next: Int32Array;
  /** Of SPLIT the other one, of CHAR an index of `takes`, of SAVE the slot, of ASSERT an index of `ASSERTIONS`. */
  readonly arg: Int32Array;
  readonly start: number;
  /** Characters that no instruction tells apart are of one class. */
  readonly classCount: number;
  /** Whether a CHAR takes a class. */
  readonly takes: readonly Uint8Array[];
  /** Kind of each class, LINE_FEED, WORD or OTHER; OTHER for all when nothing is asserted. */
  readonly kinds: Uint8Array;
  classOf(codePoint: number): number;
}

const ASSERTIONS: readonly Assertion[] = ["textStart", "textEnd", "lineStart", "lineEnd", "word", "notWord"];

/** Does an assertion hold between two characters? @param assertion argument of an ASSERT */
export function holds(assertion: number, before: number, behind: number): boolean {
  switch (ASSERTIONS[assertion]!) {
    case "textStart":
      return before === EDGE;
    case "textEnd":
      return behind === EDGE;
    case "lineStart":
      return before === EDGE || before === LINE_FEED;
    case "lineEnd":
      return behind === EDGE || behind === LINE_FEED;
    case "word":
      return (before === WORD) !== (behind === WORD);
    case "notWord":
      return (before === WORD) === (behind === WORD);
  }
}

/** Instructions that a tree becomes, about; counted without writing it out. */
export function programSize(node: RegexNode): number {
  switch (node.kind) {
    case "group":
      return 2 + programSize(node.of);
    case "concat":
    case "alternate":
      return node.of.reduce((sum, child) => sum + programSize(child), node.of.length);
    case "repeat":
      return 1 + (1 + programSize(node.of)) * Math.max(1, Number.isFinite(node.max) ? node.max : node.min);
    default:
      return 1;
  }
}

export function compileProgram(root: RegexNode): RegexProgram {
  const classes = new CharClasses(root);
  const writer = new Writer(classes);
  const start = writer.write(root, 0);
  return {
    op: Uint8Array.from(writer.op),
    next: Int32Array.from(writer.next),
    arg: Int32Array.from(writer.arg),
    start,
    classCount: classes.count,
    takes: classes.takes,
    kinds: classes.kinds,
    classOf: (codePoint) => classes.of(codePoint),
  };
}

/** Writes from the end to the start: what comes next is known by then. */
class Writer {
  readonly op: number[] = [MATCH];
  readonly next: number[] = [0];
  readonly arg: number[] = [0];
  readonly #classes: CharClasses;

  constructor(classes: CharClasses) {
    this.#classes = classes;
  }

  /** Returns the first instruction of the node, which goes on to `next`. */
  write(node: RegexNode, next: number): number {
    switch (node.kind) {
      case "empty":
        return next;
      case "char":
        return this.#add(CHAR, next, this.#classes.setOf(node.set));
      case "assert":
        return this.#add(ASSERT, next, ASSERTIONS.indexOf(node.what));
      case "group":
        return this.#add(SAVE, this.write(node.of, this.#add(SAVE, next, 2 * node.index + 1)), 2 * node.index);
      case "concat":
        return node.of.reduceRight((at, child) => this.write(child, at), next);
      case "alternate":
        return node.of.map((child) => this.write(child, next)).reduceRight((other, preferred) => this.#add(SPLIT, preferred, other));
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ of, min, max, greedy }: RegexNode & { kind: "repeat" }, next: number): number {
    let at = next;
    if (max === Number.POSITIVE_INFINITY) at = this.#loop(of, min === 0, greedy, next);
    else for (let i = min; i < max; i++) at = this.#choice(this.write(of, at), next, greedy);
    for (let i = max === Number.POSITIVE_INFINITY ? 1 : 0; i < min; i++) at = this.write(of, at);
    return at;
  }

  #loop(of: RegexNode, mayBeLeftOut: boolean, greedy: boolean, next: number): number {
    const again = this.#add(SPLIT, 0, 0);
    const body = this.write(of, again);
    this.next[again] = greedy ? body : next;
    this.arg[again] = greedy ? next : body;
    if (!mayBeLeftOut) return body;
    // As in RE2: where a round can match nothing, `x*` is `(x+)?`, or the order of preference is lost.
    return isNullable(of) ? this.#choice(body, next, greedy) : again;
  }

  #choice(body: number, next: number, greedy: boolean): number {
    return greedy ? this.#add(SPLIT, body, next) : this.#add(SPLIT, next, body);
  }

  #add(op: number, next: number, arg: number): number {
    this.op.push(op);
    this.next.push(next);
    return this.arg.push(arg) - 1;
  }
}

const WORD_BOUNDS = [0x0a, 0x0b, 0x30, 0x3a, 0x41, 0x5b, 0x5f, 0x60, 0x61, 0x7b];

class CharClasses {
  /** First code point of each class's run; runs go to the next one. */
  readonly #starts: Int32Array;
  readonly #low = new Uint16Array(256);
  readonly takes: Uint8Array[] = [];
  readonly kinds: Uint8Array;
  readonly #sets = new Map<string, number>();

  constructor(root: RegexNode) {
    const starts = new Set<number>([0]);
    let asserts = false;
    walk(root, (node) => {
      asserts ||= node.kind === "assert";
      if (node.kind !== "char") return;
      for (let i = 0; i < node.set.length; i += 2) starts.add(node.set[i]!).add(node.set[i + 1]! + 1);
    });
    if (asserts) for (const bound of WORD_BOUNDS) starts.add(bound);
    starts.delete(CODE_POINT_MAX + 1);
    this.#starts = Int32Array.from(starts).sort();
    this.kinds = Uint8Array.from(this.#starts, (first) => (asserts ? kindOf(first) : OTHER));
    for (let code = 0; code < this.#low.length; code++) this.#low[code] = this.#find(code);
  }

  get count(): number {
    return this.#starts.length;
  }

  of(codePoint: number): number {
    return codePoint < 256 ? this.#low[codePoint]! : this.#find(codePoint);
  }

  /** Index in `takes` of a set. */
  setOf(set: CharSet): number {
    const key = set.join();
    let known = this.#sets.get(key);
    if (known === undefined) {
      const takes = new Uint8Array(this.count);
      for (let i = 0; i < set.length; i += 2) {
        for (let at = this.#find(set[i]!); at < this.count && this.#starts[at]! <= set[i + 1]!; at++) takes[at] = 1;
      }
      known = this.takes.push(takes) - 1;
      this.#sets.set(key, known);
    }
    return known;
  }

  #find(codePoint: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= codePoint) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** RE2's word characters are ASCII. */
export function kindOf(codePoint: number): number {
  if (codePoint === 0x0a) return LINE_FEED;
  const isWord =
    (codePoint >= 0x30 && codePoint <= 0x39) ||
    (codePoint >= 0x41 && codePoint <= 0x5a) ||
    codePoint === 0x5f ||
    (codePoint >= 0x61 && codePoint <= 0x7a);
  return isWord ? WORD : OTHER;
}
