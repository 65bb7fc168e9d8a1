// detected_level: the level of an entry, found at ingest and kept as structured metadata, as Loki does with discover_log_levels
// (reference server-features §1.3 "detected_level", and the recorded cases).

import { kernels } from "../../lib/kernels/index.ts";
import { JSON_ESCAPED_STRING, JSON_LINE_OBJECT, JSON_PLAIN_STRING } from "../../lib/kernels/kernels.ts";
import { type MetadataPair, textOf } from "../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart, type PushColumns } from "../../lib/wire/push-columns.ts";

export const DETECTED_LEVEL = "detected_level";
const UNKNOWN = "unknown";

/** Every spelling that is recognised, in lower case, and the level it stands for. */
const LEVELS: Readonly<Record<string, string>> = {
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
};
/** Level words that a line's text is searched for, as whole words. `inf` and `information` are too common for that. */
const LEVEL_WORD = /(?<![A-Za-z0-9_])(trace|trc|debug|dbg|info|warn|wrn|warning|error|err|critical|fatal)(?![A-Za-z0-9_])/i;

export interface LevelFinder {
  /** The level of the stream's labels, which holds for all its entries; undefined when they name none. */
  ofLabels(labels: LabelSet): string | undefined;
  /** The level that structured metadata names. */
  ofMetadata(pairs: readonly MetadataPair[]): string | undefined;
  /** Levels of the lines `[from, to)` of a push, from their text alone. */
  ofLines(push: PushColumns, from: number, to: number): string[];
}

/** @param fields names that hold a level, the earlier ones win; @param jsonDepth how deep JSON is searched for them */
export function createLevelFinder(fields: readonly string[], jsonDepth: number): LevelFinder {
  const keys = fields.map((field) => Buffer.from(field));
  const ranks = new Map(fields.map((field, rank) => [field.toLowerCase(), rank] as const).reverse());
  const logfmtField = new RegExp(`(?:^|[\\s])(${[...ranks.keys()].map(escapeRegex).join("|")})=("(?:[^"\\\\]|\\\\.)*"|[^\\s]*)`, "gi");
  const nestedField = new RegExp(`"(?:${fields.map(escapeRegex).join("|")})"\\s*:`);

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
    const known = ofJson === undefined ? undefined : LEVELS[ofJson.toLowerCase()];
    if (known !== undefined) return known;
    const line = textOf(push.bytes, start, end);
    const named = looksLikeJson(push.bytes, start, end) ? nestedLevel(line) : line.includes("=") ? logfmtLevel(line) : undefined;
    return (
      (named === undefined ? undefined : LEVELS[named.toLowerCase()]) ?? LEVELS[(LEVEL_WORD.exec(line)?.[1] ?? "").toLowerCase()] ?? UNKNOWN
    );
  }

  function logfmtLevel(line: string): string | undefined {
    let best: string | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (const match of line.matchAll(logfmtField)) {
      const rank = ranks.get(match[1]!.toLowerCase()) ?? Number.POSITIVE_INFINITY;
      if (rank < bestRank) {
        bestRank = rank;
        best = match[2]!.replace(/^"|"$/g, "");
      }
    }
    return best;
  }

  function nestedLevel(line: string): string | undefined {
    if (!nestedField.test(line)) return undefined;
    try {
      return levelIn(JSON.parse(line), 1);
    } catch {
      return undefined;
    }
  }

  function levelIn(value: unknown, depth: number): string | undefined {
    if (typeof value !== "object" || value === null || depth > jsonDepth) return undefined;
    const object = value as Record<string, unknown>;
    for (const field of fields) if (typeof object[field] === "string") return object[field] as string;
    for (const inner of Object.values(object)) {
      const level = levelIn(inner, depth + 1);
      if (level !== undefined) return level;
    }
    return undefined;
  }
}

/** A value that somebody wrote as the level: put in the usual spelling, or kept when it is not a known one. */
export function keepOrNormalise(value: string): string {
  return LEVELS[value.toLowerCase()] ?? value;
}

/** OpenTelemetry's severity numbers. */
function levelOfSeverityNumber(text: string): string {
  if (!/^[+-]?\d+$/.test(text)) return "info";
  const number = Number(text);
  if (number <= 0 || number > 24) return UNKNOWN;
  return ["trace", "debug", "info", "warn", "error", "fatal"][Math.floor((number - 1) / 4)]!;
}

function looksLikeJson(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start] === 0x7b && bytes[end - 1] === 0x7d;
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
    for (let k = 0; k < keys.length; k++) {
      const at = line * keys.length + k;
      if (kind[at] === JSON_PLAIN_STRING || kind[at] === JSON_ESCAPED_STRING) return textOf(bytes, valueStart[at]!, valueEnd[at]!);
    }
    return undefined;
  };
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
