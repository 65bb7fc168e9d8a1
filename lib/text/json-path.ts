// LogQL's paths into a JSON line: `| json a="x.y[0]", b="[\"odd key\"].z"`. The line is scanned for the one value, not parsed whole: what
// stands behind it may be broken, as with the scanner Loki uses.

import { unescapeJsonString } from "./json-escape.ts";

/** A path that cannot be read; the text is the one Loki shows. */
export class JsonPathError extends Error {
  override readonly name = "JsonPathError";
}

/** A line in which the value cannot be read; the text is that of `__error_details__`. */
export class JsonScanError extends Error {
  override readonly name = "JsonScanError";
}

export interface JsonPath {
  readonly steps: readonly (string | number)[];
  /**
   * The value in a JSON text: strings unescaped, numbers and booleans as written, objects and arrays as their JSON text. Undefined when
   * there is none, or null.
   *
   * @throws JsonScanError when the value is there and cannot be read
   */
  evaluate(json: string): string | undefined;
}

/** Compiles a path. @throws JsonPathError */
export function compileJsonPath(expression: string): JsonPath {
  const steps = parseSteps(expression);
  return {
    steps,
    evaluate(json) {
      const start = find(json, steps);
      return start < 0 ? undefined : valueAt(json, start);
    },
  };
}

/** May the line be scanned for paths? Loki sets `JSONParserErr` (without details) on a line that starts otherwise. */
export function startsLikeJson(line: string): boolean {
  return line[0] === "{" || line[0] === "[" || line[0] === '"';
}

interface Token {
  readonly kind: "DOT" | "LSB" | "RSB" | "STRING" | "INDEX" | "FIELD" | "$end";
  readonly text: string;
}

const TOKEN = /\s*(?:(\.)|(\[)|(\])|("(?:[^"\\]|\\.)*")|(\d+)|([a-zA-Z_][a-zA-Z0-9_]*))/y;
const KINDS = ["DOT", "LSB", "RSB", "STRING", "INDEX", "FIELD"] as const;

function parseSteps(expression: string): (string | number)[] {
  TOKEN.lastIndex = 0;
  let inBrackets = false;
  const next = (): Token => {
    const match = TOKEN.exec(expression);
    // A character that begins no token ends the text for Loki's lexer, too.
    if (match === null) return { kind: "$end", text: "" };
    const kind = KINDS[match.slice(1).findIndex((text) => text !== undefined)]!;
    if (kind === "INDEX" && !inBrackets) return { kind: "$end", text: "" };
    inBrackets = kind === "LSB";
    return { kind, text: match[0].trim() };
  };
  const refuse = (token: Token, wanted: string): never => {
    const expecting = wanted === "" ? "" : `, expecting ${wanted}`;
    throw new JsonPathError(`cannot parse expression [${expression}]: syntax error: unexpected ${token.kind}${expecting}`);
  };
  const steps: (string | number)[] = [];
  let token = next();
  let wanted = "LSB or FIELD";
  do {
    if (token.kind === "FIELD" && wanted !== "") steps.push(token.text);
    else if (token.kind === "LSB" && wanted !== "FIELD") {
      const inside = next();
      if (inside.kind === "STRING") steps.push(unescapeJsonString(inside.text.slice(1, -1)) ?? inside.text.slice(1, -1));
      else if (inside.kind === "INDEX") steps.push(Number(inside.text));
      else refuse(inside, "STRING or INDEX");
      const close = next();
      if (close.kind !== "RSB") refuse(close, "RSB");
    } else refuse(token, wanted);
    token = next();
    wanted = "";
    if (token.kind === "DOT") {
      token = next();
      wanted = "FIELD";
    }
  } while (token.kind !== "$end" || wanted !== "");
  return steps;
}

/** Where the value of the path starts, behind blanks; -1 when there is none. Throws when its place is there and the text ends. */
function find(json: string, steps: readonly (string | number)[]): number {
  let at = skipBlanks(json, 0);
  for (const step of steps) {
    at = typeof step === "number" ? findElement(json, at, step) : findKey(json, at, step);
    if (at < 0) return -1;
  }
  return at;
}

function findKey(json: string, start: number, key: string): number {
  if (json[start] !== "{") return -1;
  let at = skipBlanks(json, start + 1);
  while (json[at] === '"') {
    const end = stringEnd(json, at);
    if (end < 0) return -1;
    const colon = skipBlanks(json, end);
    if (json[colon] !== ":") return -1;
    const raw = json.slice(at + 1, end - 1);
    at = skipBlanks(json, colon + 1);
    if (raw === key || (raw.includes("\\") && unescapeJsonString(raw, true) === key)) {
      if (at >= json.length) throw new JsonScanError("Malformed JSON error");
      return at;
    }
    at = nextItem(json, at);
    if (at < 0) return -1;
  }
  return -1;
}

function findElement(json: string, start: number, index: number): number {
  if (json[start] !== "[") return -1;
  let at = skipBlanks(json, start + 1);
  if (json[at] === "]") return -1;
  for (let i = 0; i < index; i++) {
    at = nextItem(json, at);
    if (at < 0) return -1;
  }
  return at < json.length ? at : -1;
}

/** Behind the value at `at` and its comma; -1 when nothing follows. */
function nextItem(json: string, at: number): number {
  const end = valueEnd(json, at);
  if (end < 0) return -1;
  const comma = skipBlanks(json, end);
  return json[comma] === "," ? skipBlanks(json, comma + 1) : -1;
}

function valueAt(json: string, start: number): string | undefined {
  const first = json[start]!;
  const end = valueEnd(json, start);
  if (end < 0) {
    if (first === '"') throw new JsonScanError("Value is string, but can't find closing '\"' symbol");
    if (first === "[") throw new JsonScanError("Value is array, but can't find closing ']' symbol");
    throw new JsonScanError("Value looks like object, but can't find closing '}' symbol");
  }
  const raw = json.slice(start, end);
  if (first === '"') return (unescapeJsonString(raw.slice(1, -1), true) ?? "").replaceAll("\ufffd", " ");
  if (first === "{" || first === "[" || raw === "true" || raw === "false") return raw;
  if (raw === "null") return undefined;
  if (!/^[-0-9]/.test(raw)) throw new JsonScanError("Unknown value type");
  return raw;
}

/** Behind the value; -1 when a string, object or array is not closed. */
function valueEnd(json: string, start: number): number {
  const first = json[start];
  if (first === '"') return stringEnd(json, start);
  if (first === "{" || first === "[") return blockEnd(json, start);
  let at = start;
  while (at < json.length && !/[\s,}\]]/.test(json[at]!)) at++;
  return at;
}

/** Behind the bracket that closes the one at `start`; brackets of the other kind need not fit, as in Loki's scanner. */
function blockEnd(json: string, start: number): number {
  const open = json[start];
  const close = open === "{" ? "}" : "]";
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const char = json[at];
    if (char === '"') {
      at = stringEnd(json, at) - 1;
      if (at < 0) return -1;
    } else if (char === open) depth++;
    else if (char === close && --depth === 0) return at + 1;
  }
  return -1;
}

function stringEnd(json: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = json.indexOf('"', at);
    if (at < 0) return -1;
    let slashes = 0;
    while (json.charCodeAt(at - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
}

function skipBlanks(json: string, from: number): number {
  let at = from;
  while (at < json.length && (json.charCodeAt(at) === 32 || (json.charCodeAt(at) >= 9 && json.charCodeAt(at) <= 13))) at++;
  return at;
}
