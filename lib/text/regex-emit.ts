// A regex tree as the source of a JavaScript RegExp without flags `i` and `u`, which V8's linear engine does not know. Case folding is
// written as classes. JavaScript then sees UTF-16 units where RE2 sees code points; hence two forms of a pattern:
//
//   narrow  a class that holds characters beyond U+FFFF takes single units. Right for every text without surrogates, and fast.
//   wide    such a class is written out as surrogate pairs. Right for every well-formed text.

import { ASTRAL_FIRST, type CharSet, CODE_POINT_MAX, clip, normalize, SURROGATE_FIRST, SURROGATE_LAST } from "./regex-charset.ts";
import { isNullable, type RegexNode, walk } from "./regex-syntax.ts";

export interface EmitOptions {
  readonly wide: boolean;
  /** Write groups as capturing ones. */
  readonly captures: boolean;
  /** Write `{2,5}` as `xx(?:x(?:x(?:x)?)?)?`. */
  readonly expandCounts: boolean;
}

export interface Emitted {
  readonly source: string;
  readonly flags: "" | "m";
  /** Texts on which this form may be wrong; null when there are none. */
  readonly hazard: RegExp | null;
}

/** Nodes a pattern with its counts written out may have. */
const EXPANDED_NODES_MAX = 3_000;
/** Characters of a pattern as JavaScript has it: a class of letters alone takes eight thousand, and V8 makes code of each. */
const SOURCE_UNITS_MAX = 2_000_000;
/** `\u1234-` in the worst case. */
const UNITS_PER_BOUND = 7;
const SURROGATES = /[\ud800-\udfff]/;
/** Line ends to JavaScript's `m` flag and not to RE2's. */
const FOREIGN_LINE_ENDS = /[\r\u2028\u2029]/;
const BOTH_HAZARDS = /[\r\u2028\u2029\ud800-\udfff]/;

/** Writes the tree; null when JavaScript has no form of it (or only one that is too long). */
export function emitRegex(root: RegexNode, options: EmitOptions): Emitted | null {
  let textAnchors = false;
  let lineAnchors = false;
  let beyondUnits = false;
  walk(root, (node) => {
    if (node.kind === "char" && node.set.at(-1)! >= ASTRAL_FIRST) beyondUnits ||= node.set.length > 2 || node.set[0] !== node.set[1];
    if (node.kind !== "assert") return;
    textAnchors ||= node.what === "textStart" || node.what === "textEnd";
    lineAnchors ||= node.what === "lineStart" || node.what === "lineEnd";
    // JavaScript finds `\B` between the halves of a surrogate pair.
    beyondUnits ||= node.what === "notWord";
  });
  if (textAnchors && lineAnchors) return null;
  // An empty match, too, can be found between the halves of a pair, unless the start of the text is asked for.
  const emptyAnywhere = isNullable(root) && !startsAtText(root);
  if (options.wide && (emptyAnywhere || hasNotWord(root))) return null;
  if (options.expandCounts && expandedNodes(root) > EXPANDED_NODES_MAX) return null;
  if (sourceUnits(root) > SOURCE_UNITS_MAX) return null;
  const surrogates = beyondUnits || emptyAnywhere;
  return {
    source: emit(root, options),
    flags: lineAnchors ? "m" : "",
    hazard: options.wide || !surrogates ? (lineAnchors ? FOREIGN_LINE_ENDS : null) : lineAnchors ? BOTH_HAZARDS : SURROGATES,
  };
}

/** About how long the text will be, counts not written out. */
function sourceUnits(root: RegexNode): number {
  let units = 0;
  walk(root, (node) => {
    units += node.kind === "char" ? 1 + node.set.length * UNITS_PER_BOUND : 4;
  });
  return units;
}

function hasNotWord(root: RegexNode): boolean {
  let found = false;
  walk(root, (node) => {
    found ||= node.kind === "assert" && node.what === "notWord";
  });
  return found;
}

function startsAtText(node: RegexNode): boolean {
  if (node.kind === "concat") return startsAtText(node.of[0]!);
  return node.kind === "group" ? startsAtText(node.of) : node.kind === "assert" && node.what === "textStart";
}

function expandedNodes(node: RegexNode): number {
  switch (node.kind) {
    case "group":
      return 1 + expandedNodes(node.of);
    case "concat":
    case "alternate":
      return node.of.reduce((sum, child) => sum + expandedNodes(child), 1);
    case "repeat":
      return 1 + expandedNodes(node.of) * Math.max(1, Number.isFinite(node.max) ? node.max : node.min + 1);
    default:
      return 1;
  }
}

function emit(node: RegexNode, options: EmitOptions): string {
  switch (node.kind) {
    case "empty":
      return "";
    case "assert":
      return ASSERTIONS[node.what];
    case "char":
      return emitSet(node.set, options.wide);
    case "group":
      return `${options.captures ? "(" : "(?:"}${emit(node.of, options)})`;
    case "concat":
      return node.of.map((child) => (child.kind === "alternate" ? `(?:${emit(child, options)})` : emit(child, options))).join("");
    case "alternate":
      return node.of.map((child) => emit(child, options)).join("|");
    case "repeat":
      return emitRepeat(node, options);
  }
}

const ASSERTIONS = { textStart: "^", textEnd: "$", lineStart: "^", lineEnd: "$", word: "\\b", notWord: "\\B" } as const;

