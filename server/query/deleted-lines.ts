// Which entries of a page pending delete requests take out. A request's query sees the stored line, the stream's labels and the entry's
// structured metadata, as every query does; entries that pass all of its ops are deleted.

import type { Kernels } from "../../lib/kernels/kernels.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Page, PageDelete } from "../page.ts";
import { compareTimes } from "./duplicates.ts";
import { LOG_QUERY_HINTS } from "./hints.ts";
import { LineSelector } from "./line-selector.ts";
import { LineState } from "./line-state.ts";
import { type CompiledPipeline, compilePipeline, runOps } from "./ops/compile.ts";

interface Compiled {
  readonly pipeline: CompiledPipeline;
  readonly selector: LineSelector;
}

/** One per scan: queries of requests are compiled when the first page asks for them. */
export class DeletedLines {
  readonly #kernels: Kernels;
  readonly #compiled = new Map<PageDelete, Compiled>();
  readonly #line = new LineState();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /**
   * @param page its times need not ascend
   * @param more lines that are to be in the answer as well
   * @returns indexes of lines; undefined: none
   */
  of(
    page: Page,
    labels: LabelSet,
    deletes: readonly PageDelete[],
    more: ReadonlySet<number> | undefined = undefined,
  ): ReadonlySet<number> | undefined {
    let found: Set<number> | undefined;
    for (const one of deletes) {
      for (const i of this.#linesOf(page, labels, one)) {
        if (found === undefined) found = new Set(more);
        found.add(i);
      }
    }
    return found ?? more;
  }

  *#linesOf(page: Page, labels: LabelSet, one: PageDelete): Iterable<number> {
    const { entryCount } = page.stats;
    if (one.log === null) {
      for (let i = 0; i < entryCount; i++) if (isWithin(page, i, one)) yield i;
      return;
    }
    const { pipeline, selector } = this.#compile(one);
    const selected = selector.select(page, 0, entryCount);
    const lines = selected < 0 ? undefined : selector.hits;
    const total = selected < 0 ? entryCount : selected;
    for (let k = 0; k < total; k++) {
      const i = lines === undefined ? k : lines[k]!;
      if (isWithin(page, i, one) && this.#passes(page, i, labels, pipeline)) yield i;
    }
  }

  #passes(page: Page, i: number, labels: LabelSet, pipeline: CompiledPipeline): boolean {
    if (pipeline.ops.length === 0) return true;
    this.#line.setEntry(page, i, labels);
    return runOps(pipeline, this.#line);
  }

  #compile(one: PageDelete): Compiled {
    let compiled = this.#compiled.get(one);
    if (compiled === undefined) {
      const pipeline = compilePipeline(one.log!, null, LOG_QUERY_HINTS, this.#kernels);
      compiled = { pipeline, selector: new LineSelector(pipeline.lineFilters, this.#kernels, new LineState()) };
      this.#compiled.set(one, compiled);
    }
    return compiled;
  }
}

function isWithin(page: Page, i: number, { minSec, minNanos, maxSec, maxNanos }: PageDelete): boolean {
  const sec = page.sec[i]!;
  const nanos = page.nanos[i]!;
  return compareTimes(sec, nanos, minSec, minNanos) >= 0 && compareTimes(sec, nanos, maxSec, maxNanos) <= 0;
}
