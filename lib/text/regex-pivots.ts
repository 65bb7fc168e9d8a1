// Greedy loops in front of literal text: `.*"status":(\d+)`. A backtracking engine runs such a loop to the end of the line and comes back
// a character at a time. Where the literal occurs once in a text, the loop can only end there, and a lazy loop, which looks for the
// literal on its way forward, ends there as well: every other choice is tried in the same order, so the match and its groups are the same.

import { includes } from "./regex-charset.ts";
import type { RegexNode } from "./regex-syntax.ts";

export interface Pivots {
  /** The literals behind the loops. For texts that have each of them exactly once, `root` finds what the pattern finds. */
  readonly texts: readonly string[];
  readonly root: RegexNode;
}

/** A shorter literal is hardly ever alone in a line; of a longer one, the beginning will do. */
const PIVOT_CHARS_MIN = 3;
const PIVOT_CHARS_MAX = 32;

/** Undefined when no loop of the pattern stands before a literal. */
export function pivotsOf(root: RegexNode): Pivots | undefined {
  const loops = new Map<RegexNode, string>();
  const parts = sequence(root);
  parts.forEach((part, at) => {
    if (part.kind !== "repeat" || !part.greedy || part.max !== Number.POSITIVE_INFINITY || part.of.kind !== "char") return;
    const literal = literalAt(parts, at + 1);
    // A loop that has to stop at the literal's first character never goes too far.
    if (literal.length >= PIVOT_CHARS_MIN && includes(part.of.set, literal[0]!)) loops.set(part, String.fromCodePoint(...literal));
  });
  return loops.size === 0 ? undefined : { texts: [...new Set(loops.values())], root: withLazyLoops(root, loops) };
}

/** What the pattern runs through one after the other, each part once: groups and nested sequences opened up. */
function sequence(node: RegexNode, out: RegexNode[] = []): RegexNode[] {
  if (node.kind === "group") sequence(node.of, out);
  else if (node.kind === "concat") for (const part of node.of) sequence(part, out);
  else out.push(node);
  return out;
}

/** Code points of the literal text, case and all, that begins at a part. */
function literalAt(parts: readonly RegexNode[], first: number): number[] {
  const literal: number[] = [];
  for (const part of parts.slice(first, first + PIVOT_CHARS_MAX)) {
    if (part.kind !== "char" || part.codePoint < 0 || part.fold) break;
    literal.push(part.codePoint);
  }
  return literal;
}

function withLazyLoops(node: RegexNode, loops: ReadonlyMap<RegexNode, string>): RegexNode {
  if (node.kind === "group") return { ...node, of: withLazyLoops(node.of, loops) };
  if (node.kind === "concat") return { ...node, of: node.of.map((part) => withLazyLoops(part, loops)) };
  return node.kind === "repeat" && loops.has(node) ? { ...node, greedy: false } : node;
}
