// Sets of code points, as a regex's classes need them: sorted, disjoint, not touching ranges in one flat array `lo, hi, lo, hi …`.

export type CharSet = readonly number[];

export const CODE_POINT_MAX = 0x10ffff;
export const SURROGATE_FIRST = 0xd800;
export const SURROGATE_LAST = 0xdfff;
export const ASTRAL_FIRST = 0x10000;

export const ANY: CharSet = [0, CODE_POINT_MAX];
export const NOT_LINE_FEED: CharSet = [0, 9, 11, CODE_POINT_MAX];
const DIGIT: CharSet = [0x30, 0x39];
/** RE2's `\s` lacks the vertical tab and everything beyond ASCII. */
const SPACE: CharSet = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];
const WORD: CharSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];

export const PERL_CLASSES: Readonly<Record<string, CharSet>> = { d: DIGIT, s: SPACE, w: WORD };

export const POSIX_CLASSES: Readonly<Record<string, CharSet>> = {
  alnum: [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a],
  alpha: [0x41, 0x5a, 0x61, 0x7a],
  ascii: [0, 0x7f],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0, 0x1f, 0x7f, 0x7f],
  digit: DIGIT,
  graph: [0x21, 0x7e],
  lower: [0x61, 0x7a],
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper: [0x41, 0x5a],
  word: WORD,
  xdigit: [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
};

/** Sorts and joins ranges that overlap or touch. */
export function normalize(ranges: readonly number[]): CharSet {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const out: number[] = [];
  for (const [lo, hi] of pairs) {
    const last = out.length - 1;
    if (last > 0 && lo <= out[last]! + 1) out[last] = Math.max(out[last]!, hi);
    else out.push(lo, hi);
  }
  return out;
}

export function negate(set: CharSet): CharSet {
  const out: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) out.push(next, set[i]! - 1);
    next = set[i + 1]! + 1;
  }
  if (next <= CODE_POINT_MAX) out.push(next, CODE_POINT_MAX);
  return out;
}

export function includes(set: CharSet, codePoint: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (codePoint >= set[i]! && codePoint <= set[i + 1]!) return true;
  return false;
}

/** The part of the set inside `[from, to]`. */
export function clip(set: CharSet, from: number, to: number): CharSet {
  const out: number[] = [];
  for (let i = 0; i < set.length; i += 2) {
    const lo = Math.max(set[i]!, from);
    const hi = Math.min(set[i + 1]!, to);
    if (lo <= hi) out.push(lo, hi);
  }
  return out;
}

/** Code points of a Unicode category or script as Go names it (`L`, `Lu`, `Greek`, `Any`); null when there is no such class. */
export function unicodeClass(name: string): CharSet | null {
  if (name === "Any") return ANY;
  let set = unicodeClasses.get(name);
  if (set === undefined) unicodeClasses.set(name, (set = scanUnicodeClass(name)));
  return set;
}

const unicodeClasses = new Map<string, CharSet | null>();

function scanUnicodeClass(name: string): CharSet | null {
  const member = unicodeProperty(name);
  if (member === null) return null;
  const ranges: number[] = [];
  const block = 0x800;
  for (let first = 0; first <= CODE_POINT_MAX; first += block) {
    if (first >= SURROGATE_FIRST && first <= SURROGATE_LAST) continue;
    let text = "";
    for (let c = first; c < first + block; c++) text += String.fromCodePoint(c);
    const width = first >= ASTRAL_FIRST ? 2 : 1;
    for (const run of text.matchAll(member)) {
      const lo = first + run.index / width;
      ranges.push(lo, lo + run[0].length / width - 1);
    }
  }
  return normalize(ranges);
}

function unicodeProperty(name: string): RegExp | null {
  if (!/^\w+$/.test(name)) return null;
  // Go's category C has no unassigned code points in it.
  const properties = name === "C" ? ["\\p{Cc}\\p{Cf}\\p{Co}"] : [`\\p{General_Category=${name}}`, `\\p{Script=${name}}`];
  for (const property of properties) {
    try {
      return new RegExp(`[${property}]+`, "gu");
    } catch {
      // Not a category; a script, perhaps.
    }
  }
  return null;
}

/** The set with every code point that differs only in case, by Unicode's simple folding (Go's SimpleFold). */
export function foldCase(set: CharSet): CharSet {
  if (set.length === 0 || (set.length === 2 && set[0] === 0 && set[1] === CODE_POINT_MAX)) return set;
  const ranges = [...set];
  const add = (codePoint: number): void => void ranges.push(codePoint, codePoint);
  for (let lower = 0x61; lower <= 0x7a; lower++) {
    const special = lower === 0x6b ? KELVIN : lower === 0x73 ? LONG_S : -1;
    if (!includes(set, lower) && !includes(set, lower - 32) && (special < 0 || !includes(set, special))) continue;
    add(lower);
    add(lower - 32);
    if (special >= 0) add(special);
  }
  if (set[set.length - 1]! >= 0x80) {
    for (const orbit of foldOrbits()) if (orbit.some((codePoint) => includes(set, codePoint))) orbit.forEach(add);
  }
  return normalize(ranges);
}

const KELVIN = 0x212a;
const LONG_S = 0x17f;
/** No letter with a case lies above this (Unicode 16). */
const CASED_LAST = 0x1efff;
let orbits: number[][] | undefined;

/** Groups of code points beyond ASCII that fold to each other; built when a pattern first needs it (about 20 ms). */
function foldOrbits(): readonly (readonly number[])[] {
  if (orbits !== undefined) return orbits;
  // A back-reference under flags `iu` compares by simple folding, which toLowerCase and toUpperCase do not keep to.
  const equal = /^(.)\1$/isu;
  const orbitOf = new Map<number, number[]>();
  for (let c = 0x80; c <= CASED_LAST; c++) {
    if (c >= SURROGATE_FIRST && c <= SURROGATE_LAST) continue;
    const char = String.fromCodePoint(c);
    for (const other of [char.toLowerCase(), char.toUpperCase(), char.toUpperCase().toLowerCase()]) {
      const d = other.codePointAt(0)!;
      if (d === c || other.length !== (d >= ASTRAL_FIRST ? 2 : 1) || !equal.test(char + other)) continue;
      const joined = [...new Set([...(orbitOf.get(c) ?? [c]), ...(orbitOf.get(d) ?? [d])])];
      for (const member of joined) orbitOf.set(member, joined);
    }
  }
  orbits = [...new Set(orbitOf.values())];
  return orbits;
}
