// Which fields a sample of entries has: structured metadata, what the query's own parsers found, and what JSON or logfmt in the line says,
// each with its type, number of values and parsers. Rules: Loki's /loki/api/v1/detected_fields (reference §1.10).

import { createTurns } from "../../lib/runtime/turns.ts";
import { parseHumanBytes, printHumanBytes } from "../../lib/text/byte-size.ts";
import { LogfmtScanner } from "../../lib/text/logfmt.ts";
import type { KeptEntry, LogPartial } from "./entry-keeper.ts";
import { queryErrors } from "./errors.ts";
import { type FieldType, fieldTypeOf } from "./field-type.ts";
import { DUPLICATE_SUFFIX, ERROR_DETAILS_LABEL, ERROR_LABEL, PRESERVE_ERROR_LABEL } from "./line-labels.ts";
import { ARRAY, cleanText, eachMember, type JsonMember, labelText, NULL, newMember, OBJECT, STRING } from "./ops/json-scan.ts";
import { joinLabelName, toLabelName } from "./ops/label-name.ts";
import type { ResultLabels } from "./series-table.ts";

/** Ends of values that are taken for sizes; `5m` is one, to Loki. */
const SIZE_UNIT = /(?:b|[kmgtpe]i?)$/i;

export interface DetectedField {
  readonly label: string;
  readonly type: FieldType;
  /** Different values among the entries. */
  readonly cardinality: number;
  /** `json`, `logfmt`; empty for structured metadata and for what only the query's own parsers found in lines that are neither. */
  readonly parsers: readonly string[];
  /** Keys from the outermost object to the value; undefined for what is not from JSON. */
  readonly jsonPath: readonly string[] | undefined;
}

/** A field of one entry. A name may have several values: the query's parser and ours may read the line differently. */
interface Parsed {
  readonly values: Set<string>;
  readonly path: readonly string[] | undefined;
}

interface Gathered {
  type: FieldType;
  readonly values: Set<string>;
  readonly parsers: string[];
  path: readonly string[] | undefined;
}

/** Objects nested deeper than this are left out, so that a hostile line cannot exhaust the stack. */
const DEPTH_MAX = 128;
const ERROR_NAMES: ReadonlySet<string> = new Set([ERROR_LABEL, ERROR_DETAILS_LABEL, PRESERVE_ERROR_LABEL]);

/** @param limit the number of fields; those that come up later are left out */
export async function detectFields(entries: LogPartial, limit: number, signal?: AbortSignal): Promise<DetectedField[]> {
  const fields = new Map<string, Gathered>();
  for await (const entry of inTurns(entries, signal)) {
    forEachMetadata(entry, (name, value) => gather(fields, limit, name, new Set([value]), undefined, undefined));
    const { parser, parsed } = parseEntry(entry);
    for (const [name, { values, path }] of parsed) gather(fields, limit, name, values, parser, path);
  }
  return [...fields].map(([label, { type, values, parsers, path }]) => ({
    label,
    type,
    cardinality: values.size,
    parsers,
    jsonPath: path,
  }));
}

/** The different values of one field, at most `limit`. */
export async function fieldValues(entries: LogPartial, name: string, limit: number, signal?: AbortSignal): Promise<string[]> {
  const values = new Set<string>();
  for await (const entry of inTurns(entries, signal)) {
    if (values.size >= limit) break;
    forEachMetadata(entry, (label, value) => {
      if (label === name) values.add(value);
    });
    for (const value of parseEntry(entry).parsed.get(name)?.values ?? []) values.add(forQuery(value));
  }
  return [...values].slice(0, limit);
}

/** A size as Loki offers it, in two digits and without a blank, for a query to take up; any other value as it is. */
function forQuery(value: string): string {
  if (!SIZE_UNIT.test(value)) return value;
  try {
    return printHumanBytes(parseHumanBytes(value)).replace(" ", "");
  } catch {
    return value;
  }
}

/** 5000 lines of 256 KB take seconds to read. */
async function* inTurns(entries: LogPartial, signal: AbortSignal | undefined): AsyncGenerator<KeptEntry> {
  const takeTurn = createTurns(() => {
    if (signal?.aborted) throw queryErrors.cancelled();
  });
  for (const entry of entries) {
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
    yield entry;
  }
}

