// Which lines of a page the ops have to see: line filters over the whole page, as searches for literals.

import { isAscii } from "node:buffer";
import type { Kernels, Needle } from "../../lib/kernels/kernels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { Page } from "../page.ts";
import type { LineState } from "./line-state.ts";
import type { CompiledLineFilter } from "./ops/line-filter.ts";
import type { ScanControl } from "./scan-control.ts";

/** Below this share of candidate lines, a search per line is cheaper than one over the page. */
const PAGE_SEARCH_SHARE_MIN = 1 / 16;

/** Lines that are tested before somebody looks at the clock, less one; a long line is a step of its own. */
const LINES_PER_STEP_MASK = 7;
const LONG_LINE_BYTES = 8192;

type Turns = Pick<ScanControl, "betweenLines">;
type Steps = Generator<void, number>;

export class LineSelector {
  /** Ascending indexes of the selected lines after `select`: the first as many as it returned. Valid until the next call. */
  hits = new Int32Array(4096);
  readonly #filters: readonly CompiledLineFilter[];
  readonly #kernels: Kernels;
  #found = new Int32Array(4096);
  #other = new Int32Array(4096);
  readonly #line: LineState;

  /** @param line scratch for tests of single lines */
  constructor(filters: readonly CompiledLineFilter[], kernels: Kernels, line: LineState) {
    // Positive filters with literals first: they leave the fewest lines for the others. The longest literal is likely the rarest.
    this.#filters = filters.filter((filter) => !filter.passesAll).sort((a, b) => promise(b) - promise(a));
    this.#kernels = kernels;
    this.#line = line;
  }

  get selectsAll(): boolean {
    return this.#filters.length === 0;
  }

  /** Selects among the page's lines `from..to`; returns how many, or -1 when it is all of them (`hits` is not filled then). */
  select(page: Page, from: number, to: number): number {
    const steps = this.#steps(page, from, to);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    return step.value;
  }

