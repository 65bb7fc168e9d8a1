// Series by small integers: the label sets that the samples of a metric scan fall into, after grouping. Equal sets get equal numbers; a set
// is put together only when it is seen for the first time.

import { compareCodePoints, quoteGo } from "../../lib/text/go-quote.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { queryErrors } from "./errors.ts";
import type { SeriesGrouping } from "./hints.ts";
import { ERROR_LABEL, type LineLabels, PRESERVE_ERROR_LABEL } from "./line-labels.ts";

/** Labels of a result: unlike a stream's, they may have empty values (a parser extracted nothing). Sorted by name. */
export interface ResultLabels {
  readonly names: readonly string[];
  readonly values: readonly string[];
}

export const NO_LABELS: ResultLabels = { names: [], values: [] };

/** Equal for equal label sets, and for no others. */
export function labelsKey({ names, values }: ResultLabels): string {
  let key = "";
  for (let i = 0; i < names.length; i++) key += `${names[i]}\u0000${values[i]}\u0000`;
  return key;
}

export function sortedLabels(pairs: (readonly [name: string, value: string])[]): ResultLabels {
  pairs.sort((a, b) => compareCodePoints(a[0], b[0]));
  return { names: pairs.map(([name]) => name), values: pairs.map(([, value]) => value) };
}

export function printResultLabels({ names, values }: ResultLabels): string {
  return `{${names.map((name, i) => `${name}=${quoteGo(values[i]!)}`).join(", ")}}`;
}

/** A level for each label of the grouping, the last one with the series' numbers. */
type ValueTree = Map<string | undefined, ValueTree | number>;

export class SeriesTable {
  /** Labels of each series, by number. */
  readonly labels: ResultLabels[] = [];
  readonly #grouping: SeriesGrouping;
  readonly #seriesMax: number;
  readonly #ids = new Map<string, number>();
  readonly #raw = new Map<string, number>();
  /** Series of a `by` grouping, by one value after another. */
  readonly #byValues: ValueTree = new Map();
  readonly #values: (string | undefined)[] = [];
  readonly #baseIds = new Map<LabelSet, number>();
  /** Answers of `ofStream`. */
  readonly #streams = new Map<LabelSet, number>();
  readonly #streamsWithMetadata = new Map<LabelSet, number>();
  #whole = -1;

  constructor(grouping: SeriesGrouping, seriesMax: number) {
    this.#grouping = grouping;
    this.#seriesMax = seriesMax;
  }

