// A regex for texts on which it may take long: every step is counted, and past REGEX_STEPS_MAX it gives up instead of holding the thread.

import { RegexDfa } from "./regex-dfa.ts";
import { compileProgram, type RegexProgram } from "./regex-program.ts";
import { StepBudget } from "./regex-steps.ts";
import type { RegexNode } from "./regex-syntax.ts";
import { findSpans } from "./regex-threads.ts";

export class CountedRegex {
  readonly #program: RegexProgram;
  readonly #dfa: RegexDfa;
  readonly #source: string;
  readonly #groupCount: number;

  /** @param source the pattern, for messages */
  constructor(root: RegexNode, source: string, groupCount: number) {
    this.#program = compileProgram(root);
    this.#dfa = new RegexDfa(this.#program);
    this.#source = source;
    this.#groupCount = groupCount;
  }

  /** @throws RegexCostError */
  test(text: string): boolean {
    return this.#dfa.test(text, new StepBudget(this.#source, text.length));
  }

  /** Start and end of each group of the leftmost match at or behind `from`. @throws RegexCostError */
  spans(text: string, from: number): Int32Array | null {
    // Most texts have no match, and that is the cheaper question.
    if (from === 0 && !this.test(text)) return null;
    return findSpans(this.#program, text, from, this.#groupCount, new StepBudget(this.#source, text.length - from));
  }
}
