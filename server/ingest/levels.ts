// detected_level: the level of an entry, found at ingest and kept as structured metadata, as Loki does with discover_log_levels
// (reference server-features §1.3 "detected_level", and the recorded cases).

import { kernels } from "../../lib/kernels/index.ts";
import { JSON_ESCAPED_STRING, JSON_LINE_OBJECT, JSON_PLAIN_STRING } from "../../lib/kernels/kernels.ts";
import { LogfmtScanner } from "../../lib/text/logfmt.ts";
import { type MetadataPair, textOf } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart, type PushColumns } from "../../lib/wire/push-columns.ts";

export const DETECTED_LEVEL = "detected_level";
const UNKNOWN = "unknown";
const OPEN_BRACE = 0x7b;

/** Every spelling that is recognised, in lower case, and the level it stands for. */
const LEVELS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    trace: "trace",
    trc: "trace",
    debug: "debug",
    dbg: "debug",
    info: "info",
    inf: "info",
    information: "info",
    warn: "warn",
    wrn: "warn",
    warning: "warn",
    error: "error",
    err: "error",
    critical: "critical",
    fatal: "fatal",
  }),
);
/** Words that a line's text is searched for, in this order: a line that has several is of the first one's level. */
const LEVEL_WORDS = ["trace", "debug", "fatal", "critical", "error", "err", "warning", "warn", "info"];
/** Lines without any of them are the most, and are told apart by one search. */
const MAY_HAVE_LEVEL_WORD = /trace|debug|fatal|critical|err|warn|info/i;

/** Names of fields that hold a level, where no others are configured; the earlier ones win. */
export const DEFAULT_LEVEL_FIELDS: readonly string[] = [
  "level",
  "LEVEL",
  "Level",
  "Severity",
  "severity",
  "SEVERITY",
  "lvl",
  "LVL",
  "Lvl",
  "severity_text",
  "Severity_Text",
  "SEVERITY_TEXT",
];

export interface LevelFinder {
  /** The level of the stream's labels, which holds for all its entries; undefined when they name none. */
  ofLabels(labels: LabelSet): string | undefined;
  /** The level that structured metadata names. */
  ofMetadata(pairs: readonly MetadataPair[]): string | undefined;
  /** Levels of the lines `[from, to)` of a push, from their text alone. */
  ofLines(push: PushColumns, from: number, to: number): string[];
}

/**
 * @param configured names that hold a level, the earlier ones win; none: the default ones
 * @param jsonDepth how deep JSON is searched for them, 1 is the top; 0: however deep
 */
export function createLevelFinder(configured: readonly string[], jsonDepth: number): LevelFinder {
  const fields = configured.length === 0 ? DEFAULT_LEVEL_FIELDS : configured;
  const keys = fields.map((field) => Buffer.from(field));
  const ranks = new Map(fields.map((field, rank) => [field.toLowerCase(), rank] as const).reverse());
  const anyField = fields.map(escapeRegex).join("|");
  const mayHaveLogfmt = new RegExp(`(?:${anyField})=`, "i");
  const mayHaveJson = new RegExp(`"(?:${anyField})"\\s*:`);
  const names = new Set(fields);
  const logfmt = new LogfmtScanner(new Uint8Array(0));

  return {
    ofLabels(labels) {
      for (const field of fields) if (labels.has(field)) return keepOrNormalise(labels.get(field));
      return undefined;
    },
    ofMetadata(pairs) {
      for (const field of fields) {
        const pair = pairs.find(([name]) => name === field);
        if (pair !== undefined) return keepOrNormalise(pair[1]);
      }
      const number = pairs.find(([name]) => name === "severity_number");
      return number === undefined ? undefined : levelOfSeverityNumber(number[1]);
    },
    ofLines(push, from, to) {
      const json = scanJsonLines(push, from, to, keys);
      const levels: string[] = [];
      for (let i = from; i < to; i++) levels.push(ofLine(push, i, json?.(i)));
      return levels;
    },
  };

  function ofLine(push: PushColumns, i: number, ofJson: string | undefined): string {
    const start = lineStart(push.ends, i);
    const end = push.ends[i]!;
    if (end === start) return UNKNOWN;
    const known = ofJson === undefined ? undefined : LEVELS.get(ofJson.toLowerCase());
    if (known !== undefined) return known;
    const line = textOf(push.bytes, start, end);
    return LEVELS.get((namedLevel(push, i, line) ?? "").toLowerCase()) ?? levelOfText(line);
  }

  /** The value of the field that names the level, as the line has it. */
  function namedLevel(push: PushColumns, i: number, line: string): string | undefined {
    const start = lineStart(push.ends, i);
    const end = push.ends[i]!;
    if (looksLikeJson(push.bytes, start, end)) return mayHaveJson.test(line) ? nestedLevel(line) : undefined;
    return mayHaveLogfmt.test(line) ? logfmtLevel(push.bytes, start, end) : undefined;
  }

  function logfmtLevel(bytes: Uint8Array, start: number, end: number): string | undefined {
    let best: string | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    logfmt.reset(bytes, start, end);
    while (bestRank > 0 && logfmt.next()) {
      const rank = ranks.get(logfmt.key().toLowerCase()) ?? Number.POSITIVE_INFINITY;
      if (rank >= bestRank) continue;
      bestRank = rank;
      best = logfmt.value();
    }
    return best;
  }

  function nestedLevel(line: string): string | undefined {
    try {
      return levelIn(JSON.parse(line), 1);
    } catch {
      return undefined;
    }
  }

  /** The first one in the order in which the line has them. */
  function levelIn(value: unknown, depth: number): string | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value) || (jsonDepth > 0 && depth > jsonDepth)) return undefined;
    for (const [name, inner] of Object.entries(value)) {
      const level = typeof inner === "string" ? (names.has(name) ? inner : undefined) : levelIn(inner, depth + 1);
      if (level !== undefined) return level;
    }
    return undefined;
  }
}

