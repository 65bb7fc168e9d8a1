// Label sets: the small, indexed set of name=value pairs that identifies a stream.
//
// Sets are interned: two sets with the same pairs are the same object, so a stream is found by identity and a set can be a Map
// key. The intern table holds sets weakly; a set remembers its most recent transitions (`with`, `without`), so that the hot
// path of a pipeline (`labels.with("stream", "stdout")` for each entry) is two Map look-ups and no allocation.

import { compareCodePoints, quoteGo } from "../text/go-quote.ts";

/** Transitions remembered per set; past this the cache is emptied, which costs time and never correctness. */
const TRANSITIONS_MAX = 2_048;

const interned = new Map<string, WeakRef<LabelSet>>();
const collected = new FinalizationRegistry<string>((text) => {
  if (interned.get(text)?.deref() === undefined) interned.delete(text);
});

export type LabelPair = readonly [name: string, value: string];

export class LabelSet implements Iterable<LabelPair> {
  /** Sorted by code point, without repeats; `values[i]` belongs to `names[i]`. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  readonly #text: string;
  #with: Map<string, Map<string, LabelSet>> | undefined;
  #putEmpty: Map<string, LabelSet> | undefined;
  #transitions = 0;

  private constructor(names: readonly string[], values: readonly string[], text: string) {
    this.names = names;
    this.values = values;
    this.#text = text;
  }

  /** The set without labels. (No static field: the compiler would make it before the class has its name.) */
  static get EMPTY(): LabelSet {
    return EMPTY;
  }

  /** The set of these pairs. A repeated name keeps its last value; an empty value means the label is absent. */
  static of(pairs: Iterable<LabelPair>): LabelSet {
    const last = new Map<string, string>(pairs);
    const names = [...last.keys()].filter((name) => last.get(name) !== "").sort(compareCodePoints);
    return LabelSet.#intern(
      names,
      names.map((name) => last.get(name)!),
    );
  }

  static fromObject(object: Readonly<Record<string, string>>): LabelSet {
    return LabelSet.of(Object.entries(object));
  }

  static #intern(names: readonly string[], values: readonly string[]): LabelSet {
    const text = printLabels(names, values);
    const known = interned.get(text)?.deref();
    if (known !== undefined) return known;
    const set = new LabelSet(names, values, text);
    interned.set(text, new WeakRef(set));
    collected.register(set, text);
    return set;
  }

  get size(): number {
    return this.names.length;
  }

  /** The label's value, `""` when the set lacks it (an absent label and an empty one are the same to every matcher). */
  get(name: string): string {
    const at = this.names.indexOf(name);
    return at < 0 ? "" : this.values[at]!;
  }

  has(name: string): boolean {
    return this.names.includes(name);
  }

  /** This set with one label set to `value`; an empty value removes the label. */
  with(name: string, value: string): LabelSet {
    let byValue = this.#with?.get(name);
    const known = byValue?.get(value);
    if (known !== undefined) return known;
    const next = this.#change(name, value);
    if (this.#transitions++ >= TRANSITIONS_MAX) {
      this.#with = undefined;
      this.#transitions = 0;
      byValue = undefined;
    }
    this.#with ??= new Map();
    if (byValue === undefined) this.#with.set(name, (byValue = new Map()));
    byValue.set(value, next);
    return next;
  }

  without(name: string): LabelSet {
    return this.has(name) ? this.with(name, "") : this;
  }

  /** As `with`, but an empty value is kept as a label with an empty value: so do pipelines, whose stages Promtail lets set one. */
  put(name: string, value: string): LabelSet {
    if (value !== "") return this.with(name, value);
    let next = this.#putEmpty?.get(name);
    if (next === undefined) {
      next = this.has(name) && this.get(name) === "" ? this : this.#replace(name, "");
      this.#putEmpty ??= new Map();
      this.#putEmpty.set(name, next);
    }
    return next;
  }

  #change(name: string, value: string): LabelSet {
    if (value !== "") return this.get(name) === value ? this : this.#replace(name, value);
    if (!this.has(name)) return this;
    const at = this.names.indexOf(name);
    return LabelSet.#intern(this.names.toSpliced(at, 1), this.values.toSpliced(at, 1));
  }

  #replace(name: string, value: string): LabelSet {
    const at = this.names.indexOf(name);
    if (at >= 0) return LabelSet.#intern(this.names, this.values.with(at, value));
    const behind = this.names.findIndex((other) => compareCodePoints(other, name) > 0);
    const place = behind < 0 ? this.names.length : behind;
    return LabelSet.#intern(this.names.toSpliced(place, 0, name), this.values.toSpliced(place, 0, value));
  }

  *[Symbol.iterator](): Iterator<LabelPair> {
    for (let i = 0; i < this.names.length; i++) yield [this.names[i]!, this.values[i]!];
  }

  toObject(): Record<string, string> {
    return Object.fromEntries(this);
  }

  /** Canonical text: `{a="b", c="d"}`, names sorted, values quoted as Go quotes them. */
  toString(): string {
    return this.#text;
  }
}

const EMPTY = LabelSet.of([]);

/** Joined and not added up: a sum of strings keeps its parts in memory, which take several times as much as the text. */
function printLabels(names: readonly string[], values: readonly string[]): string {
  const pieces = ["{"];
  for (let i = 0; i < names.length; i++) pieces.push(i > 0 ? ", " : "", names[i]!, "=", quoteGo(values[i]!));
  pieces.push("}");
  return pieces.join("");
}

/** `[a-zA-Z_][a-zA-Z0-9_]*`: what Prometheus, Promtail and Loki accept as a label's name. */
export function isLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
}
