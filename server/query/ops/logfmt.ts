// `| logfmt`: `key=value key="quoted value"` pairs become labels. Lenient by default: what is no pair is skipped up to the next space.
// Reading rules and the texts of faults: Loki's logfmt decoder (reference §2.5).

import type { Extraction } from "../../../lib/logql/ast.ts";
import { LogfmtScanner, printLogfmtError } from "../../../lib/text/logfmt.ts";
import type { ExtractionState } from "../hints.ts";
import type { KeyColumns } from "../key-columns.ts";
import { DUPLICATE_SUFFIX, ERROR_LABEL, PARSED_LABEL } from "../line-labels.ts";
import type { LineOp, LineState } from "../line-state.ts";
import { SpanMemo } from "../span-memo.ts";
import { isAscii, setParserError } from "./json.ts";
import { toLabelName } from "./label-name.ts";

const LOGFMT_ERROR = "LogfmtParserErr";
const NO_BYTES = new Uint8Array(0);

export interface LogfmtOptions {
  readonly strict: boolean;
  readonly keepEmpty: boolean;
}

/** @param columns finds the wanted keys of whole pages by the kernel, when the query asks for few enough and the options are the usual ones */
export function logfmtOp({ strict, keepEmpty }: LogfmtOptions, wanted: ExtractionState, columns?: KeyColumns): LineOp {
  const names = new SpanMemo(toLabelName);
  const pairs = new LogfmtScanner(NO_BYTES, 0, 0, { lenient: !strict });
  const firstOnly = wanted.hints.required === null;
  // Without strictness nothing behind the last label that is asked for can be seen, not even an error.
  const extractable = (wanted.hints.required ?? []).filter((name) => !name.startsWith("__"));
  const lengths = keyLengths(wanted.hints.required);
  return (line) => {
    if (wanted.nothingWanted) return true;
    if (columns !== undefined && line.original) {
      const outcome = columns.apply(line, wanted);
      if (outcome !== "unsure") return outcome === "kept";
    }
    line.asBytes();
    const { labels, bytes } = line;
    let missing = extractable.length;
    pairs.reset(bytes, line.start, line.end);
    while (pairs.next()) {
      if (lengths !== undefined && !lengths.has(pairs.keyEnd - pairs.keyStart)) continue;
      const plainName = names.of(bytes, pairs.keyStart, pairs.keyEnd);
      if (plainName === "") continue;
      // A value-less key is no pair, and takes nobody's place.
      if (pairs.valueStart === pairs.valueEnd && !keepEmpty) continue;
      const name = labels.baseHas(plainName) ? plainName + DUPLICATE_SUFFIX : plainName;
      if (!wanted.wants(name)) continue;
      setValue(line, pairs, name);
      if (!wanted.took(name, line)) return false;
      if (wanted.complete) break;
      if (!strict && !firstOnly && !name.startsWith("__") && --missing === 0) break;
    }
    if (pairs.error !== null) setParserError(labels, wanted, LOGFMT_ERROR, printLogfmtError(pairs.error));
    return true;
  };
}

/** Byte lengths of the keys that can give the wanted labels. A name with an underscore can come from keys of other lengths. */
function keyLengths(required: readonly string[] | null): ReadonlySet<number> | undefined {
  const names = (required ?? []).filter((name) => name !== ERROR_LABEL);
  if (required === null || names.some((name) => name.includes("_"))) return undefined;
  return new Set([...names, ERROR_LABEL].map((name) => name.length));
}

/** `| logfmt label="key", …`: missing keys and keys without a value give empty labels; of equal keys the last counts. */
export function logfmtExpressionsOp(extractions: readonly Extraction[], { strict }: LogfmtOptions, wanted: ExtractionState): LineOp {
  const names = new SpanMemo(toLabelName);
  const pairs = new LogfmtScanner(NO_BYTES, 0, 0, { lenient: !strict });
  const keyOf = new Map(extractions.map(({ label, expression }) => [label, toLabelName(expression)]));
  const labelOf = new Map<string, string>();
  for (const [label, key] of keyOf) if (!labelOf.has(key)) labelOf.set(key, label);
  return (line) => {
    if (wanted.nothingWanted) return true;
    line.asBytes();
    const { labels, bytes } = line;
    for (const label of keyOf.keys()) if (!labels.baseHas(label)) labels.set(PARSED_LABEL, label, "");
    pairs.reset(bytes, line.start, line.end);
    while (pairs.next()) {
      const key = names.of(bytes, pairs.keyStart, pairs.keyEnd);
      const label = labelOf.get(key) ?? key;
      if (!keyOf.has(label)) continue;
      const name = labels.baseHas(label) ? label + DUPLICATE_SUFFIX : label;
      setValue(line, pairs, name);
      wanted.note(name);
      if (wanted.complete) break;
    }
    for (const label of keyOf.keys()) wanted.note(label);
    if (pairs.error !== null) setParserError(labels, wanted, LOGFMT_ERROR, printLogfmtError(pairs.error));
    return true;
  };
}

function setValue(line: LineState, pairs: LogfmtScanner, name: string): void {
  const { valueStart: start, valueEnd: end } = pairs;
  if (line.original && !pairs.escaped && isAscii(line.bytes, start, end)) line.labels.setSpan(name, start, end);
  else {
    const text = pairs.value();
    line.labels.set(PARSED_LABEL, name, text.includes("\ufffd") ? text.replaceAll("\ufffd", " ") : text);
  }
}
