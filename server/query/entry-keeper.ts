// Keeps the best entries of a log query within a bound: newest first for `backward`, oldest first for `forward`. Equal entries of one stream
// (same time, line and labels) count once.

import type { EntryTime } from "./entry-floor.ts";
import { queryErrors } from "./errors.ts";
import type { LineLabels } from "./line-labels.ts";
import type { LineState } from "./line-state.ts";
import type { Direction } from "./plan.ts";
import { type ResultLabels, sortedLabels } from "./series-table.ts";

/** The labels of an entry by where they come from. */
export interface EntryLabels {
  readonly stream: ResultLabels;
  readonly metadata: ResultLabels;
  readonly parsed: ResultLabels;
  /** All three together. */
  readonly all: ResultLabels;
}

export interface KeptEntry {
  readonly sec: number;
  readonly nanos: number;
  readonly line: string;
  readonly labels: EntryLabels;
  /** Position of the stream among all of the query, and of the entry among those of its page: ties. */
  readonly stream: number;
  readonly order: number;
}

/** Entries best first. Structured-clonable. */
export type LogPartial = readonly KeptEntry[];

/** Of all lines and sets of labels that are kept, by which a query's memory is bounded: a line may have 256 KiB, and formats make long ones. */
const KEPT_CHARS_MAX = 256 * 1024 * 1024;

export interface KeeperOptions {
  /** A time that so many entries are known to reach that none beyond it are wanted. */
  readonly floor?: EntryTime;
  readonly charsMax?: number;
}

export class EntryKeeper {
  readonly #limit: number;
  readonly #sign: number;
  readonly #charsMax: number;
  #chars = 0;
  #entries: KeptEntry[] = [];
  readonly #floor: EntryTime | undefined;
  /** The worst entry kept once the bound was reached, or the floor. */
  #worst: EntryTime | undefined;
  readonly #sets = new Map<string, EntryLabels>();
  #lastBase: LineLabels["base"] | undefined;
  #lastMetadata: LineLabels["metadata"] | undefined;
  #lastSet: EntryLabels | undefined;

  constructor(limit: number, direction: Direction, { floor, charsMax = KEPT_CHARS_MAX }: KeeperOptions = {}) {
    this.#floor = this.#worst = floor;
    this.#limit = limit;
    this.#charsMax = charsMax;
    this.#sign = direction === "backward" ? -1 : 1;
  }

  /** False when no entry of this time, or beyond it, can be among the best. */
  wants(sec: number, nanos: number): boolean {
    const worst = this.#worst;
    return worst === undefined || (sec - worst.sec || nanos - worst.nanos) * this.#sign <= 0;
  }

  /** @throws QueryError when the entries kept are larger than a result may be */
  add(line: LineState, stream: number, order: number): void {
    this.#push({ sec: line.sec, nanos: line.nanos, line: line.text, labels: this.#labelsOf(line.labels), stream, order });
  }

  /** Takes over what another keeper of the same query kept. @throws QueryError as `add` */
  addAll(entries: LogPartial): void {
    for (const entry of entries) this.#push(entry);
  }

  #push(entry: KeptEntry): void {
    this.#entries.push(entry);
    this.#chars += entry.line.length;
    if (this.#entries.length >= this.#limit * 2 + 64 || this.#chars > this.#charsMax) this.#cut();
  }

  /** Knows its worst entry from when it is full for the first time; later on, entries are cut in batches. */
  fill(): void {
    if (this.#worst === undefined && this.#entries.length >= this.#limit) this.#cut();
  }

  /** Makes up its mind now what the worst entry is, so that `wants` refuses as much as it can. */
  settle(): void {
    if (this.#entries.length >= this.#limit) this.#cut();
  }

  finish(): LogPartial {
    this.#cut();
    return this.#entries;
  }

  #cut(): void {
    const sign = this.#sign;
    if (this.#chars > this.#charsMax) this.#sets.clear();
    this.#entries.sort((a, b) => (a.sec - b.sec || a.nanos - b.nanos || a.stream - b.stream || a.order - b.order) * sign);
    this.#entries = withoutRepeats(this.#entries, this.#limit);
    this.#worst = this.#entries.length >= this.#limit ? this.#entries.at(-1) : this.#floor;
    this.#chars = charsOf(this.#entries);
    if (this.#chars > this.#charsMax) throw queryErrors.resultTooLarge(this.#charsMax);
  }

  /** Lines of a stream that no op gave other labels share a set as long as their entries share a list of metadata. */
  #labelsOf(labels: LineLabels): EntryLabels {
    if (labels.changed) return this.#setOf(labels);
    if (this.#lastSet === undefined || labels.base !== this.#lastBase || labels.metadata !== this.#lastMetadata) {
      this.#lastBase = labels.base;
      this.#lastMetadata = labels.metadata;
      this.#lastSet = this.#setOf(labels);
    }
    return this.#lastSet;
  }

  #setOf(labels: LineLabels): EntryLabels {
    const byCategory: [name: string, value: string][][] = [[], [], []];
    labels.forEach((name, value, category) => {
      byCategory[category]!.push([name, value]);
    });
    const [stream, metadata, parsed] = byCategory as [[string, string][], [string, string][], [string, string][]];
    const key = byCategory.map((pairs) => pairs.map(([name, value]) => `${name}\u0000${value}`).join("\u0000")).join("\u0001");
    let known = this.#sets.get(key);
    if (known === undefined) {
      // Bounded as the entries are: sets of entries that were cut away go, too.
      if (this.#sets.size > this.#limit * 4 + 1024) this.#sets.clear();
      known = {
        stream: sortedLabels(stream),
        metadata: sortedLabels(metadata),
        parsed: sortedLabels(parsed),
        all: sortedLabels([...stream, ...metadata, ...parsed]),
      };
      this.#sets.set(key, known);
      this.#chars += key.length;
    }
    return known;
  }
}

/** Of the lines, and of each set of labels once. */
function charsOf(entries: readonly KeptEntry[]): number {
  const counted = new Set<EntryLabels>();
  let chars = 0;
  for (const { line, labels } of entries) {
    chars += line.length;
    if (counted.has(labels)) continue;
    counted.add(labels);
    for (const value of labels.all.values) chars += value.length;
  }
  return chars;
}

/** At most `limit` entries, the repetitions among those of one time and stream left out. */
function withoutRepeats(sorted: readonly KeptEntry[], limit: number): KeptEntry[] {
  const kept: KeptEntry[] = [];
  let firstOfTime = 0;
  for (const entry of sorted) {
    if (kept.length === limit) break;
    const last = kept.at(-1);
    if (last === undefined || last.sec !== entry.sec || last.nanos !== entry.nanos || last.stream !== entry.stream)
      firstOfTime = kept.length;
    let repeated = false;
    for (let i = firstOfTime; i < kept.length && !repeated; i++)
      repeated = kept[i]!.line === entry.line && sameLabels(kept[i]!.labels.all, entry.labels.all);
    if (!repeated) kept.push(entry);
  }
  return kept;
}

function sameLabels(a: ResultLabels, b: ResultLabels): boolean {
  if (a === b) return true;
  if (a.names.length !== b.names.length) return false;
  for (let i = 0; i < a.names.length; i++) if (a.names[i] !== b.names[i] || a.values[i] !== b.values[i]) return false;
  return true;
}
