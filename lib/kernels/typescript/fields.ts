// Dictionary columns of JSON lines, in plain TypeScript: for each of a few keys the number of its value in each line, so that a query
// that asks for these keys alone has to read no line. What takes more than the number of a short ASCII text is FIELD_UNSURE.

import {
  FIELD_ABSENT,
  FIELD_UNSURE,
  FIELD_VALUE_BYTES_MAX,
  FIELD_VALUES_MAX,
  JSON_ABSENT,
  JSON_ESCAPED_STRING,
  JSON_LINE_OBJECT,
  JSON_NESTED,
  JSON_NULL,
  JSON_TRIMMED_KEYS,
} from "../kernels.ts";
import { scanJson } from "./json.ts";

export function jsonFields(
  bytes: Uint8Array,
  ends: Int32Array,
  count: number,
  keys: readonly Uint8Array[],
  ids: Uint8Array,
  valueStart: Int32Array,
  valueEnd: Int32Array,
  counts: Int32Array,
): void {
  const starts = new Int32Array(count);
  for (let i = 1; i < count; i++) starts[i] = ends[i - 1]! + 1;
  const slots = count * keys.length;
  const [verdict, kind, from, to] = [new Uint8Array(count), new Uint8Array(slots), new Int32Array(slots), new Int32Array(slots)];
  scanJson(bytes, starts, ends, count, keys, JSON_TRIMMED_KEYS, verdict, kind, from, to);
  for (let k = 0; k < keys.length; k++) {
    const numbers = new Map<string, number>();
    let unsure = 0;
    let tooMany = false;
    for (let i = 0; i < count; i++) {
      const slot = i * keys.length + k;
      let id = tooMany || verdict[i] !== JSON_LINE_OBJECT ? FIELD_UNSURE : numberOf(slot, k, numbers);
      if (id > FIELD_VALUES_MAX && id !== FIELD_UNSURE) {
        tooMany = true;
        id = FIELD_UNSURE;
      }
      if (id === FIELD_UNSURE) unsure++;
      ids[k * count + i] = id;
    }
    counts[2 * k] = tooMany ? -1 : numbers.size;
    counts[2 * k + 1] = unsure;
  }

  /** FIELD_VALUES_MAX + 1 for a value too many. */
  function numberOf(slot: number, k: number, numbers: Map<string, number>): number {
    if (kind[slot] === JSON_ABSENT || kind[slot] === JSON_NULL) return FIELD_ABSENT;
    const [start, end] = [from[slot]!, to[slot]!];
    if (kind[slot] === JSON_NESTED || kind[slot] === JSON_ESCAPED_STRING || end - start > FIELD_VALUE_BYTES_MAX) return FIELD_UNSURE;
    let text = "";
    for (let p = start; p < end; p++) {
      if (bytes[p]! >= 128) return FIELD_UNSURE;
      text += String.fromCharCode(bytes[p]!);
    }
    const known = numbers.get(text);
    if (known !== undefined) return known;
    if (numbers.size === FIELD_VALUES_MAX) return FIELD_VALUES_MAX + 1;
    valueStart[k * FIELD_VALUES_MAX + numbers.size] = start;
    valueEnd[k * FIELD_VALUES_MAX + numbers.size] = end;
    numbers.set(text, numbers.size + 1);
    return numbers.size;
  }
}
