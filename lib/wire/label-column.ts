// The labels of a batch's entries: the few different sets there are, and by entry the number of its own. What is done to labels is done
// once for each set, and to entries only their numbers change.

import type { LabelSet } from "./labels.ts";

/** Number of an entry that has no labels yet. */
const NONE = -1;
/** Up to so many sets are looked through; more have a map. */
const LOOKED_THROUGH_MAX = 4;
/** Pairs of set and value that what becomes of them is noted for. */
const PAIRS_MAX = 65_536;

export class LabelColumn {
  /** By entry: the number of its set, or NONE. */
  ids: Int32Array;
  /** By number, without repeats; some may have no entry any more. Sets are only added: a number stays valid. */
  sets: LabelSet[];
  #numbers: Map<LabelSet, number> | undefined;
  /** Number of the set asked for last. */
  #last = 0;
  #isFilled = false;

  /** @param ids the column of numbers, which grows by itself; its content is set by `set` and `fill` */
  constructor(ids: Int32Array, sets: LabelSet[] = []) {
    this.ids = ids;
    this.sets = sets;
  }

  /** Labels of entry i; undefined for one that has none. */
  get(i: number): LabelSet | undefined {
    return this.sets[this.ids[i] ?? NONE];
  }

  /** The labels that `fill` gave all entries, while no entry has been given others. */
  get common(): LabelSet | undefined {
    return this.#isFilled ? this.sets[0] : undefined;
  }

  set(i: number, labels: LabelSet): void {
    this.#isFilled = false;
    if (i >= this.ids.length) this.reserve(i + 1);
    this.ids[i] = this.numberOf(labels);
  }

  /** Gives entries 0..count the same labels, and forgets all others. */
  fill(labels: LabelSet, count: number): void {
    this.sets = [labels];
    this.#numbers = undefined;
    this.#last = 0;
    this.ids.fill(0, 0, count);
    this.#isFilled = true;
  }

  /** Makes room for `count` entries; new ones have no labels. */
  reserve(count: number): void {
    if (count <= this.ids.length) return;
    const wider = new Int32Array(Math.max(count, this.ids.length * 2)).fill(NONE, this.ids.length);
    wider.set(this.ids);
    this.ids = wider;
  }

  /** Labels of the entries 0..count as they are now. */
  copy(count: number): LabelColumn {
    const copied = new LabelColumn(this.ids.slice(0, count), this.sets.slice());
    copied.#isFilled = this.#isFilled;
    return copied;
  }

  /** Number of a set, which it has from now on if it had none. */
  numberOf(labels: LabelSet): number {
    const { sets } = this;
    if (sets[this.#last] === labels) return this.#last;
    let number = sets.length > LOOKED_THROUGH_MAX ? this.#numberByMap(labels) : sets.indexOf(labels);
    if (number < 0) {
      number = sets.push(labels) - 1;
      this.#numbers?.set(labels, number);
    }
    this.#last = number;
    return number;
  }

  #numberByMap(labels: LabelSet): number {
    this.#numbers ??= new Map(this.sets.map((set, number) => [set, number]));
    return this.#numbers.get(labels) ?? NONE;
  }

  /** Changes the labels of the entries `picks[0, pickCount)`; `change` is asked once for each set that one of them has. */
  change(picks: Int32Array, pickCount: number, change: (labels: LabelSet) => LabelSet): void {
    const { ids, sets } = this;
    this.#isFilled = false;
    const next = new Int32Array(sets.length).fill(NONE);
    for (let k = 0; k < pickCount; k++) {
      const i = picks[k]!;
      const id = ids[i]!;
      if (next[id] === NONE) next[id] = this.numberOf(change(sets[id]!));
      ids[i] = next[id]!;
    }
  }

  /**
   * As `change`, with a value of the entry's own: `values[i]`, below `valueCount`. Entries whose value is negative stay as they are. Entries
   * without labels may get some.
   */
  combine<Labels extends LabelSet | undefined>(
    picks: Int32Array,
    pickCount: number,
    values: Int32Array | Uint8Array,
    valueCount: number,
    change: (labels: Labels, value: number) => LabelSet,
  ): void {
    const { ids, sets } = this;
    this.#isFilled = false;
    const pairCount = (sets.length + 1) * valueCount;
    if (pairCount > PAIRS_MAX) {
      for (const i of picks.subarray(0, pickCount)) if (values[i]! >= 0) this.set(i, change(this.get(i) as Labels, values[i]!));
      return;
    }
    const next = new Int32Array(pairCount).fill(NONE);
    for (let k = 0; k < pickCount; k++) {
      const i = picks[k]!;
      const value = values[i]!;
      if (value < 0) continue;
      const at = (ids[i]! + 1) * valueCount + value;
      if (next[at] === NONE) next[at] = this.numberOf(change(sets[ids[i]!] as Labels, value));
      ids[i] = next[at]!;
    }
  }

  /** By number: how many of the entries `picks[0, pickCount)` have the set. */
  countOf(picks: Int32Array, pickCount: number): Int32Array {
    const { ids } = this;
    const counts = new Int32Array(this.sets.length);
    for (let k = 0; k < pickCount; k++) counts[ids[picks[k]!]!]!++;
    return counts;
  }

  /** By number: the last entry among `picks[0, pickCount)` that has the set, -1 where none has. */
  lastOf(picks: Int32Array, pickCount: number): Int32Array {
    const { ids } = this;
    const last = new Int32Array(this.sets.length).fill(-1);
    for (let k = 0; k < pickCount; k++) last[ids[picks[k]!]!] = picks[k]!;
    return last;
  }
}
