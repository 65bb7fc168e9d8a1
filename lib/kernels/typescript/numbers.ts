// Numbers of texts, in plain TypeScript: entries with the same text get the same number, so that what is done with a value is done once.

import { JSON_FALSE, JSON_NULL, JSON_NUMBER, JSON_PLAIN_STRING, JSON_TRUE, type StridedSpans, TEXT_NOTHING, TEXT_ODD } from "../kernels.ts";

/** Longer texts hardly repeat. */
const TEXT_BYTES_MAX = 64;
/** Digits after which a number's text may not be the shortest any more. */
const EXACT_DIGITS = 15;
const TEXTS_MAX = 256;

export function numberTexts(
  bytes: Uint8Array,
  { kind, start, end, stride, offset }: StridedSpans,
  _count: number,
  picks: Int32Array,
  pickCount: number,
  numbers: Int32Array,
  firsts: Int32Array,
): { readonly textCount: number; readonly oddCount: number } {
  const known = new Map<string, number>();
  let oddCount = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks[k]!;
    const slot = i * stride + offset;
    numbers[i] = kind[slot] === JSON_NULL ? TEXT_NOTHING : TEXT_ODD;
    if (stands(bytes, kind[slot]!, start[slot]!, end[slot]!)) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset + start[slot]!, end[slot]! - start[slot]!).toString("latin1");
      let number = known.get(text);
      if (number === undefined && known.size < Math.min(TEXTS_MAX, firsts.length)) {
        number = known.size;
        known.set(text, number);
        firsts[number] = i;
      }
      numbers[i] = number ?? TEXT_ODD;
    }
    if (numbers[i] === TEXT_ODD) oddCount++;
  }
  return { textCount: known.size, oddCount };
}

/** Is the value's text what stands in the bytes, and short? */
function stands(bytes: Uint8Array, kind: number, start: number, end: number): boolean {
  if (end - start > TEXT_BYTES_MAX) return false;
  if (kind === JSON_PLAIN_STRING || kind === JSON_TRUE || kind === JSON_FALSE) return true;
  if (kind !== JSON_NUMBER || end - start > EXACT_DIGITS) return false;
  for (let p = start; p < end; p++) if (bytes[p]! < 48 || bytes[p]! > 57) return false;
  return true;
}
