// A parser's view of the tokens: one look ahead, and errors in the form of Loki's generated parser.

import { LogqlError } from "./errors.ts";
import { Lexer } from "./lexer.ts";
import type { Token } from "./tokens.ts";

/**
 * How deep a query may nest, parentheses and operators alike. Real queries stay under thirty; every walk over a tree may rely on it and
 * recurse.
 */
export const NESTING_MAX = 500;

/** How many ops other than line filters a query may have: each keeps names or programs of its own, and is run on each line. */
export const STAGES_MAX = 500;

/** Loki names the expected tokens only when there are at most this many. */
const EXPECTED_MAX = 4;

export class TokenReader {
  readonly #lexer: Lexer;
  /** Read ahead, at most two. A token is read when it is asked for: what stands before it is refused first. */
  readonly #ahead: Token[] = [];
  #open = 0;
  readonly #depths = new WeakMap<object, number>();
  #stages = 0;

  constructor(text: string, keywords: ReadonlySet<string>) {
    this.#lexer = new Lexer(text, keywords);
  }

  /** Kind of the token at hand. */
  get kind(): string {
    return this.#peek(0).kind;
  }

  /** Kind of the token behind the one at hand. */
  get nextKind(): string {
    return this.#peek(1).kind;
  }

  #peek(distance: number): Token {
    while (this.#ahead.length <= distance) this.#ahead.push(this.#lexer.next());
    return this.#ahead[distance]!;
  }

  /** Takes the token at hand, whatever it is. */
  take(): Token {
    const token = this.#peek(0);
    this.#ahead.shift();
    return token;
  }

  /** Takes the token at hand if it is of this kind. */
  takeIf(kind: string): boolean {
    if (this.kind !== kind) return false;
    this.take();
    return true;
  }

  /** Takes a token of this kind; `alternatives` are others that could stand here, for the message. */
  expect(kind: string, ...alternatives: string[]): Token {
    if (this.kind !== kind) throw this.unexpected(kind, ...alternatives);
    return this.take();
  }

  /** The token at hand cannot stand here. */
  unexpected(...expected: string[]): LogqlError {
    const list = expected.length > 0 && expected.length <= EXPECTED_MAX ? `, expecting ${expected.join(" or ")}` : "";
    const { kind, start, lineKnown } = this.#peek(0);
    return this.#lexer.error(`syntax error: unexpected ${kind}${list}`, start, lineKnown);
  }

  /** Notes an op that is no line filter. @throws LogqlError past STAGES_MAX */
  countStage(): void {
    if (++this.#stages > STAGES_MAX) throw LogqlError.semantic(`query has more than ${STAGES_MAX} stages that are no line filters`);
  }

  /** Runs a rule one level deeper. @throws LogqlError past NESTING_MAX */
  deeper<T>(rule: () => T): T {
    if (this.#open >= NESTING_MAX) throw tooDeep();
    this.#open++;
    try {
      return rule();
    } finally {
      this.#open--;
    }
  }

  /** Notes a node above its children, so that chains of operators count as nesting too. @throws LogqlError past NESTING_MAX */
  grow<Node extends object>(node: Node, ...children: readonly object[]): Node {
    const depth = 1 + Math.max(...children.map((child) => this.#depths.get(child) ?? 0));
    if (depth > NESTING_MAX) throw tooDeep();
    this.#depths.set(node, depth);
    return node;
  }
}

const tooDeep = (): LogqlError =>
  LogqlError.semantic(
    `query nests deeper than ${NESTING_MAX} levels; use fewer parentheses or operators, or one regular expression for many values`,
  );
