// `| json`: every scalar of the object becomes a label, nested keys joined with `_`, arrays and nulls left out. `| json a="x.y[0]"`: only
// what the paths name. Rules: reference §2.5; faults keep the line and set `__error__`.

import type { Extraction } from "../../../lib/logql/ast.ts";
import { compileJsonPath, startsLikeJson } from "../../../lib/text/json-path.ts";
import type { ExtractionState } from "../hints.ts";
import type { KeyColumns } from "../key-columns.ts";
import { DUPLICATE_SUFFIX, type LineLabels, PARSED_LABEL, PRESERVE_ERROR_LABEL } from "../line-labels.ts";
import type { LineOp, LineState } from "../line-state.ts";
import { SpanMemo } from "../span-memo.ts";
import { ARRAY, cleanText, eachMember, type JsonMember, type JsonValue, labelText, NULL, newMember, OBJECT, STRING } from "./json-scan.ts";
import { joinLabelName, toLabelName } from "./label-name.ts";

export const JSON_ERROR = "JSONParserErr";
/** Objects nested deeper than this are left out, so that a hostile line cannot exhaust the stack. */
const DEPTH_MAX = 128;
const ENOUGH = "enough";
const DROPPED = "dropped";

/** Sets a parser's error; a query that mentions `__error__` is told by a label that the error must not fail it. */
export function setParserError(labels: LineLabels, wanted: ExtractionState, error: string, details: string): void {
  labels.setError(error, details === "" ? labels.errorDetails : details);
  if (wanted.hints.preserveError) labels.set(PARSED_LABEL, PRESERVE_ERROR_LABEL, "true");
}

/** @param columns finds the wanted keys of whole pages by the kernel, when the query asks for few enough */
export function jsonOp(wanted: ExtractionState, columns: KeyColumns | undefined): LineOp {
  const names = new SpanMemo(toLabelName);
  const members: JsonMember[] = [];
  const joined = new Map<string, Map<string, string>>();
  let line: LineState;
  let depth = 0;
  const prefixes: string[] = [];

  const takeTop = (member: JsonMember): string | undefined => visit(member, "");
  const takeNested = (member: JsonMember): string | undefined => visit(member, prefixes[depth]!);

  function visit(member: JsonMember, prefix: string): string | undefined {
    if (member.kind === NULL || member.kind === ARRAY) return wanted.complete ? ENOUGH : undefined;
    if (member.kind === OBJECT) return descend(member, prefix);
    const name = nameOf(member, prefix);
    if (name === "") return undefined;
    if (!take(line, wanted, name, member)) return DROPPED;
    return wanted.complete ? ENOUGH : undefined;
  }

  function descend(member: JsonMember, prefix: string): string | undefined {
    const inner = nameOf(member, prefix, true);
    if (depth >= DEPTH_MAX || !wanted.wantsPrefix(inner)) return undefined;
    depth++;
    prefixes[depth] = inner;
    const fault = eachMember(line.bytes, member.start, member.end, (members[depth] ??= newMember()), takeNested);
    depth--;
    return fault;
  }

  function nameOf(member: JsonMember, prefix: string, isPrefix = false): string {
    const { keyStart, keyEnd, keyEscaped } = member;
    if (keyEscaped) return joinLabelName(prefix, labelText(line.bytes, keyStart, keyEnd));
    const name = names.of(line.bytes, keyStart, keyEnd);
    if (prefix === "") return name;
    if (name === "" && !isPrefix) return prefix;
    let byKey = joined.get(prefix);
    if (byKey === undefined) joined.set(prefix, (byKey = new Map()));
    let whole = byKey.get(name);
    if (whole === undefined) {
      const key = Buffer.from(line.bytes.buffer, line.bytes.byteOffset + keyStart, keyEnd - keyStart).toString("utf8");
      byKey.set(name, (whole = joinLabelName(prefix, key)));
    }
    return whole;
  }

  return (current) => {
    if (wanted.nothingWanted) return true;
    if (columns !== undefined && current.original) {
      const outcome = columns.apply(current, wanted);
      if (outcome !== "unsure") return outcome === "kept";
    }
    line = current;
    line.asBytes();
    depth = 0;
    const fault = eachMember(line.bytes, line.start, line.end, (members[0] ??= newMember()), takeTop);
    if (fault === DROPPED) return false;
    if (fault !== undefined && fault !== ENOUGH) setParserError(line.labels, wanted, JSON_ERROR, fault);
    return true;
  };
}

/** Sets one scalar as a label, unless nobody asks for it or the line has it already (the first of equal names counts). False: the line is dropped. */
function take(line: LineState, wanted: ExtractionState, plainName: string, value: JsonValue): boolean {
  const { labels } = line;
  const name = labels.baseHas(plainName) ? plainName + DUPLICATE_SUFFIX : plainName;
  if (!wanted.wants(name)) return true;
  setScalar(line, name, value);
  return wanted.took(name, line);
}

export function setScalar(line: LineState, name: string, value: JsonValue): void {
  const plain = value.kind !== STRING || (!value.escaped && isAscii(line.bytes, value.start, value.end));
  if (!plain) line.labels.set(PARSED_LABEL, name, labelText(line.bytes, value.start, value.end));
  else if (line.original) line.labels.setSpan(name, value.start, value.end);
  else
    line.labels.set(
      PARSED_LABEL,
      name,
      Buffer.from(line.bytes.buffer, line.bytes.byteOffset + value.start, value.end - value.start).toString("latin1"),
    );
}

export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (bytes[p]! >= 128) return false;
  return true;
}

/** `| json label="path", …` */
export function jsonPathsOp(extractions: readonly Extraction[], wanted: ExtractionState): LineOp {
  const paths = extractions.map(({ label, expression }) => ({ label, path: compileJsonPath(expression) }));
  return (line) => {
    if (line.isEmpty || wanted.nothingWanted) return true;
    const { labels, text } = line;
    if (!startsLikeJson(text)) {
      setParserError(labels, wanted, JSON_ERROR, "");
      return true;
    }
    for (const { label, path } of paths) {
      let value: string | undefined;
      try {
        value = path.evaluate(text);
      } catch (error) {
        setParserError(labels, wanted, JSON_ERROR, (error as Error).message);
      }
      if (value === undefined) continue;
      const name = labels.baseHas(label) ? label + DUPLICATE_SUFFIX : label;
      labels.set(PARSED_LABEL, name, cleanText(value));
      wanted.note(name);
    }
    for (const { label } of paths) {
      if (labels.has(label)) continue;
      labels.set(PARSED_LABEL, label, "");
      wanted.note(label);
    }
    return true;
  };
}
