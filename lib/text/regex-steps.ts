// A bound for what one line may cost. Every engine here is linear in the line, but with a factor: the size of the pattern with its counted
// repetitions written out. A thousand of them times a line of 256 KB is seconds in which nothing else runs on the thread.

/** Steps of one search: about a third of a second. */
export const REGEX_STEPS_MAX = 20_000_000;

/** Time in which all matches of one text have to be found: each search may be quick, and there may be as many as characters. */
const MATCHES_MS_MAX = 1_000;
/** Characters of a pattern that messages show. */
const SHOWN_MAX = 200;

/** A search that costs too much. The status is for HTTP: the query asks for too much. */
export class RegexCostError extends Error {
  override readonly name = "RegexCostError";
  readonly status = 400;
  /** @param cost that was not enough: `20000000 steps` */
  constructor(pattern: string, units: number, cost: string) {
    const shown = pattern.length > SHOWN_MAX ? `${pattern.slice(0, SHOWN_MAX)}…` : pattern;
    super(
      `the regular expression \`${shown}\` takes more than ${cost} on a text of ${units} characters; use smaller counted repetitions, or filter long lines out before it`,
    );
  }
}

export class StepBudget {
  readonly #pattern: string;
  readonly #units: number;
  #left: number;

  constructor(pattern: string, units: number, steps = REGEX_STEPS_MAX) {
    this.#pattern = pattern;
    this.#units = units;
    this.#left = steps;
  }

  /** @throws RegexCostError */
  take(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new RegexCostError(this.#pattern, this.#units, `${REGEX_STEPS_MAX} steps`);
  }
}

/** To be called with each match. @throws RegexCostError */
export function createDeadline(pattern: string, units: number): () => void {
  const started = performance.now();
  return () => {
    if (performance.now() - started > MATCHES_MS_MAX) throw new RegexCostError(pattern, units, `${MATCHES_MS_MAX} ms`);
  };
}
