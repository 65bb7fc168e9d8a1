// A page's tally: how many of its entries fall into each second, by their structured metadata. A count over time without a filter (a rate,
// a panel's volume by level) is added up from tallies, and no page is read for it.
//
//   tally := tick, in seconds <v> | lists <v> | (pairs <v>, (name <v>, value <v>) …) … | (ticks on <v> [| list <v>] | entries <v>) …
//     name, value := bytes <v>, text
//
// A run of entries lies in one tick, of those that end at multiples of `tick` seconds since 1970: after the end before, up to and with
// its own, as a range's edges count entries. It is the first entry's tick, or so many on from the run before. `list` is left out when
// there is one. An empty tally says nothing: the page has to be read.

import { MalformedInput } from "../../lib/kernels/kernels.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import type { PageStats, PageTally } from "../page.ts";
import type { RawPage } from "./page-encoder.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/** The finest that fits is taken; the usual steps of panels are multiples of each. */
const TICKS = [1, 5, 15, 60] as const;
const LISTS_MAX = 8;
const NO_TALLY = new Uint8Array(0);
const NO_PAIRS: readonly MetadataPair[] = [];
const writer = new VarintWriter();

/**
 * @param page sorted by time
 * @returns a copy; empty when the entries have too many different lists of metadata, or even the coarsest takes more than `bytesMax`
 */
export function encodeTally(page: RawPage, bytesMax: number): Uint8Array {
  const lists = listsOf(page);
  if (lists === undefined) return NO_TALLY;
  for (const tick of TICKS) if (writeTally(page, lists, tick, bytesMax)) return new Uint8Array(writer.written());
  return NO_TALLY;
}

interface Lists {
  readonly all: readonly (readonly MetadataPair[])[];
  /** List of each entry; undefined when there is one only. */
  readonly ofEntry: Uint8Array | undefined;
}

function listsOf({ metadata, entryCount }: RawPage): Lists | undefined {
  if (metadata === undefined) return { all: [NO_PAIRS], ofEntry: undefined };
  const all: (readonly MetadataPair[])[] = [];
  const known = new Map<string, number>();
  const byIdentity = new Map<readonly MetadataPair[], number>();
  const ofEntry = new Uint8Array(entryCount);
  for (let i = 0; i < entryCount; i++) {
    const pairs = metadata[i] ?? NO_PAIRS;
    let list = byIdentity.get(pairs);
    if (list === undefined) {
      // Lists of equal content are kept by those who push them, too.
      const key = JSON.stringify(pairs);
      list = known.get(key);
      if (list === undefined) {
        if (all.length === LISTS_MAX) return undefined;
        list = all.push(pairs) - 1;
        known.set(key, list);
      }
      byIdentity.set(pairs, list);
    }
    ofEntry[i] = list;
  }
  return { all, ofEntry: all.length === 1 ? undefined : ofEntry };
}

function writeTally({ sec, nanos, entryCount }: RawPage, { all, ofEntry }: Lists, tick: number, bytesMax: number): boolean {
  writer.reset();
  writer.varint(tick);
  writer.varint(all.length);
  for (const pairs of all) {
    writer.varint(pairs.length);
    for (const [name, value] of pairs) {
      writer.text(name);
      writer.text(value);
    }
  }
  const counts = new Uint32Array(all.length);
  let written = tickOf(sec[0]!, nanos[0]!, tick);
  for (let from = 0; from < entryCount; ) {
    const now = tickOf(sec[from]!, nanos[from]!, tick);
    let to = from;
    for (; to < entryCount && tickOf(sec[to]!, nanos[to]!, tick) === now; to++) counts[ofEntry === undefined ? 0 : ofEntry[to]!]!++;
    for (let list = 0; list < counts.length; list++) {
      if (counts[list] === 0) continue;
      writer.varint(now - written);
      if (ofEntry !== undefined) writer.varint(list);
      writer.varint(counts[list]!);
      written = now;
    }
    if (writer.written().length > bytesMax) return false;
    counts.fill(0);
    from = to;
  }
  return true;
}

/** Number of the tick that a time falls into. */
function tickOf(sec: number, nanos: number, tick: number): number {
  return Math.ceil((nanos > 0 ? sec + 1 : sec) / tick);
}

/** @returns undefined for an empty one @throws MalformedInput, here or while runs are taken */
export function readTally(bytes: Uint8Array, stats: PageStats): PageTally | undefined {
  return bytes.length === 0 ? undefined : new TallyReader(bytes, stats);
}

class TallyReader implements PageTally {
  readonly tickSec: number;
  readonly lists: readonly (readonly MetadataPair[])[];
  endSec: number;
  list = 0;
  entryCount = 0;
  readonly #runs: VarintReader;
  readonly #bytesEnd: number;

  constructor(bytes: Uint8Array, { minSec, minNanos }: PageStats) {
    this.#runs = new VarintReader(bytes);
    this.#bytesEnd = bytes.length;
    this.tickSec = this.#runs.varint();
    if (this.tickSec === 0) throw new MalformedInput("a page's tally has ticks of no length");
    const lists = this.#runs.varint();
    if (lists === 0 || lists > LISTS_MAX) throw new MalformedInput(`a page's tally has ${lists} lists of metadata`);
    this.lists = lists === 1 ? [this.#readPairs()] : Array.from({ length: lists }, () => this.#readPairs());
    this.endSec = tickOf(minSec, minNanos, this.tickSec) * this.tickSec;
  }

  next(): boolean {
    if (this.#runs.at >= this.#bytesEnd) return false;
    this.endSec += this.#runs.varint() * this.tickSec;
    if (this.lists.length > 1) this.list = this.#runs.varint();
    this.entryCount = this.#runs.varint();
    if (this.list >= this.lists.length) throw new MalformedInput("a page's tally names a list that is not there");
    return true;
  }

  #readPairs(): readonly MetadataPair[] {
    const count = this.#runs.varint();
    if (count === 0) return NO_PAIRS;
    if (count > this.#bytesEnd) throw new MalformedInput("a page's tally declares more metadata than it holds");
    return Array.from({ length: count }, () => [this.#runs.text(), this.#runs.text()] as const);
  }
}
