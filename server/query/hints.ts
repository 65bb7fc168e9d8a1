// What a metric query needs of its parsers. Loki's parsers stop as soon as every label that the query can still look at was extracted, and
// are skipped when it looks at none; what they did not read can't be an error either. That is visible (a count over broken JSON
// succeeds when nobody asks for a label), so the rules here are Loki's (pkg/logql/log/parser_hints.go), not our own guess.

import type { Grouping, LabelFilter, LogExpr, Matcher, Op, Unwrap } from "../../lib/logql/ast.ts";
import { DUPLICATE_SUFFIX, ERROR_LABEL, type LineLabels } from "./line-labels.ts";
import type { LineOp, LineState } from "./line-state.ts";

export interface ParserHints {
  /** The labels that may be asked for; null: all of them. */
  readonly required: readonly string[] | null;
  /** Nothing is asked for: parsers do not run. */
  readonly noLabels: boolean;
  /** The query mentions `__error__`: a parser's error does not fail it. */
  readonly preserveError: boolean;
}

/** How samples are put together into series. */
export interface SeriesGrouping {
  readonly kind: "all" | "none" | "by" | "without";
  /** Sorted; for `without`, the labels left out. */
  readonly labels: readonly string[];
}

export const LOG_QUERY_HINTS: ParserHints = { required: null, noLabels: false, preserveError: false };

/** @param templateLabels names of the labels that a template reads */
export function metricHints(
  log: LogExpr,
  unwrap: Unwrap | null,
  grouping: Grouping | null,
  templateLabels: (template: string) => readonly string[],
): ParserHints {
  const groups = groupsOf(grouping, unwrap);
  const noLabels = grouping !== null && !grouping.without && grouping.labels.length === 0;
  const without = groups.without;
  const names = new Set<string>();
  const add = (name: string): void => {
    names.add(name);
    if (name.endsWith(DUPLICATE_SUFFIX)) names.add(name.slice(0, -DUPLICATE_SUFFIX.length));
  };
  for (const op of log.ops) for (const name of requiredByOp(op, templateLabels)) add(name);
  for (const filter of unwrap?.filters ?? []) for (const name of namesOf(filter)) add(name);
  for (const name of groups.labels) add(name);
  if (unwrap !== null) add(unwrap.label);
  const preserveError = names.has(ERROR_LABEL);
  const required = [...names];
  if (noLabels)
    return required.length === 0 ? { required: null, noLabels: true, preserveError: false } : { required, noLabels: false, preserveError };
  if (without || groups.labels.length === 0) return { required: null, noLabels: false, preserveError };
  return { required, noLabels: false, preserveError };
}

/** The series a sample belongs to, given the grouping of the aggregation around it. The unwrapped label goes unless it is asked for. */
export function seriesGrouping(grouping: Grouping | null, unwrap: Unwrap | null): SeriesGrouping {
  if (grouping !== null && !grouping.without && grouping.labels.length === 0) return { kind: "none", labels: [] };
  const groups = groupsOf(grouping, unwrap);
  if (groups.labels.length === 0) return { kind: "all", labels: [] };
  return { kind: groups.without ? "without" : "by", labels: groups.labels };
}

function groupsOf(grouping: Grouping | null, unwrap: Unwrap | null): { readonly without: boolean; readonly labels: readonly string[] } {
  const labels = [...(grouping?.labels ?? [])];
  let without = grouping?.without ?? false;
  if (unwrap !== null && (labels.length === 0 || without)) {
    without = true;
    labels.push(unwrap.label);
  }
  return { without, labels: [...new Set(labels)].sort() };
}

function requiredByOp(op: Op, templateLabels: (template: string) => readonly string[]): readonly string[] {
  switch (op.kind) {
    case "labelFilter":
      return namesOf(op.filter);
    case "lineFormat":
      return templateLabels(op.template);
    case "labelFormat":
      return op.formats.flatMap(({ from }) => (from.kind === "label" ? [from.text] : templateLabels(from.text)));
    default:
      return [];
  }
}