function gather(
  fields: Map<string, Gathered>,
  limit: number,
  name: string,
  values: ReadonlySet<string>,
  parser: string | undefined,
  path: readonly string[] | undefined,
): void {
  let field = fields.get(name);
  if (field === undefined) {
    if (fields.size >= limit) return;
    fields.set(name, (field = { type: "string", values: new Set(), parsers: [], path: undefined }));
  }
  if (parser !== undefined && !field.parsers.includes(parser)) field.parsers.push(parser);
  field.path = path ?? field.path;
  let first = true;
  for (const value of values) {
    // Type and path are those of the entry looked at last: Loki judges each entry anew.
    if (first) field.type = fieldTypeOf(value);
    first = false;
    field.values.add(value);
  }
}

function forEachMetadata({ labels }: KeptEntry, visit: (name: string, value: string) => void): void {
  const { names, values } = labels.metadata;
  for (let i = 0; i < names.length; i++) visit(names[i]!, values[i]!);
}

/** What the query's parsers found, and on top of it what the line says as JSON or, failing that, as logfmt. */
function parseEntry({ labels, line }: KeptEntry): { parser: string | undefined; parsed: Map<string, Parsed> } {
  const parsed = new Map<string, Parsed>();
  const { names, values } = labels.parsed;
  for (let i = 0; i < names.length; i++)
    if (!ERROR_NAMES.has(names[i]!)) parsed.set(names[i]!, { values: new Set([values[i]!]), path: undefined });

  const bytes = Buffer.from(line);
  const found = parseJson(bytes, labels.stream);
  const parser = found === undefined ? "logfmt" : "json";
  for (const [name, { value, path }] of found ?? parseLogfmt(bytes, labels.stream)) {
    const known = parsed.get(name);
    parsed.set(name, { values: new Set([...(known?.values ?? []), value]), path });
  }
  return { parser, parsed };
}

interface Found {
  readonly value: string;
  readonly path: readonly string[] | undefined;
}

/** Scalars of an object, nested ones too, by the names that `| json` gives them; undefined when the line is no whole object. */
function parseJson(bytes: Uint8Array, stream: ResultLabels): Map<string, Found> | undefined {
  const found = new Map<string, Found>();
  const walk = (start: number, prefix: string, path: readonly string[]): string | undefined =>
    eachMember(bytes, start, bytes.length, newMember(), (member) => take(member, prefix, path));

  function take(member: JsonMember, prefix: string, path: readonly string[]): string | undefined {
    const { kind, start, end } = member;
    if (kind === NULL || kind === ARRAY) return undefined;
    const key = keyOf(bytes, member);
    const joined = joinLabelName(prefix, key);
    if (kind === OBJECT) return path.length >= DEPTH_MAX ? undefined : walk(start, joined, [...path, key]);
    if (joined === "" || ERROR_NAMES.has(joined)) return undefined;
    const name = streamHas(stream, joined) ? joined + DUPLICATE_SUFFIX : joined;
    if (!found.has(name))
      found.set(name, { value: kind === STRING ? labelText(bytes, start, end) : textOf(bytes, start, end), path: [...path, key] });
    return undefined;
  }

  return walk(0, "", []) === undefined ? found : undefined;
}

/** Pairs with a value, by the names that `| logfmt` gives them. */
function parseLogfmt(bytes: Uint8Array, stream: ResultLabels): Map<string, Found> {
  const found = new Map<string, Found>();
  const pairs = new LogfmtScanner(bytes, 0, bytes.length, { lenient: true });
  while (pairs.next()) {
    const plain = toLabelName(pairs.key());
    if (plain === "" || ERROR_NAMES.has(plain) || pairs.valueStart === pairs.valueEnd) continue;
    const name = streamHas(stream, plain) ? plain + DUPLICATE_SUFFIX : plain;
    if (!found.has(name)) found.set(name, { value: cleanText(pairs.value()), path: undefined });
  }
  return found;
}

function keyOf(bytes: Uint8Array, { keyStart, keyEnd, keyEscaped }: JsonMember): string {
  return keyEscaped ? labelText(bytes, keyStart, keyEnd) : textOf(bytes, keyStart, keyEnd);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}

function streamHas(stream: ResultLabels, name: string): boolean {
  return stream.names.includes(name);
}
