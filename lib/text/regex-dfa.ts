// Whether a regex matches in a text, by a deterministic automaton that is made while it runs: a state is the set of places in the program
// where a match under way may be. A character costs one look-up once its transition is known; making one costs as many steps as there are
// places, and these are counted.

import { ASSERT, CHAR, EDGE, holds, MATCH, type RegexProgram, SAVE, SPLIT } from "./regex-program.ts";
import type { StepBudget } from "./regex-steps.ts";

const UNKNOWN = -1;
const FOUND = -2;

interface State {
  /** Instructions that matches under way have come to, ascending. */
  readonly at: Int32Array;
  /** Kind of the character before. */
  readonly before: number;
  /** By class, and for the end of the text: the next state, FOUND, or UNKNOWN. */
  readonly next: Int32Array;
}

const NOWHERE = new Int32Array(0);

/** Numbers that all states together keep, at four bytes; beyond, they are forgotten and made anew. */
const KEPT_MAX = 2_000_000;

export class RegexDfa {
  readonly #program: RegexProgram;
  readonly #states: State[] = [];
  readonly #known = new Map<string, number>();
  #kept = 0;
  /** Where a match that begins here has come to behind a character, by what stands before and the character's class; null: it has ended. */
  readonly #starts = new Map<number, Int32Array | null>();
  /** By instruction, the step in which it was come to last, and that in which a character led to it. */
  readonly #seen: Uint32Array;
  readonly #taken: Uint32Array;
  #reached: Int32Array;
  #round = 0;

  constructor(program: RegexProgram) {
    this.#program = program;
    this.#seen = new Uint32Array(program.op.length);
    this.#taken = new Uint32Array(program.op.length);
    this.#reached = new Int32Array(program.op.length);
  }

  /** @throws RegexCostError */
  test(text: string, budget: StepBudget): boolean {
    const program = this.#program;
    const atEnd = program.classCount;
    let state = this.#stateOf(NOWHERE, EDGE);
    for (let i = 0; i < text.length; i++) {
      let code = text.charCodeAt(i);
      if (code >= 0xd800 && code < 0xdc00) {
        code = text.codePointAt(i)!;
        if (code > 0xffff) i++;
      }
      const type = program.classOf(code);
      let next = this.#states[state]!.next[type]!;
      if (next === UNKNOWN) next = this.#makeNext(state, type, budget);
      if (next === FOUND) return true;
      state = next;
    }
    const last = this.#states[state]!.next[atEnd]!;
    return (last === UNKNOWN ? this.#makeNext(state, atEnd, budget) : last) === FOUND;
  }

  /** @param type class of the next character, or `classCount` for the end */
  #makeNext(state: number, type: number, budget: StepBudget): number {
    const { at, before, next } = this.#states[state]!;
    const { kinds, classCount } = this.#program;
    const begun = this.#startAt(before, type, budget);
    const reached = begun === null ? null : this.#step(at, before, type, budget, begun);
    if (reached === null) {
      next[type] = FOUND;
      return FOUND;
    }
    // Sorting them and looking the state up.
    budget.take(2 * reached.length);
    const made = this.#stateOf(reached, type === classCount ? EDGE : kinds[type]!);
    // Unless all were forgotten to make room.
    if (this.#states[state]?.next === next) next[type] = made;
    return made;
  }

  #startAt(before: number, type: number, budget: StepBudget): Int32Array | null {
    const key = type * 4 + before;
    let known = this.#starts.get(key);
    if (known === undefined) {
      const reached = this.#step(Int32Array.of(this.#program.start), before, type, budget, NOWHERE);
      this.#starts.set(key, (known = reached === null ? null : reached.slice()));
    }
    return known;
  }

  /**
   * Where matches that stand at `from` are behind the next character, those of `more` included; null when one of them ends here.
   *
   * @returns a view, valid until the next step
   */
  #step(from: Int32Array, before: number, type: number, budget: StepBudget, more: Int32Array): Int32Array | null {
    const { op, next, arg, takes, kinds, classCount } = this.#program;
    const behind = type === classCount ? EDGE : kinds[type]!;
    const round = ++this.#round;
    const seen = this.#seen;
    let count = 0;
    const reach = (at: number): void => {
      if (this.#taken[at] === round) return;
      this.#taken[at] = round;
      this.#reached[count++] = at;
    };
    for (const at of more) reach(at);
    const stack: number[] = [];
    for (const start of from) {
      stack.push(start);
      while (stack.length > 0) {
        const at = stack.pop()!;
        if (seen[at] === round) continue;
        seen[at] = round;
        budget.take(1);
        switch (op[at]) {
          case MATCH:
            return null;
          case CHAR:
            if (type !== classCount && takes[arg[at]!]![type] === 1) reach(next[at]!);
            break;
          case SPLIT:
            stack.push(next[at]!, arg[at]!);
            break;
          case SAVE:
            stack.push(next[at]!);
            break;
          case ASSERT:
            if (holds(arg[at]!, before, behind)) stack.push(next[at]!);
            break;
        }
      }
    }
    return this.#reached.subarray(0, count);
  }

  #stateOf(places: Int32Array, before: number): number {
    const at = places.slice().sort();
    const key = String.fromCharCode(before) + Buffer.from(at.buffer).toString("latin1");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const size = 2 * at.length + this.#program.classCount + 16;
    if (this.#kept + size > KEPT_MAX) {
      this.#states.length = 0;
      this.#known.clear();
      this.#kept = 0;
    }
    this.#kept += size;
    const made = this.#states.push({ at, before, next: new Int32Array(this.#program.classCount + 1).fill(UNKNOWN) }) - 1;
    this.#known.set(key, made);
    return made;
  }
}
