// The columns of a page between arrays and bytes: times and structured metadata. Drawn in page-format.ts.

import { MalformedInput } from "../../lib/kernels/kernels.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

const writer = new VarintWriter();
/** Units in which times are counted: most clocks tick in one of them. */
const UNIT_POWERS = [9, 6, 3, 0] as const;
/** Times are counted in doubles, which are exact below 2^53: a delta and the nanoseconds that it is added to. */
const DELTA_MAX_NS = 2 ** 53 - 1e9;

/**
 * Encodes ascending times.
 *
 * @returns a view valid until the next call, or undefined when two times lie further apart than deltas can say (104 days)
 */
export function encodeTimes(sec: Int32Array, nanos: Int32Array, count: number): Uint8Array | undefined {
  const power = commonUnit(nanos, count);
  const unit = 10 ** power;
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 1; i < count; i++) {
    const delta = (sec[i]! - sec[i - 1]!) * 1e9 + (nanos[i]! - nanos[i - 1]!);
    if (delta >= DELTA_MAX_NS) return undefined;
    if (delta < smallest) smallest = delta;
  }
  if (count < 2) smallest = 0;
  writer.reset();
  writer.byte(power);
  writer.varint(smallest / unit);
  for (let i = 1; i < count; i++) {
    writer.varint(((sec[i]! - sec[i - 1]!) * 1e9 + (nanos[i]! - nanos[i - 1]!) - smallest) / unit);
  }
  return writer.written();
}

/** The largest power of ten that divides all nanoseconds. */
function commonUnit(nanos: Int32Array, count: number): number {
  for (const power of UNIT_POWERS) {
    const unit = 10 ** power;
    let i = 0;
    while (i < count && nanos[i]! % unit === 0) i++;
    if (i === count) return power;
  }
  return 0;
}

/** Fills `sec` and `nanos` with `count` times, the first of which is given. @throws MalformedInput */
export function decodeTimes(
  bytes: Uint8Array,
  length: number,
  firstSec: number,
  firstNanos: number,
  count: number,
  sec: Int32Array,
  nanos: Int32Array,
): void {
  const reader = new VarintReader(bytes, 0, length);
  const unit = 10 ** reader.byte();
  if (unit > 1e9) throw new MalformedInput("the page's unit of time is above a second");
  const smallest = reader.varint();
  let s = firstSec;
  let n = firstNanos;
  sec[0] = s;
  nanos[0] = n;
  let at = reader.at;
  for (let i = 1; i < count; i++) {
    // One byte is by far the commonest length: read in place.
    let value = bytes[at]!;
    if (at >= length) throw new MalformedInput("the page's times end early");
    if (value < 128) at++;
    else {
      reader.at = at;
      value = reader.varint();
      at = reader.at;
    }
    n += (value + smallest) * unit;
    if (n >= 1e9) {
      const whole = Math.floor(n / 1e9);
      s += whole;
      n -= whole * 1e9;
    }
    sec[i] = s;
    nanos[i] = n;
  }
}

type Pairs = readonly MetadataPair[];

/** @returns a view valid until the next call */
export function encodeMetadata(metadata: readonly (Pairs | undefined)[], count: number): Uint8Array {
  const strings = new Map<string, number>();
  const lists = new Map<string, number>();
  const byIdentity = new Map<Pairs, number>();
  const listTexts = new VarintWriter();
  const perEntry = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const pairs = metadata[i];
    if (pairs === undefined || pairs.length === 0) continue;
    let list = byIdentity.get(pairs);
    if (list === undefined) {
      const refs = pairs.flatMap(([name, value]) => [indexOf(strings, name), indexOf(strings, value)]);
      const key = refs.join();
      list = lists.get(key);
      if (list === undefined) {
        lists.set(key, (list = lists.size + 1));
        listTexts.varint(pairs.length);
        for (const ref of refs) listTexts.varint(ref);
      }
      byIdentity.set(pairs, list);
    }
    perEntry[i] = list;
  }
  const out = new VarintWriter();
  out.varint(strings.size);
  for (const text of strings.keys()) out.text(text);
  out.varint(lists.size);
  const head = out.written();
  const entries = new VarintWriter();
  for (let i = 0; i < count; i++) entries.varint(perEntry[i]!);
  return Buffer.concat([head, listTexts.written(), entries.written()]);
}

function indexOf(strings: Map<string, number>, text: string): number {
  let at = strings.get(text);
  if (at === undefined) strings.set(text, (at = strings.size));
  return at;
}

/** Entries with equal metadata share one list. @throws MalformedInput */
export function decodeMetadata(bytes: Uint8Array, length: number, count: number): (Pairs | undefined)[] {
  const reader = new VarintReader(bytes, 0, length);
  const strings = Array.from({ length: bounded(reader.varint(), length, "strings") }, () => reader.text());
  const lists: (Pairs | undefined)[] = [undefined];
  for (let left = bounded(reader.varint(), length, "lists"); left > 0; left--) {
    const pairs: MetadataPair[] = [];
    for (let pair = bounded(reader.varint(), length, "pairs"); pair > 0; pair--) {
      const name = strings[reader.varint()];
      const value = strings[reader.varint()];
      if (name === undefined || value === undefined) throw new MalformedInput("structured metadata names a string that is not there");
      pairs.push([name, value]);
    }
    lists.push(pairs);
  }
  const metadata: (Pairs | undefined)[] = [];
  for (let i = 0; i < count; i++) {
    const list = reader.varint();
    if (list >= lists.length) throw new MalformedInput("an entry names a list of structured metadata that is not there");
    metadata.push(lists[list]);
  }
  return metadata;
}

/** A count that a column of so many bytes cannot hold is damage, not a reason to allocate. */
function bounded(count: number, most: number, what: string): number {
  if (count > most) throw new MalformedInput(`structured metadata of ${most} bytes declares ${count} ${what}`);
  return count;
}
