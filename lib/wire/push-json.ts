// The JSON form of a push: `{"streams": [{"stream": {"a": "b"}, "values": [["<ns>", "line", {"name": "value"}]]}]}`. Decoding has the
// leniencies and refusals of Loki's decoder.

import { createTurns, forEachInTurns, type TakeTurn } from "../runtime/turns.ts";
import { compareCodePoints, quoteGo } from "../text/go-quote.ts";
import { jsonKind } from "../text/json-kind.ts";
import type { MetadataPair } from "./entry-batch.ts";
import { PushBuilder, type PushColumns, PushError, type PushStreamEntries } from "./push-columns.ts";

/** Entries that are added between two looks at the clock, less one. */
const ENTRIES_PER_LOOK_MASK = 63;

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** The JSON text of a push. */
export function encodePushJson(streams: readonly PushStreamEntries[]): string {
  return JSON.stringify({
    streams: streams.map(({ labels, entries }) => ({
      stream: labels.toObject(),
      values: entries.map(({ sec, nanos, line, metadata }) => {
        const ns = String(BigInt(sec) * 1_000_000_000n + BigInt(nanos));
        return metadata === undefined || metadata.length === 0 ? [ns, line] : [ns, line, Object.fromEntries(metadata)];
      }),
    })),
  });
}

/**
 * @param legacyPath `/api/prom/push`, whose bodies name the labels as one text; a body of the other form there stores nothing
 * @throws PushError naming the place in the body
 */
export async function decodePushJson(body: Buffer, legacyPath: boolean, takeTurn: TakeTurn = createTurns()): Promise<PushColumns> {
  const request = parse(body);
  const builder = new PushBuilder();
  if (request === null) return builder.finish();
  if (!isObject(request)) throw refused("the body", "an object", request);
  const streams = Object.entries(request).findLast(([name]) => name.toLowerCase() === "streams")?.[1] ?? [];
  if (!Array.isArray(streams)) throw refused("streams", "an array", streams);
  for (const [s, stream] of streams.entries() as Iterable<[number, unknown]>) {
    if (!isObject(stream)) throw refused(`streams[${s}]`, "an object", stream);
    await forEachInTurns(legacyPath ? addLegacyStream(builder, stream, s) : addStream(builder, stream, s), takeTurn, () => {});
  }
  return builder.finish();
}

/** The first JSON value of the body: what comes behind it is nobody's business. */
function parse(body: Buffer): unknown {
  const text = body.toString("utf8");
  if (text === "") throw new PushError("EOF");
  try {
    return JSON.parse(text);
  } catch (error) {
    const end = endOfObject(text);
    if (end === text.length) throw notJson(error);
    try {
      return JSON.parse(text.slice(0, end));
    } catch (inObject) {
      throw notJson(inObject);
    }
  }
}

const notJson = (error: unknown): PushError =>
  new PushError(`push body is not JSON: ${error instanceof Error ? error.message : String(error)}`);

/** Where the object that a text begins with ends; the text's length when it does not. */
function endOfObject(text: string): number {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') inString = !inString;
    else if (inString) at += char === "\\" ? 1 : 0;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return at + 1;
  }
  return text.length;
}

/** Yields now and then. */
function* addStream(builder: PushBuilder, stream: Record<string, unknown>, s: number): Generator<void> {
  const { stream: labels = {} } = stream;
  if (!isObject(labels)) throw refused(`streams[${s}].stream`, "an object", labels);
  builder.beginStream(labelsText(labels));
  const values = stream.values ?? [];
  if (!Array.isArray(values)) throw refused(`streams[${s}].values`, "an array", values);
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== null) addEntry(builder, values[i], `streams[${s}].values[${i}]`);
    if ((i & ENTRIES_PER_LOOK_MASK) === 0) yield;
  }
}

function addEntry(builder: PushBuilder, entry: unknown, where: string): void {
  if (!Array.isArray(entry)) throw refused(where, "an array", entry);
  const [time, line = "", metadata] = entry as unknown[];
  if (typeof time !== "string") throw refused(`${where}[0]`, "the time as a text of nanoseconds", time);
  if (typeof line !== "string") throw refused(`${where}[1]`, "a text", line);
  const [sec, nanos] = parseNanoseconds(time, `${where}[0]`);
  builder.add(sec, nanos, line, entry.length > 2 ? metadataPairs(metadata, `${where}[2]`) : undefined);
}

function metadataPairs(metadata: unknown, where: string): MetadataPair[] {
  if (!isObject(metadata)) throw refused(where, "an object of structured metadata", metadata);
  return Object.entries(metadata).map(([name, value]): MetadataPair => {
    if (typeof value !== "string") throw refused(`${where}.${name}`, "a text", value);
    return [name, value];
  });
}

/** `{"labels": "{a=\"b\"}", "entries": [{"ts": RFC 3339, "line": …}]}` */
function* addLegacyStream(builder: PushBuilder, stream: Record<string, unknown>, s: number): Generator<void> {
  const { labels = "", entries = [] } = stream;
  if (typeof labels !== "string") throw refused(`streams[${s}].labels`, "a text", labels);
  if (!Array.isArray(entries)) throw refused(`streams[${s}].entries`, "an array", entries);
  builder.beginStream(labels);
  for (const [i, entry] of entries.entries() as Iterable<[number, unknown]>) {
    const where = `streams[${s}].entries[${i}]`;
    if (!isObject(entry)) throw refused(where, "an object", entry);
    const { ts, line = "" } = entry;
    if (typeof ts !== "string" || !RFC3339.test(ts) || Number.isNaN(Date.parse(ts))) throw refused(`${where}.ts`, "an RFC 3339 time", ts);
    if (typeof line !== "string") throw refused(`${where}.line`, "a text", line);
    const fraction = /\.(\d{1,9})/.exec(ts)?.[1] ?? "";
    builder.add(Math.floor(Date.parse(ts) / 1000), Number(fraction.padEnd(9, "0")), line, undefined);
    if ((i & ENTRIES_PER_LOOK_MASK) === 0) yield;
  }
}

/** Values that are no texts count by their JSON. */
function labelsText(labels: Record<string, unknown>): string {
  const pairs = Object.entries(labels)
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([name, value]) => `${name}=${quoteGo(typeof value === "string" ? value : JSON.stringify(value))}`);
  return `{${pairs.join(", ")}}`;
}

function parseNanoseconds(text: string, where: string): [sec: number, nanos: number] {
  if (!/^-?\d{1,40}$/.test(text)) throw refused(where, "the time as a text of nanoseconds", text);
  const ns = BigInt(text);
  if (ns !== BigInt.asIntN(64, ns)) throw refused(where, "a time that 64 bits can hold", text);
  const nanos = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [Number((ns - nanos) / 1_000_000_000n), Number(nanos)];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refused(where: string, wanted: string, got: unknown): PushError {
  return new PushError(`push body: ${where} is ${jsonKind(got)}, expected ${wanted}`);
}