  /** The same; others get their turn between tests of lines that take long, and the page has to stay valid until then. */
  selectInTurns(page: Page, from: number, to: number, turns: Turns): number | Promise<number> {
    const steps = this.#steps(page, from, to);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      const turn = turns.betweenLines();
      if (turn instanceof Promise) return goOn(steps, turn, turns);
    }
  }

  /** Yields where a turn may be taken. */
  *#steps(page: Page, from: number, to: number): Steps {
    if (this.#filters.length === 0) return -1;
    const total = page.stats.entryCount;
    if (this.hits.length < total) {
      const room = Math.max(total, this.hits.length * 2);
      this.hits = new Int32Array(room);
      this.#found = new Int32Array(room);
      this.#other = new Int32Array(room);
    }
    let count = -1;
    let ascii: boolean | undefined;
    for (const filter of this.#filters) {
      if (count === 0) return 0;
      const needAscii = filter.needles?.some(({ exact }) => exact === "on ASCII pages") === true;
      if (needAscii) ascii ??= isAscii(page.bytes);
      const exact = filter.needles?.every((n) => n.exact === "always" || (n.exact === "on ASCII pages" && ascii === true)) === true;
      // On other pages such a literal misses lines: beside ASCII there are more spellings of it.
      const usable = filter.needles !== null && !(needAscii && ascii === false);
      const wholePage = usable && (count < 0 || count > total * PAGE_SEARCH_SHARE_MIN);
      count = wholePage ? yield* this.#byPage(page, filter, exact, count, from, to) : yield* this.#byLine(page, filter, count, from, to);
    }
    return count;
  }

  *#byPage(page: Page, filter: CompiledLineFilter, exact: boolean, count: number, from: number, to: number): Steps {
    const found = this.#search(page, filter, from, to);
    if (!filter.negative) {
      const kept = count < 0 ? copy(this.#found, found, this.hits) : intersect(this.hits, count, this.#found, found);
      return exact ? kept : yield* this.#test(page, filter, kept);
    }
    const candidates = count < 0 ? fillRange(this.hits, from, to) : count;
    return exact ? subtract(this.hits, candidates, this.#found, found) : yield* this.#testFound(page, filter, candidates, found);
  }

  /** Fills `#found` with the lines of the range that contain any of the needles. */
  #search(page: Page, filter: CompiledLineFilter, from: number, to: number): number {
    const { entryCount } = page.stats;
    let count = 0;
    for (const { needle } of filter.needles!) {
      if (count === 0) count = this.#find(page, entryCount, needle, this.#found);
      else {
        const more = this.#find(page, entryCount, needle, this.#other);
        if (more === 0) continue;
        const merged = new Int32Array(Math.min(count + more, entryCount) + 1);
        count = union(this.#found, count, this.#other, more, merged);
        this.#found.set(merged.subarray(0, count));
      }
    }
    return from === 0 && to === entryCount ? count : withinRange(this.#found, count, from, to);
  }

  #find(page: Page, entryCount: number, needle: Needle, out: Int32Array): number {
    return this.#kernels.findLines(page.bytes, page.ends, entryCount, needle, out);
  }

  #byLine(page: Page, filter: CompiledLineFilter, count: number, from: number, to: number): Steps {
    return this.#test(page, filter, count < 0 ? fillRange(this.hits, from, to) : count);
  }

  *#test(page: Page, filter: CompiledLineFilter, count: number): Steps {
    let kept = 0;
    for (let k = 0; k < count; k++) {
      const i = this.hits[k]!;
      this.#line.setLine(i, page.bytes, lineStart(page.ends, i), page.ends[i]!);
      if (filter.test(this.#line)) this.hits[kept++] = i;
      if (endsStep(k, this.#line)) yield;
    }
    return kept;
  }

  /** A negative filter whose literals do not settle it: lines without any of them pass, the others are tested. */
  *#testFound(page: Page, filter: CompiledLineFilter, count: number, found: number): Steps {
    let kept = 0;
    let f = 0;
    for (let k = 0; k < count; k++) {
      const i = this.hits[k]!;
      while (f < found && this.#found[f]! < i) f++;
      if (f < found && this.#found[f] === i) {
        this.#line.setLine(i, page.bytes, lineStart(page.ends, i), page.ends[i]!);
        const passes = filter.test(this.#line);
        if (endsStep(f, this.#line)) yield;
        if (!passes) continue;
      }
      this.hits[kept++] = i;
    }
    return kept;
  }
}

async function goOn(steps: Steps, first: Promise<void>, turns: Turns): Promise<number> {
  await first;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    const turn = turns.betweenLines();
    if (turn instanceof Promise) await turn;
  }
}

function endsStep(tested: number, { byteLength }: LineState): boolean {
  return (tested & LINES_PER_STEP_MASK) === LINES_PER_STEP_MASK || byteLength > LONG_LINE_BYTES;
}

function promise(filter: CompiledLineFilter): number {
  if (filter.needles === null || filter.negative) return filter.needles === null ? -1 : 0;
  let shortest = Number.POSITIVE_INFINITY;
  for (const { needle } of filter.needles) shortest = Math.min(shortest, needle.bytes.length);
  return 1 + shortest;
}

function fillRange(out: Int32Array, from: number, to: number): number {
  for (let i = from; i < to; i++) out[i - from] = i;
  return Math.max(0, to - from);
}

function copy(source: Int32Array, count: number, target: Int32Array): number {
  for (let i = 0; i < count; i++) target[i] = source[i]!;
  return count;
}

function withinRange(indexes: Int32Array, count: number, from: number, to: number): number {
  let kept = 0;
  for (let k = 0; k < count; k++) {
    const i = indexes[k]!;
    if (i >= from && i < to) indexes[kept++] = i;
  }
  return kept;
}

function intersect(a: Int32Array, aCount: number, b: Int32Array, bCount: number): number {
  let kept = 0;
  for (let i = 0, j = 0; i < aCount && j < bCount; ) {
    const x = a[i]!;
    const y = b[j]!;
    if (x === y) {
      a[kept++] = x;
      i++;
      j++;
    } else if (x < y) i++;
    else j++;
  }
  return kept;
}

function subtract(a: Int32Array, aCount: number, b: Int32Array, bCount: number): number {
  let kept = 0;
  for (let i = 0, j = 0; i < aCount; i++) {
    const x = a[i]!;
    while (j < bCount && b[j]! < x) j++;
    if (j >= bCount || b[j] !== x) a[kept++] = x;
  }
  return kept;
}

function union(a: Int32Array, aCount: number, b: Int32Array, bCount: number, out: Int32Array): number {
  let kept = 0;
  let i = 0;
  let j = 0;
  while (i < aCount || j < bCount) {
    const x = i < aCount ? a[i]! : 0x7fffffff;
    const y = j < bCount ? b[j]! : 0x7fffffff;
    out[kept++] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return kept;
}
