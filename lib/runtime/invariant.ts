/** A mistake of ours, never of the input; not caught below `main`. */
export class BugError extends Error {
  override readonly name = "BugError";
}

export function invariant(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new BugError(`BUG: not true that ${claim}`);
}

/** For the default arm of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new BugError(`BUG: unexpected ${JSON.stringify(value)}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
