// Where a regex matches in a text, groups included: all ways at once, one thread for each place in the program, in the order in which a
// backtracking engine would try them (Pike's algorithm). The first thread that comes to the end without one before it wins.

import { ASSERT, CHAR, EDGE, holds, kindOf, MATCH, type RegexProgram, SAVE, SPLIT } from "./regex-program.ts";
import type { StepBudget } from "./regex-steps.ts";

interface Thread {
  readonly at: number;
  readonly spans: Int32Array;
}

/**
 * The leftmost match at or behind `from`, as RE2 prefers: `[start0, end0, start1, end1, …]`, -1 for a group that took no part.
 *
 * @throws RegexCostError
 */
export function findSpans(program: RegexProgram, text: string, from: number, groupCount: number, budget: StepBudget): Int32Array | null {
  const search = new ThreadSearch(program, budget);
  let before = from === 0 ? EDGE : kindOf(text.charCodeAt(from - 1));
  for (let i = from; ; ) {
    const code = i < text.length ? text.codePointAt(i)! : -1;
    if (search.found === null) search.begin(i, groupCount);
    else if (search.threads.length === 0) return search.found;
    const behind = code < 0 ? EDGE : kindOf(code);
    search.step(i, code < 0 ? -1 : program.classOf(code), before, behind);
    if (code < 0) return search.found;
    before = behind;
    i += code > 0xffff ? 2 : 1;
  }
}

class ThreadSearch {
  readonly #program: RegexProgram;
  readonly #budget: StepBudget;
  readonly #seen: Uint32Array;
  #round = 0;
  /** In the order of preference. */
  threads: Thread[] = [];
  found: Int32Array | null = null;

  constructor(program: RegexProgram, budget: StepBudget) {
    this.#program = program;
    this.#budget = budget;
    this.#seen = new Uint32Array(program.op.length);
  }

  begin(at: number, groupCount: number): void {
    const spans = new Int32Array(2 * groupCount + 2).fill(-1);
    spans[0] = at;
    this.threads.push({ at: this.#program.start, spans });
  }

  /** Runs all threads up to the next character and over it. @param type class of the character, -1 at the end */
  step(i: number, type: number, before: number, behind: number): void {
    const { op, next, arg, takes } = this.#program;
    this.#round++;
    const after: Thread[] = [];
    const stack: Thread[] = [];
    for (const thread of this.threads) {
      stack.push(thread);
      while (stack.length > 0) {
        const { at, spans } = stack.pop()!;
        if (this.#seen[at] === this.#round) continue;
        this.#seen[at] = this.#round;
        this.#budget.take(1);
        switch (op[at]) {
          case MATCH:
            this.found = withSlot(spans, 1, i);
            this.threads = after;
            return;
          case CHAR:
            if (type >= 0 && takes[arg[at]!]![type] === 1) after.push({ at: next[at]!, spans });
            break;
          case SPLIT:
            stack.push({ at: arg[at]!, spans }, { at: next[at]!, spans });
            break;
          case SAVE:
            this.#budget.take(spans.length >> 3);
            stack.push({ at: next[at]!, spans: withSlot(spans, arg[at]!, i) });
            break;
          case ASSERT:
            if (holds(arg[at]!, before, behind)) stack.push({ at: next[at]!, spans });
            break;
        }
      }
    }
    this.threads = after;
  }
}

function withSlot(spans: Int32Array, slot: number, at: number): Int32Array {
  const changed = spans.slice();
  changed[slot] = at;
  return changed;
}
