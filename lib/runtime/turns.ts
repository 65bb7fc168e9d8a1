// Long work on one thread, in turns: after some milliseconds of it, everything else that waits (requests, timers, other long work) has its
// turn. Of all the work that waits for its next turn one piece goes on per round of the event loop, so that ten long queries hold up a small
// request for no longer than one does.

/** To be called between pieces of work of well below a millisecond; a promise has to be awaited. @throws when the work is to stop */
export type TakeTurn = () => Promise<void> | void;

/** How long work keeps the thread before others have their turn. */
const TURN_MS = 8;

/** For work that is known to be short, and for tests. */
export const NO_TURNS: TakeTurn = () => {};

/** @param throwIfStopped called before and after each pause */
export function createTurns(throwIfStopped: () => void = () => {}): TakeTurn {
  let turnStarted = performance.now();
  return () => {
    if (performance.now() - turnStarted < TURN_MS) return;
    throwIfStopped();
    return nextTurn().then(() => {
      turnStarted = performance.now();
      throwIfStopped();
    });
  };
}

const waiting: (() => void)[] = [];

/** Resolves when everybody who waits already has had a turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(serveOne);
  });
}

function serveOne(): void {
  // An immediate that is set within one runs in the next round, after what has come in meanwhile.
  if (waiting.length > 1) setImmediate(serveOne);
  waiting.shift()!();
}

/** Calls the function with each item, in turns. */
export async function forEachInTurns<T>(items: Iterable<T>, takeTurn: TakeTurn, visit: (item: T) => void): Promise<void> {
  for (const item of items) {
    visit(item);
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
}

/** What the function makes of each item, in turns. */
export async function mapInTurns<T, U>(items: Iterable<T>, takeTurn: TakeTurn, make: (item: T) => U): Promise<U[]> {
  const made: U[] = [];
  await forEachInTurns(items, takeTurn, (item) => void made.push(make(item)));
  return made;
}

/** A sorted copy, stable as `Array.sort` is, made in turns. */
export async function sortInTurns<T>(items: readonly T[], takeTurn: TakeTurn, compare: (a: T, b: T) => number): Promise<T[]> {
  const steps = sortInSteps(items, compare);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
}

/** Items that are sorted in one step: a millisecond or two, however dear the comparison. */
const RUN_ITEMS = 1024;

/** The same, for who has turns of another kind to take where this yields. */
export function* sortInSteps<T>(items: readonly T[], compare: (a: T, b: T) => number): Generator<undefined, T[]> {
  let from = items.slice();
  if (from.length <= RUN_ITEMS) return from.sort(compare);
  for (let start = 0; start < from.length; start += RUN_ITEMS) {
    const run = from.slice(start, start + RUN_ITEMS).sort(compare);
    for (let i = 0; i < run.length; i++) from[start + i] = run[i]!;
    yield;
  }
  let into = new Array<T>(from.length);
  for (let width = RUN_ITEMS; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) yield* mergeRuns(from, into, start, width, compare);
    [from, into] = [into, from];
  }
  return from;
}

/** Merges the runs `[start, start + width)` and `[start + width, start + 2 * width)`, as far as there are so many. */
function* mergeRuns<T>(
  from: readonly T[],
  into: T[],
  start: number,
  width: number,
  compare: (a: T, b: T) => number,
): Generator<undefined, void> {
  const middle = Math.min(start + width, from.length);
  const end = Math.min(start + 2 * width, from.length);
  let a = start;
  let b = middle;
  for (let at = start; at < end; at++) {
    into[at] = b >= end || (a < middle && compare(from[a]!, from[b]!) <= 0) ? from[a++]! : from[b++]!;
    if ((at & (RUN_ITEMS - 1)) === 0) yield;
  }
}