/** Labels that a filter looks at. */
export function namesOf(filter: LabelFilter): readonly string[] {
  switch (filter.kind) {
    case "string":
      return isIdle(filter.matcher) ? [] : [filter.matcher.name];
    case "and":
    case "or":
      return [...namesOf(filter.left), ...namesOf(filter.right)];
    default:
      return [filter.name];
  }
}

/** A label filter that Loki takes for none: an empty regex, as a dashboard's empty variable makes it, lets every line pass like `.*`. */
export function isIdle({ op, value }: Matcher): boolean {
  return op === "=~" && (value === ".*" || value === "");
}

const SCANNED_NAMES_MAX = 32;

/**
 * Which labels a line was given so far: by its structured metadata, by parsers and by `label_format`. Parsers leave those alone, even
 * when an op has thrown them away since, and have nothing to do once all that are asked for are there. Reset for each line.
 */
export class ExtractionState {
  readonly hints: ParserHints;
  readonly #early: ReadonlyMap<string, LineOp>;
  readonly #required: readonly string[] | null;
  /** The first `#extractedCount` of the array. */
  readonly #extracted: string[] = [];
  #extractedCount = 0;
  /** The same, once they are too many to be scanned for each name. */
  readonly #manyExtracted = new Set<string>();
  #requiredFound = 0;

  /** @param early label filters by label: parsers hold each new label against them at once (see `earlyFilters`) */
  constructor(hints: ParserHints, early: ReadonlyMap<string, LineOp>) {
    this.hints = hints;
    this.#early = early;
    this.#required = hints.required;
  }

  /** @param labels of the line as it begins */
  reset(labels: LineLabels): void {
    this.#extractedCount = 0;
    this.#manyExtracted.clear();
    this.#requiredFound = 0;
    for (let i = 0; i < labels.count; i++) this.note(labels.names[i]!);
  }

  /** Parsers have nothing (more) to do for this line. */
  get nothingWanted(): boolean {
    return this.hints.noLabels || this.complete;
  }

  get complete(): boolean {
    return this.#required !== null && this.#requiredFound === this.#required.length;
  }

  /** Whether somebody asks for the label and it has not been extracted yet. */
  wants(name: string): boolean {
    return (this.#required === null || contains(this.#required, name)) && !this.#hasTaken(name);
  }

  #hasTaken(name: string): boolean {
    if (this.#manyExtracted.size > 0) return this.#manyExtracted.has(name);
    for (let i = 0; i < this.#extractedCount; i++) if (this.#extracted[i] === name) return true;
    return false;
  }

  /** Whether a label beginning with `prefix` is asked for. */
  wantsPrefix(prefix: string): boolean {
    if (this.#required === null) return true;
    for (const name of this.#required) if (name.startsWith(prefix)) return true;
    return false;
  }

  /** The line was given the label. */
  note(name: string): void {
    if (this.#hasTaken(name)) return;
    this.#extracted[this.#extractedCount++] = name;
    if (this.#extractedCount > SCANNED_NAMES_MAX) this.#noteMany();
    if (this.#required !== null && contains(this.#required, name)) this.#requiredFound++;
  }

  #noteMany(): void {
    for (let i = this.#manyExtracted.size; i < this.#extractedCount; i++) this.#manyExtracted.add(this.#extracted[i]!);
  }

  /** A parser has set the label. False when a filter further on refuses it: the line is dropped, and need not be read on. */
  took(name: string, line: LineState): boolean {
    this.note(name);
    const filter = this.#early.get(name);
    return filter === undefined || filter(line);
  }
}

/** `includes`, for the two or three names that are asked of every line: the engine inlines a loop, not that call. */
function contains(names: readonly string[], name: string): boolean {
  for (let i = 0; i < names.length; i++) if (names[i] === name) return true;
  return false;
}
