// Delete requests as they meet streams and pages: which of a tenant's requests speak of a stream, and what they leave of its pages.

import type { LogExpr, Op } from "../../lib/logql/ast.ts";
import { compileMatchers } from "../../lib/logql/index.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { PageDelete, PageRef, PageStats } from "../page.ts";
import { compareTimes } from "../query/duplicates.ts";
import { parseQuery } from "../query/engine.ts";
import type { Piece } from "./delete-request.ts";

/** A request's query, ready to be held against streams. */
export interface CompiledDelete {
  readonly accepts: (labels: LabelSet) => boolean;
  readonly span: PageDelete;
}

/** A query that lines can be deleted by: a log query. @throws LogqlError, undefined for a metric query */
export function parseDeleteQuery(text: string): LogExpr | undefined {
  const expr = parseQuery(text);
  return expr.kind === "log" ? expr : undefined;
}

/** Without a filter a request takes whole streams, whatever else its query does. */
export function hasFilter(ops: readonly Op[]): boolean {
  return ops.some(({ kind }) => kind === "lineFilter" || kind === "labelFilter");
}

/** @throws LogqlError */
export function compileDelete(query: string, { startMs, endMs }: Piece): CompiledDelete {
  const log = parseDeleteQuery(query);
  if (log === undefined) throw new Error(`${query} is a metric query`);
  const [minSec, minNanos] = secondsOf(startMs);
  const [maxSec, maxNanos] = secondsOf(endMs);
  return {
    accepts: compileMatchers(log.matchers),
    span: { minSec, minNanos, maxSec, maxNanos, log: hasFilter(log.ops) ? log : null },
  };
}

/** What requests leave of a page: undefined: all of it; else those that must be asked line by line, or "nothing". */
export function deletesOfPage(spans: readonly PageDelete[], stats: PageStats): readonly PageDelete[] | "nothing" | undefined {
  const meeting = spans.filter((span) => meets(span, stats));
  if (meeting.length === 0) return undefined;
  return meeting.some((span) => span.log === null && covers(span, stats)) ? "nothing" : meeting;
}

/** The pages that are left, those that lose lines with the requests that say which. */
export function pagesLeft(spans: readonly PageDelete[], pages: readonly PageRef[]): readonly PageRef[] {
  if (spans.length === 0) return pages;
  return pages.flatMap((page) => {
    const deletes = deletesOfPage(spans, page.stats);
    if (deletes === undefined) return [page];
    return deletes === "nothing" ? [] : [{ ...page, deletes }];
  });
}

function meets(span: PageDelete, stats: PageStats): boolean {
  return (
    compareTimes(stats.maxSec, stats.maxNanos, span.minSec, span.minNanos) >= 0 &&
    compareTimes(stats.minSec, stats.minNanos, span.maxSec, span.maxNanos) <= 0
  );
}

function covers(span: PageDelete, stats: PageStats): boolean {
  return (
    compareTimes(stats.minSec, stats.minNanos, span.minSec, span.minNanos) >= 0 &&
    compareTimes(stats.maxSec, stats.maxNanos, span.maxSec, span.maxNanos) <= 0
  );
}

function secondsOf(ms: number): [sec: number, nanos: number] {
  const sec = Math.floor(ms / 1000);
  return [sec, Math.round((ms - sec * 1000) * 1e6)];
}
