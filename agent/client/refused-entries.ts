// What the file of dead letters says of entries: a request of ours taken apart down to its entries.

import { formatTime } from "../../lib/text/go-time.ts";
import { UTC } from "../../lib/text/time-zone.ts";
import { textOf } from "../../lib/wire/entry-batch.ts";
import { parseLabels } from "../../lib/wire/parse-labels.ts";
import { TAG_LINE, TAG_METADATA, TAG_NAME, TAG_TIMESTAMP } from "./body-writer.ts";
import { lengthFields, type TakenStream } from "./push-body.ts";

/** Why entries were refused, and when. */
export interface Refusal {
  readonly time: string;
  readonly tenant: string;
  readonly reason: string;
  /** HTTP status, -1 for none. */
  readonly status: number;
  readonly message: string;
}

/** One line of the file. */
export interface RefusedEntry extends Refusal {
  /** As text where they are no labels that Loki takes: that may be why the entry was refused. */
  readonly labels: Readonly<Record<string, string>> | string;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly timestamp: string;
  readonly line: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export function* refusedEntries(streams: readonly TakenStream[], refusal: Refusal): Iterable<RefusedEntry> {
  for (const stream of streams) {
    const labels = readLabels(textOf(stream.labels, 0, stream.labels.length));
    for (const entry of stream.entries) yield { ...refusal, labels, ...readEntry(entry) };
  }
}

function readLabels(text: string): Record<string, string> | string {
  try {
    return parseLabels(text).toObject();
  } catch {
    return text;
  }
}

/** @param entry an EntryAdapter with its tag and length */
function readEntry(entry: Uint8Array): Pick<RefusedEntry, "timestamp" | "line" | "metadata"> {
  let timestamp = RFC3339_OF_ZERO;
  let line = "";
  let metadata: Record<string, string> | undefined;
  const [[, from, to] = [0, 0, 0]] = lengthFields(entry, 0, entry.length);
  for (const [tag, start, end] of lengthFields(entry, from, to)) {
    if (tag === TAG_TIMESTAMP) timestamp = readTimestamp(entry.subarray(start, end));
    else if (tag === TAG_LINE) line = textOf(entry, start, end);
    else if (tag === TAG_METADATA) metadata = { ...metadata, ...readPair(entry, start, end) };
  }
  return { timestamp, line, ...(metadata !== undefined && { metadata }) };
}

function readPair(bytes: Uint8Array, from: number, to: number): Record<string, string> {
  let name = "";
  let value = "";
  for (const [tag, start, end] of lengthFields(bytes, from, to)) {
    if (tag === TAG_NAME) name = textOf(bytes, start, end);
    else value = textOf(bytes, start, end);
  }
  return { [name]: value };
}

const RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00";
const RFC3339_OF_ZERO = "1970-01-01T00:00:00Z";

/** Timestamp {1: seconds, 2: nanos}, both varints; seconds are an int64. */
function readTimestamp(bytes: Uint8Array): string {
  let sec = 0;
  let nanos = 0;
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at++]!;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (tag === 0x08) sec = Number(BigInt.asIntN(64, value));
    else nanos = Number(value);
  }
  return formatTime({ sec, nanos, zone: UTC }, RFC3339_NANO);
}