/** The level that a line's words tell: the first of LEVEL_WORDS whose first occurrence, in any case, stands by itself. */
function levelOfText(line: string): string {
  if (!MAY_HAVE_LEVEL_WORD.test(line)) return UNKNOWN;
  const lower = line.toLowerCase();
  for (const word of LEVEL_WORDS) {
    const at = lower.indexOf(word);
    if (at >= 0 && !endsWithLetter(lower, at) && !beginsWithLetter(lower, at + word.length)) return LEVELS.get(word)!;
  }
  return UNKNOWN;
}

/** Loki looks at the one byte on either side as if it were a character of Latin-1, and so do these two. */
function endsWithLetter(text: string, before: number): boolean {
  if (before === 0) return false;
  const code = text.charCodeAt(before - 1);
  return isLetter(code < 0x80 ? code : 0x80 | (code & 0x3f));
}

function beginsWithLetter(text: string, at: number): boolean {
  if (at === text.length) return false;
  const code = text.codePointAt(at)!;
  const firstByte = code < 0x80 ? code : code < 0x800 ? 0xc0 | (code >> 6) : code < 0x10000 ? 0xe0 | (code >> 12) : 0xf0 | (code >> 18);
  return isLetter(firstByte);
}

function isLetter(latin1: number): boolean {
  return /[\p{L}0-9_]/u.test(String.fromCharCode(latin1));
}

/** A value that somebody wrote as the level: put in the usual spelling, or kept when it is not a known one. */
export function keepOrNormalise(value: string): string {
  return LEVELS.get(value.toLowerCase()) ?? value;
}

/** OpenTelemetry's severity numbers. */
function levelOfSeverityNumber(text: string): string {
  if (!/^[+-]?\d+$/.test(text)) return "info";
  const number = Number(text);
  if (number === 0 || number > 24) return UNKNOWN;
  return ["trace", "debug", "info", "warn", "error", "fatal"][Math.max(0, Math.floor((number - 1) / 4))]!;
}

/** Braces around it, and white space around them. */
function looksLikeJson(bytes: Uint8Array, start: number, end: number): boolean {
  let first = start;
  let last = end - 1;
  while (first < last && isSpace(bytes[first]!)) first++;
  while (last > first && isSpace(bytes[last]!)) last--;
  return bytes[first] === OPEN_BRACE && bytes[last] === 0x7d;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Scans the lines that look like JSON for the keys in one go; undefined when there is none. */
function scanJsonLines(
  push: PushColumns,
  from: number,
  to: number,
  keys: readonly Uint8Array[],
): ((i: number) => string | undefined) | undefined {
  const starts = new Int32Array(to - from);
  const ends = new Int32Array(to - from);
  const slot = new Int32Array(to - from).fill(-1);
  let lines = 0;
  for (let i = from; i < to; i++) {
    const start = lineStart(push.ends, i);
    if (!looksLikeJson(push.bytes, start, push.ends[i]!)) continue;
    starts[lines] = start;
    ends[lines] = push.ends[i]!;
    slot[i - from] = lines++;
  }
  if (lines === 0) return undefined;
  const { bytes } = push;
  const verdict = new Uint8Array(lines);
  const kind = new Uint8Array(lines * keys.length);
  const valueStart = new Int32Array(lines * keys.length);
  const valueEnd = new Int32Array(lines * keys.length);
  kernels.scanJson(bytes, starts, ends, lines, keys, 0, verdict, kind, valueStart, valueEnd);
  return (i) => {
    const line = slot[i - from]!;
    if (line < 0 || verdict[line] !== JSON_LINE_OBJECT) return undefined;
    let first = -1;
    for (let at = line * keys.length; at < (line + 1) * keys.length; at++) {
      if (kind[at] !== JSON_PLAIN_STRING && kind[at] !== JSON_ESCAPED_STRING) continue;
      if (first < 0 || valueStart[at]! < valueStart[first]!) first = at;
    }
    if (first < 0) return undefined;
    // An object before it may hold one too, which then is the first.
    const inner = bytes.indexOf(OPEN_BRACE, bytes.indexOf(OPEN_BRACE, starts[line]) + 1);
    if (inner >= 0 && inner < valueStart[first]!) return undefined;
    return textOf(bytes, valueStart[first]!, valueEnd[first]!);
  };
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