  /**
   * The series of every line of a stream, when the stream's labels alone decide it; -1 when lines have to be looked at.
   * @param plain no op changes labels and no structured metadata can take part
   */
  ofStream(base: LabelSet, hasMetadata: boolean): number {
    const known = hasMetadata ? this.#streamsWithMetadata : this.#streams;
    let id = known.get(base);
    if (id === undefined) known.set(base, (id = this.#addStream(base, hasMetadata)));
    return id;
  }

  /** The series of one line. @throws QueryError when the sample carries an error that nobody asked to keep */
  ofLine(labels: LineLabels): number {
    // Details without an error (`drop __error__` leaves them) are a label like others, and no group has them.
    if (labels.error !== "" || (labels.errorDetails !== "" && this.#grouping.kind === "all")) return this.#ofError(labels);
    switch (this.#grouping.kind) {
      case "none":
        return this.ofNothing();
      case "by":
        return this.#by(labels);
      default:
        return this.#all(labels);
    }
  }

  /** The only series of a `none` grouping. */
  ofNothing(): number {
    if (this.#whole < 0) this.#whole = this.add(NO_LABELS);
    return this.#whole;
  }

  /**
   * The series of a `by` grouping.
   * @param values of the grouping's labels in their order; undefined: the line has no such label
   */
  ofValues(values: readonly (string | undefined)[]): number {
    let node = this.#byValues;
    const last = values.length - 1;
    for (let i = 0; i < last; i++) {
      let next = node.get(values[i]) as ValueTree | undefined;
      if (next === undefined) node.set(values[i], (next = new Map()));
      node = next;
    }
    let id = node.get(values[last]) as number | undefined;
    if (id === undefined) {
      const pairs = this.#grouping.labels.flatMap((name, i) => (values[i] === undefined ? [] : [[name, values[i]] as const]));
      node.set(values[last], (id = this.#addChecked(pairs)));
    }
    return id;
  }

  /** The number of a label set. @throws QueryError when there are too many */
  add(labels: ResultLabels): number {
    const key = labelsKey(labels);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#seriesMax > 0 && this.labels.length >= this.#seriesMax) throw queryErrors.tooManySeries(this.#seriesMax);
    const id = this.labels.push(labels) - 1;
    this.#ids.set(key, id);
    return id;
  }

  #addStream(base: LabelSet, hasMetadata: boolean): number {
    const { kind, labels } = this.#grouping;
    if (kind === "none") return this.ofNothing();
    if (kind === "by" && (!hasMetadata || labels.every((name) => base.has(name)))) {
      return this.add(sortedLabels(labels.filter((name) => base.has(name)).map((name) => [name, base.get(name)] as const)));
    }
    if (hasMetadata) return -1;
    const left = kind === "without" ? [...base].filter(([name]) => !labels.includes(name)) : [...base];
    return this.add(sortedLabels(left));
  }

  #by(labels: LineLabels): number {
    const names = this.#grouping.labels;
    for (let i = 0; i < names.length; i++) this.#values[i] = labels.get(names[i]!);
    return this.ofValues(this.#values);
  }

  #all(labels: LineLabels): number {
    let raw = String(this.#baseId(labels.base));
    for (const name of labels.deleted) raw += `\u0000-${name}`;
    for (let i = 0; i < labels.count; i++) raw += `\u0000${labels.names[i]}\u0000${labels.valueAt(i)}`;
    let id = this.#raw.get(raw);
    if (id === undefined) {
      // The raw texts of a high-cardinality query would outgrow the series; past the bound they are remembered no more.
      if (this.#raw.size > RAW_KEYS_MAX) this.#raw.clear();
      this.#raw.set(raw, (id = this.#addChecked(this.#pairs(labels))));
    }
    return id;
  }

  #pairs(labels: LineLabels): [name: string, value: string][] {
    const pairs: [string, string][] = [];
    const { kind, labels: left } = this.#grouping;
    labels.forEach((name, value) => {
      if (kind !== "without" || !left.includes(name)) pairs.push([name, value]);
    });
    return pairs;
  }

  /** Errors are never grouped away: the series is the line's whole label set. */
  #ofError(labels: LineLabels): number {
    const pairs: [string, string][] = [];
    labels.forEach((name, value) => {
      pairs.push([name, value]);
    });
    return this.#addChecked(pairs);
  }

  #addChecked(pairs: (readonly [name: string, value: string])[]): number {
    const labels = sortedLabels(pairs);
    const error = labels.names.indexOf(ERROR_LABEL);
    if (error >= 0 && !labels.names.includes(PRESERVE_ERROR_LABEL))
      throw queryErrors.pipeline(labels.values[error]!, printResultLabels(labels));
    return this.add(labels);
  }

  #baseId(base: LabelSet): number {
    let id = this.#baseIds.get(base);
    if (id === undefined) this.#baseIds.set(base, (id = this.#baseIds.size));
    return id;
  }
}

const RAW_KEYS_MAX = 100_000;

/** Order of results: by names and values, as Prometheus compares label sets. */
export function compareResultLabels(a: ResultLabels, b: ResultLabels): number {
  const shorter = Math.min(a.names.length, b.names.length);
  for (let i = 0; i < shorter; i++) {
    if (a.names[i] !== b.names[i]) return compareCodePoints(a.names[i]!, b.names[i]!);
    if (a.values[i] !== b.values[i]) return compareCodePoints(a.values[i]!, b.values[i]!);
  }
  return a.names.length - b.names.length;
}