function emitRepeat(node: RegexNode & { kind: "repeat" }, options: EmitOptions): string {
  const { min, max, greedy } = node;
  const lazy = greedy ? "" : "?";
  if (max === 0) return "(?:)";
  const body = emit(node.of, options);
  const atom = isAtom(node.of, body, options) ? body : `(?:${body})`;
  if (min === 0 && max === Number.POSITIVE_INFINITY) return `${atom}*${lazy}`;
  if (min === 1 && max === Number.POSITIVE_INFINITY) return `${atom}+${lazy}`;
  if (min === 0 && max === 1) return `${atom}?${lazy}`;
  if (min === 1 && max === 1) return atom;
  // A capturing group must not be written twice.
  if (!options.expandCounts || (options.captures && hasGroup(node.of)))
    return `${atom}{${min}${max === min ? "" : max === Number.POSITIVE_INFINITY ? "," : `,${max}`}}${lazy}`;
  const head = atom.repeat(min);
  if (max === Number.POSITIVE_INFINITY) return `${head}${atom}*${lazy}`;
  return `${head}${`(?:${atom}`.repeat(max - min)}${`)?${lazy}`.repeat(max - min)}`;
}

function hasGroup(root: RegexNode): boolean {
  let found = false;
  walk(root, (node) => {
    found ||= node.kind === "group";
  });
  return found;
}

/** Can a quantifier follow the text directly? */
function isAtom(node: RegexNode, body: string, options: EmitOptions): boolean {
  if (node.kind === "group") return options.captures || body.length > 0;
  if (node.kind !== "char") return false;
  return body.startsWith("[") || body.startsWith("(?:") || body.startsWith("\\") || body.length === 1;
}

function emitSet(set: CharSet, wide: boolean): string {
  const low = clip(set, 0, ASTRAL_FIRST - 1);
  const high = clip(set, ASTRAL_FIRST, CODE_POINT_MAX);
  if (high.length === 0) return emitUnits(low);
  if (high.length === 2 && high[0] === high[1] && low.length === 0) return `(?:${emitPairs(high)})`;
  if (!wide) return emitUnits(high.length === 2 && high[0] === ASTRAL_FIRST && high[1] === CODE_POINT_MAX ? withSurrogates(low) : low);
  const alone = [...clip(low, 0, SURROGATE_FIRST - 1), ...clip(low, SURROGATE_LAST + 1, ASTRAL_FIRST - 1)];
  const branches = [...(alone.length === 0 ? [] : [emitUnits(alone)]), emitPairs(high)];
  return `(?:${branches.join("|")})`;
}

const withSurrogates = (set: CharSet): CharSet => normalize([...set, SURROGATE_FIRST, SURROGATE_LAST]);

/** A class of single units; `[]`, which matches nothing, when the set is empty. */
function emitUnits(set: CharSet): string {
  if (set.length === 2 && set[0] === set[1]) return emitUnit(set[0]!);
  let text = "";
  // From U+0000 to the end and more than one range: the complement is shorter and what V8 is tuned for.
  const inverse = set.length > 2 && set[0] === 0 && set.at(-1) === ASTRAL_FIRST - 1;
  const ranges = inverse ? complementUnits(set) : set;
  for (let i = 0; i < ranges.length; i += 2) {
    text += emitUnit(ranges[i]!);
    if (ranges[i + 1]! > ranges[i]!) text += `${ranges[i + 1]! > ranges[i]! + 1 ? "-" : ""}${emitUnit(ranges[i + 1]!)}`;
  }
  return `[${inverse ? "^" : ""}${text}]`;
}

function complementUnits(set: CharSet): CharSet {
  const out: number[] = [];
  for (let i = 1; i + 1 < set.length; i += 2) out.push(set[i]! + 1, set[i + 1]! - 1);
  return out;
}

function emitUnit(unit: number): string {
  const char = String.fromCharCode(unit);
  if (/[a-zA-Z0-9_ ,:;<>=!@#%&"'`~]/.test(char)) return char;
  if (unit >= 0x20 && unit < 0x7f) return `\\${char}`;
  return unit < 0x100 ? `\\x${unit.toString(16).padStart(2, "0")}` : `\\u${unit.toString(16).padStart(4, "0")}`;
}

/** Code points beyond U+FFFF as alternatives of a first half and a class of second halves. */
function emitPairs(set: CharSet): string {
  const branches: string[] = [];
  for (let i = 0; i < set.length; i += 2) {
    let lo = set[i]! - ASTRAL_FIRST;
    const hi = set[i + 1]! - ASTRAL_FIRST;
    while (lo <= hi) {
      const first = lo >> 10;
      // Whole blocks of 1024 go together, a part of a block goes alone.
      const lastWhole = (lo & 0x3ff) === 0 ? ((hi + 1) >> 10) - 1 : -1;
      if (lastWhole >= first) {
        branches.push(`${emitUnits([0xd800 + first, 0xd800 + lastWhole])}[\\udc00-\\udfff]`);
        lo = (lastWhole + 1) << 10;
      } else {
        const end = Math.min(hi, (first << 10) | 0x3ff);
        branches.push(`${emitUnit(0xd800 + first)}${emitUnits([0xdc00 + (lo & 0x3ff), 0xdc00 + (end & 0x3ff)])}`);
        lo = end + 1;
      }
    }
  }
  return branches.join("|");
}
