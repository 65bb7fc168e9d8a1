// The part of the grammar behind a selector: line filters, parsers, label filters, formats.

import type {
  DropKeep,
  Extraction,
  LabelFormat,
  LineFilter,
  LineFilterOp,
  LineFilterOperand,
  Matcher,
  MatchOp,
  Op,
  Parser,
} from "./ast.ts";
import { checkPatternParser, checkRegexpParser } from "./check-parsers.ts";
import { LogqlError } from "./errors.ts";
import { checkRegexMatcher } from "./matcher.ts";
import { parseLabelFilter } from "./parse-label-filter.ts";
import type { TokenReader } from "./token-reader.ts";

const LINE_FILTER_OPS: ReadonlySet<string> = new Set<LineFilterOp>(["|=", "!=", "|~", "!~", "|>", "!>"]);
const MATCH_OPS: readonly string[] = ["=", "=~", "!~", "!="] satisfies MatchOp[];

/** `{a="b", c!~"d"}`; at least the opening brace must be at hand. */
export function parseBraces(reader: TokenReader): Matcher[] {
  reader.expect("{");
  const matchers: Matcher[] = [];
  if (reader.takeIf("}")) return matchers;
  if (reader.kind !== "IDENTIFIER") throw reader.unexpected("IDENTIFIER", "}");
  do matchers.push(parseMatcher(reader, reader.expect("IDENTIFIER").text));
  while (reader.takeIf(","));
  reader.expect("}", ",");
  return matchers;
}

/** The ops of a log query, up to a token that begins none, or to an `unwrap` whose bar has been taken. */
export function parseOps(reader: TokenReader, unwrapAllowed: boolean): { readonly ops: Op[]; readonly atUnwrap: boolean } {
  const ops: Op[] = [];
  for (;;) {
    if (LINE_FILTER_OPS.has(reader.kind)) ops.push(parseLineFilter(reader));
    else if (!reader.takeIf("|")) return { ops, atUnwrap: false };
    else if (unwrapAllowed && reader.kind === "unwrap") return { ops, atUnwrap: true };
    else {
      reader.countStage();
      ops.push(parseStage(reader));
    }
  }
}

/** Operator and value of a matcher whose name has been taken. @throws LogqlError for a regex RE2 refuses */
export function parseMatcher(reader: TokenReader, name: string): Matcher {
  if (!MATCH_OPS.includes(reader.kind)) throw reader.unexpected(...MATCH_OPS);
  const op = reader.take().kind as MatchOp;
  return checkRegexMatcher({ name, op, value: reader.expect("STRING").text });
}

function parseLineFilter(reader: TokenReader): LineFilter {
  const op = reader.take().kind as LineFilterOp;
  const operands: LineFilterOperand[] = [];
  do operands.push(parseLineFilterOperand(reader));
  while (reader.takeIf("or"));
  return { kind: "lineFilter", op, operands };
}

function parseLineFilterOperand(reader: TokenReader): LineFilterOperand {
  if (!reader.takeIf("ip")) return { kind: "text", text: reader.expect("STRING", "ip").text };
  return { kind: "ip", pattern: parseParenthesizedString(reader) };
}

function parseParenthesizedString(reader: TokenReader): string {
  reader.expect("(");
  const { text } = reader.expect("STRING");
  reader.expect(")");
  return text;
}

/** What stands behind a bar. */
function parseStage(reader: TokenReader): Op {
  switch (reader.kind) {
    case "IDENTIFIER":
    case "(":
      return { kind: "labelFilter", filter: parseLabelFilter(reader) };
    case "json":
      reader.take();
      return { kind: "json", extractions: parseExtractions(reader) };
    case "logfmt":
      reader.take();
      return parseLogfmt(reader);
    case "regexp":
      reader.take();
      return checked("regexp", reader.expect("STRING").text, checkRegexpParser);
    case "pattern":
      reader.take();
      return checked("pattern", reader.expect("STRING").text, checkPatternParser);
    case "unpack":
      reader.take();
      return { kind: "unpack" };
    case "line_format":
      reader.take();
      return { kind: "lineFormat", template: reader.expect("STRING").text };
    case "label_format":
      reader.take();
      return parseLabelFormat(reader);
    case "decolorize":
      reader.take();
      return { kind: "decolorize" };
    case "drop":
    case "keep":
      return parseDropKeep(reader);
    default:
      throw reader.unexpected();
  }
}

function checked<Kind extends "regexp" | "pattern">(kind: Kind, pattern: string, check: (pattern: string) => string | null): Parser {
  const fault = check(pattern);
  if (fault !== null) throw LogqlError.semantic(`invalid ${kind} parser: ${fault}`);
  return { kind, pattern };
}

function parseLogfmt(reader: TokenReader): Parser {
  let strict = false;
  let keepEmpty = false;
  while (reader.kind === "FUNCTION_FLAG") {
    if (reader.take().text.toLowerCase() === "--strict") strict = true;
    else keepEmpty = true;
  }
  return { kind: "logfmt", strict, keepEmpty, extractions: parseExtractions(reader) };
}

/** `a, b="x.y"`, or nothing. */
function parseExtractions(reader: TokenReader): Extraction[] {
  const extractions: Extraction[] = [];
  if (reader.kind !== "IDENTIFIER") return extractions;
  do {
    const label = reader.expect("IDENTIFIER").text;
    extractions.push({ label, expression: reader.takeIf("=") ? reader.expect("STRING").text : label });
  } while (reader.takeIf(","));
  return extractions;
}

function parseLabelFormat(reader: TokenReader): LabelFormat {
  const formats: LabelFormat["formats"][number][] = [];
  do {
    const label = reader.expect("IDENTIFIER").text;
    reader.expect("=");
    if (reader.kind !== "IDENTIFIER" && reader.kind !== "STRING") throw reader.unexpected("IDENTIFIER", "STRING");
    const { kind, text } = reader.take();
    formats.push({ label, from: { kind: kind === "STRING" ? "template" : "label", text } });
  } while (reader.takeIf(","));
  return { kind: "labelFormat", formats };
}

function parseDropKeep(reader: TokenReader): DropKeep {
  const kind = reader.take().kind as "drop" | "keep";
  const items: DropKeep["items"][number][] = [];
  do {
    const name = reader.expect("IDENTIFIER").text;
    items.push({ name, matcher: MATCH_OPS.includes(reader.kind) ? parseMatcher(reader, name) : null });
  } while (reader.takeIf(","));
  return { kind, items };
}
