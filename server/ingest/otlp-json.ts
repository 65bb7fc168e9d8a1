// ExportLogsServiceRequest in JSON: protobuf's JSON form with ids in hex. Integers may be texts or numbers, names lowerCamelCase or
// snake_case, as the collector's decoder takes them; unknown names are ignored.

import { createTurns, mapInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import { jsonKind } from "../../lib/text/json-kind.ts";
import {
  idText,
  type OtlpAttribute,
  OtlpError,
  type OtlpRecord,
  type OtlpResource,
  type OtlpScope,
  type OtlpValue,
  VALUE_DEPTH_MAX,
} from "./otlp-tree.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** @throws OtlpError naming the place */
export async function decodeOtlpJson(body: Buffer, takeTurn: TakeTurn = createTurns()): Promise<OtlpResource[]> {
  const request = objectOf(parse(body.toString("utf8")), "the body");
  const resources: OtlpResource[] = [];
  for (const item of listOf(request, "resourceLogs", "resource_logs"))
    resources.push(await readResource(objectOf(item, "resourceLogs"), takeTurn));
  return resources;
}

function parse(text: string): unknown {
  // Nanoseconds written as numbers must not lose their last digits: JSON.parse makes doubles.
  const exact = hasLongDigits(text) ? withQuotedIntegers(text) : text;
  try {
    return JSON.parse(exact);
  } catch (error) {
    throw new OtlpError(`otlp body is not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Digits of an integer that a double may not hold. */
const LONG_DIGITS = 16;

/** Whether there is a long run of digits anywhere but right behind a quotation mark: every sixteenth character is enough to see one. */
function hasLongDigits(text: string): boolean {
  for (let i = LONG_DIGITS - 1; i < text.length; i += LONG_DIGITS) {
    if (!isDigit(text.charCodeAt(i))) continue;
    let start = i;
    while (start > 0 && isDigit(text.charCodeAt(start - 1))) start--;
    const end = endOfDigits(text, i);
    if (end - start >= LONG_DIGITS && text[start - 1] !== '"') return true;
    i = Math.max(i, end - LONG_DIGITS);
  }
  return false;
}

/** The text with integers that a double may not hold as texts: outside of texts, whole numbers only. */
function withQuotedIntegers(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) i = endOfString(text, i);
    else if (isDigit(char)) {
      const end = endOfDigits(text, i);
      if (end - i >= LONG_DIGITS && !/[.eE]/.test(text[end] ?? "")) {
        const start = text[i - 1] === "-" ? i - 1 : i;
        parts.push(text.slice(copied, start), `"${text.slice(start, end)}"`);
        copied = end;
      }
      i = end - 1;
    }
  }
  parts.push(text.slice(copied));
  return parts.join("");
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

function endOfDigits(text: string, from: number): number {
  let end = from;
  while (end < text.length && isDigit(text.charCodeAt(end))) end++;
  return end;
}

/** Position of the quotation mark that ends the string; the text's end when none does. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) return i;
    if (char === BACKSLASH) i++;
  }
  return text.length;
}

async function readResource(item: JsonObject, takeTurn: TakeTurn): Promise<OtlpResource> {
  const resource = objectOf(item.resource ?? {}, "resource");
  const scopes: OtlpScope[] = [];
  const attributes = attributesOf(resource);
  for (const scope of listOf(item, "scopeLogs", "scope_logs")) scopes.push(await readScope(objectOf(scope, "scopeLogs"), takeTurn));
  return { attributes, scopes };
}

async function readScope(item: JsonObject, takeTurn: TakeTurn): Promise<OtlpScope> {
  const scope = objectOf(item.scope ?? {}, "scope");
  return {
    name: textOf(scope.name, "scope.name"),
    version: textOf(scope.version, "scope.version"),
    attributes: attributesOf(scope),
    droppedAttributes: numberOf(either(scope, "droppedAttributesCount", "dropped_attributes_count"), "droppedAttributesCount"),
    records: await mapInTurns(listOf(item, "logRecords", "log_records"), takeTurn, (record) => readRecord(objectOf(record, "logRecords"))),
  };
}

function readRecord(item: JsonObject): OtlpRecord {
  return {
    timeNs: BigInt.asUintN(64, integerOf(either(item, "timeUnixNano", "time_unix_nano"), "timeUnixNano")),
    observedNs: BigInt.asUintN(64, integerOf(either(item, "observedTimeUnixNano", "observed_time_unix_nano"), "observedTimeUnixNano")),
    severityNumber: severityOf(either(item, "severityNumber", "severity_number")),
    severityText: textOf(either(item, "severityText", "severity_text"), "severityText"),
    body: readValue(item.body, "body", 0),
    attributes: attributesOf(item),
    droppedAttributes: numberOf(either(item, "droppedAttributesCount", "dropped_attributes_count"), "droppedAttributesCount"),
    flags: numberOf(item.flags, "flags"),
    traceId: hexOf(either(item, "traceId", "trace_id"), "traceId", 32),
    spanId: hexOf(either(item, "spanId", "span_id"), "spanId", 16),
  };
}

function attributesOf(item: JsonObject): OtlpAttribute[] {
  return listOf(item, "attributes").map((attribute) => readAttribute(objectOf(attribute, "attributes"), 0));
}

function readAttribute(attribute: JsonObject, depth: number): OtlpAttribute {
  const key = textOf(attribute.key, "attribute key");
  return [key, readValue(attribute.value, `attribute ${key}`, depth)];
}

function readValue(item: unknown, where: string, depth: number): OtlpValue {
  if (depth > VALUE_DEPTH_MAX) throw new OtlpError(`${where} is nested more than ${VALUE_DEPTH_MAX} deep`);
  if (item === undefined || item === null) return undefined;
  let value: OtlpValue;
  for (const [kind, content] of Object.entries(objectOf(item, where))) {
    if (kind === "stringValue" || kind === "string_value") value = textOf(content, where);
    else if (kind === "boolValue" || kind === "bool_value") value = content === true || content === "true";
    else if (kind === "intValue" || kind === "int_value") value = BigInt.asIntN(64, integerOf(content, where));
    else if (kind === "doubleValue" || kind === "double_value") value = doubleOf(content, where);
    else if (kind === "bytesValue" || kind === "bytes_value") value = Buffer.from(textOf(content, where), "base64");
    else if (kind === "arrayValue" || kind === "array_value")
      value = listOf(objectOf(content, where), "values").map((inner) => readValue(inner, where, depth + 1));
    else if (kind === "kvlistValue" || kind === "kvlist_value") {
      value = new Map(listOf(objectOf(content, where), "values").map((pair) => readAttribute(objectOf(pair, where), depth + 1)));
    }
  }
  return value;
}

function either(item: JsonObject, camel: string, snake: string): unknown {
  return item[camel] ?? item[snake];
}

function listOf(item: JsonObject, camel: string, snake = camel): readonly unknown[] {
  const list = either(item, camel, snake) ?? [];
  if (!Array.isArray(list)) throw refused(camel, "an array", list);
  return list;
}

function objectOf(value: unknown, where: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refused(where, "an object", value);
  return value as JsonObject;
}

function textOf(value: unknown, where: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw refused(where, "a text", value);
  return value;
}

function integerOf(value: unknown, where: string): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw refused(where, "an integer", value);
}

function numberOf(value: unknown, where: string): number {
  return Number(BigInt.asUintN(32, integerOf(value, where)));
}

function doubleOf(value: unknown, where: string): number {
  if (typeof value === "number") return value;
  if (value === "NaN") return Number.NaN;
  if (typeof value === "string" && /^[+-]?(?:Inf(?:inity)?|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)$/.test(value))
    return Number(value.replace(/Inf(?:inity)?/, "Infinity"));
  throw refused(where, "a number", value);
}

const SEVERITIES = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/** A number, or the name in the protocol's enumeration: SEVERITY_NUMBER_ERROR2 is 18. */
function severityOf(value: unknown): number {
  const name = typeof value === "string" ? /^SEVERITY_NUMBER_([A-Z]+)([234])?$/.exec(value) : null;
  if (name === null) return Number(BigInt.asIntN(32, integerOf(value, "severityNumber")));
  const at = SEVERITIES.indexOf(name[1]!);
  return at < 0 ? 0 : at * 4 + Number(name[2] ?? 1);
}

function hexOf(value: unknown, where: string, digits: number): string {
  const text = textOf(value, where);
  if (text !== "" && (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text))) throw refused(where, `${digits} hex digits`, value);
  return idText(text);
}

function refused(where: string, wanted: string, got: unknown): OtlpError {
  return new OtlpError(`otlp body: ${where} is ${jsonKind(got)}, expected ${wanted}`);
}
