// Which regexes Loki replaces by a search for literals. In a printed query that shows: a label filter keeps such a regex in quotes, any
// other stands between backticks. The rules are those of its simplification (pkg/logql/log/filter.go) over the tree that Go's
// regexp/syntax makes, which takes the common beginnings of alternatives out and makes a class of single characters.

import { parseRegex, type RegexNode } from "../text/regex-syntax.ts";

/** A part of a sequence: neighbouring characters are one literal. */
type Part =
  | Literal
  | Choice
  | { readonly kind: "anyText" | "someText" | "other" }
  | { readonly kind: "group"; readonly of: readonly Part[] };
interface Literal {
  readonly kind: "literal";
  readonly text: string;
  readonly ignoreCase: boolean;
}

interface Choice {
  readonly kind: "choice";
  readonly branches: readonly (readonly Part[])[];
}

/** Sequences of more parts than this are left alone. */
const PARTS_MAX = 3;

/** @param pattern one that RE2 accepts */
export function isSimpleRegex(pattern: string): boolean {
  return sequenceIsSimple(partsOf(parseRegex(pattern).root), false);
}

function partsOf(node: RegexNode): Part[] {
  const parts: Part[] = [];
  for (const part of node.kind === "concat" ? node.of.flatMap(partsOf) : partOf(node)) {
    const last = parts.at(-1);
    if (part.kind === "literal" && last?.kind === "literal" && last.ignoreCase === part.ignoreCase)
      parts[parts.length - 1] = { ...part, text: last.text + part.text };
    else parts.push(part);
  }
  return parts;
}

function partOf(node: Exclude<RegexNode, { kind: "concat" }> | RegexNode): Part[] {
  switch (node.kind) {
    case "empty":
      return [];
    case "char":
      return [node.codePoint < 0 ? OTHER : { kind: "literal", text: String.fromCodePoint(node.codePoint), ignoreCase: node.fold }];
    case "group":
      return [{ kind: "group", of: partsOf(node.of) }];
    case "repeat":
      if (node.max !== Number.POSITIVE_INFINITY || !isDot(node.of)) return [OTHER];
      return [node.min === 0 ? { kind: "anyText" } : node.min === 1 ? { kind: "someText" } : OTHER];
    case "alternate":
      return takenApart(node.of.map(partsOf));
    default:
      return [OTHER];
  }
}

const OTHER: Part = { kind: "other" };

/** The dot that takes no line feed. */
const isDot = (node: RegexNode): boolean => node.kind === "char" && node.set.length === 4 && node.set[1] === 9 && node.set[2] === 11;

/** Alternatives with the beginnings that neighbours share taken out; a choice only where more than one is left. */
function takenApart(alternatives: readonly (readonly Part[])[]): Part[] {
  const branches = alternatives.flatMap((branch) => (branch.length === 1 && branch[0]!.kind === "choice" ? branch[0]!.branches : [branch]));
  const kept: (readonly Part[])[] = [];
  for (let from = 0; from < branches.length; ) {
    let shared = leadOf(branches[from]!);
    let to = from + 1;
    for (; to < branches.length && shared.length > 0; to++) {
      const less = commonStart(shared, leadOf(branches[to]!));
      if (less.length === 0) break;
      shared = less;
    }
    if (to - from === 1 || shared.length === 0) kept.push(branches[from]!);
    else {
      const tails = branches.slice(from, to).map((branch) => withoutStart(branch, shared.length));
      kept.push([{ kind: "literal", text: shared.join(""), ignoreCase: ignoresCase(branches[from]!) }, ...takenApart(tails)]);
    }
    from = to;
  }
  return kept.length === 1 ? [...kept[0]!] : [{ kind: "choice", branches: kept }];
}

function leadOf(branch: readonly Part[]): string[] {
  const first = branch[0];
  return first?.kind === "literal" ? [...first.text] : [];
}

const ignoresCase = (branch: readonly Part[]): boolean => branch[0]?.kind === "literal" && branch[0].ignoreCase;

function commonStart(a: readonly string[], b: readonly string[]): string[] {
  const length = a.findIndex((char, i) => char !== b[i]);
  return a.slice(0, length < 0 ? a.length : length);
}

function withoutStart([first, ...rest]: readonly Part[], charCount: number): Part[] {
  const literal = first as Literal;
  const text = [...literal.text].slice(charCount).join("");
  return text === "" ? rest : [{ ...literal, text }, ...rest];
}

/** @param behindLiteral the sequence is an alternative whose beginning was taken out */
function sequenceIsSimple(parts: readonly Part[], behindLiteral: boolean): boolean {
  if (parts.length === 0) return true;
  if (parts.length === 1) return partIsSimple(parts[0]!, behindLiteral);
  if (parts.length > PARTS_MAX) return false;
  let literals = 0;
  for (const bound of parts) {
    const part = bound.kind === "group" && bound.of.length === 1 ? bound.of[0]! : bound;
    if (part.kind === "literal") {
      if (literals++ > 0) return false;
    } else if (part.kind === "choice") {
      if (!(behindLiteral || literals > 0) || !choiceIsSimple(part, true)) return false;
    } else if (part.kind !== "anyText") return false;
  }
  return behindLiteral || literals > 0;
}

function partIsSimple(part: Part, behindLiteral: boolean): boolean {
  switch (part.kind) {
    case "literal":
    case "anyText":
      return true;
    case "someText":
      return !behindLiteral;
    case "group":
      return !behindLiteral && sequenceIsSimple(part.of, false);
    case "choice":
      return !behindLiteral && choiceIsSimple(part, false);
    default:
      return false;
  }
}

/** Single characters side by side are a class, which is no literal. */
function choiceIsSimple({ branches }: Choice, behindLiteral: boolean): boolean {
  const single = branches.map((branch) => branch.length === 1 && branch[0]!.kind === "literal" && [...branch[0]!.text].length === 1);
  if (single.some((here, i) => here && single[i + 1] === true)) return false;
  return branches.every((branch) => sequenceIsSimple(branch, behindLiteral));
}
