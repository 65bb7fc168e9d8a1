// What of a push is taken and what is refused, with Loki's reasons and texts (reference server-features §1.3 "Rejection table").

import { quoteGo } from "../../lib/text/go-quote.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { SEC_MAX, SEC_MIN } from "../../lib/wire/far-times.ts";
import type { LabelPair, LabelSet } from "../../lib/wire/labels.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";

export interface Rejection {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
}

const SERVICE_NAME = "service_name";

/** Checks what holds for a stream as a whole. @param labels with service_name added already */
export function checkLabels(labels: LabelSet, limits: Limits): Rejection | undefined {
  if (labels.size === 0) return reject("missing_labels", "error at least one label pair is required per stream");
  const names = labels.size - (labels.has(SERVICE_NAME) ? 1 : 0);
  const stream = labels.toString();
  if (names > limits.max_label_names_per_series) {
    return reject(
      "max_label_names_per_series",
      `entry for stream '${stream}' has ${names} label names; limit ${limits.max_label_names_per_series}`,
    );
  }
  for (const [name, value] of labels) {
    if (byteLength(name) > limits.max_label_name_length)
      return reject("label_name_too_long", `stream '${stream}' has label name too long: '${name}'`);
    if (byteLength(value) > limits.max_label_value_length)
      return reject("label_value_too_long", `stream '${stream}' has label value too long: '${value}'`);
  }
  const missing = limits.enforced_labels.filter((name) => !labels.has(name));
  if (missing.length > 0) return reject("missing_enforced_labels", `missing required labels ${missing.join(",")} for stream ${stream}`);
  return undefined;
}

export function duplicateLabel(pairs: readonly LabelPair[], name: string): Rejection {
  const stream = `{${[...pairs]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => `${key}=${quoteGo(value)}`)
    .join(", ")}}`;
  return reject("duplicate_label_names", `stream '${stream}' has duplicate label name: '${name}'`);
}

/** Bounds of time that entries of one push are held to. */
export interface TimeBounds {
  readonly oldestSec: number;
  readonly newestSec: number;
}

export function timeBounds(limits: Limits, nowMs: number): TimeBounds {
  return {
    oldestSec: limits.reject_old_samples ? Math.floor((nowMs - limits.reject_old_samples_max_age) / 1000) : Number.NEGATIVE_INFINITY,
    newestSec: limits.creation_grace_period > 0 ? Math.floor((nowMs + limits.creation_grace_period) / 1000) : Number.POSITIVE_INFINITY,
  };
}

export function checkTime(stream: string, sec: number, bounds: TimeBounds): Rejection | undefined {
  if (sec < bounds.oldestSec) {
    return reject(
      "greater_than_max_sample_age",
      `entry for stream '${stream}' has timestamp too old: ${rfc3339(sec)}, oldest acceptable timestamp is: ${rfc3339(bounds.oldestSec)}`,
    );
  }
  if (sec > bounds.newestSec) return reject("too_far_in_future", `entry for stream '${stream}' has timestamp too new: ${rfc3339(sec)}`);
  return undefined;
}

/** Whatever the limits: a time that 32-bit seconds cannot hold is refused, not changed to one that they can. */
export function timeNotHeld(stream: string, farSec: number): Rejection {
  return checkTime(stream, farSec, { oldestSec: SEC_MIN, newestSec: SEC_MAX })!;
}

export function lineTooLong(stream: string, bytes: number, limitBytes: number): Rejection {
  return reject(
    "line_too_long",
    `max entry size '${limitBytes}' bytes exceeded for stream '${stream}' while adding an entry with length '${bytes}' bytes`,
  );
}

export function checkMetadata(stream: string, pairs: readonly MetadataPair[], limits: Limits): Rejection | undefined {
  const seeTo = (key: string): string => `Please see \`limits_config.${key}\` or contact your Loki administrator to`;
  if (!limits.allow_structured_metadata) {
    return reject(
      "disallowed_structured_metadata",
      `stream '${stream}' includes structured metadata, but this feature is disallowed. ${seeTo("allow_structured_metadata")} enable it`,
    );
  }
  let bytes = 0;
  for (const [name, value] of pairs) bytes += byteLength(name) + byteLength(value);
  if (limits.max_structured_metadata_size > 0 && bytes > limits.max_structured_metadata_size) {
    return reject(
      "structured_metadata_too_large",
      `stream '${stream}' has structured metadata too large: '${bytes}' bytes, limit: '${limits.max_structured_metadata_size}' bytes. ${seeTo("max_structured_metadata_size")} increase it`,
    );
  }
  if (limits.max_structured_metadata_entries_count > 0 && pairs.length > limits.max_structured_metadata_entries_count) {
    return reject(
      "structured_metadata_too_many",
      `stream '${stream}' has too many structured metadata labels: '${pairs.length}', limit: '${limits.max_structured_metadata_entries_count}'. ${seeTo("max_structured_metadata_entries_count")} increase it`,
    );
  }
  return undefined;
}

export function ingestionRateLimited(tenant: string, limitBytes: number, lines: number, bytes: number): Rejection {
  return {
    status: 429,
    reason: "rate_limited",
    text: `ingestion rate limit exceeded for user ${tenant} (limit: ${Math.floor(limitBytes)} bytes/sec) while attempting to ingest '${lines}' lines totaling '${bytes}' bytes, reduce log volume or contact your Loki administrator to see if the limit can be increased`,
  };
}

export function streamLimit(tenant: string, stream: string): Rejection {
  return {
    status: 429,
    reason: "stream_limit",
    text: `maximum active stream limit exceeded when trying to create stream ${stream}, reduce the number of active streams (reduce labels or reduce label values), or contact your Loki administrator to see if the limit can be increased, user: '${tenant}'`,
  };
}

/** Several refusals as one text: one is said as it is, more are counted by text. */
export class Rejections {
  readonly #counts = new Map<string, number>();
  #count = 0;
  /** Of texts that are not kept. */
  #others = 0;
  #status = 0;
  #reason = "";

  add({ status, reason, text }: Rejection): void {
    if (this.#count++ === 0) this.#reason = reason;
    this.#status = Math.max(this.#status, status);
    if (this.#counts.has(text) || this.#counts.size < TEXTS_MAX) this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
    else this.#others++;
  }

  /** Undefined when there are none. */
  answer(): RequestError | undefined {
    if (this.#count === 0) return undefined;
    const texts = [...this.#counts].map(([text, count]) => (this.#count === 1 ? text : `${count} errors like: ${text}`));
    if (this.#others > 0) texts.push(`${this.#others} other errors`);
    return new RequestError(this.#status, texts.join("; "), { reason: this.#reason });
  }
}

/** Each names a stream or a time: a push of a million old entries would be answered with a hundred megabytes. */
const TEXTS_MAX = 1_000;

/** Names of structured metadata become label names: each other character `_`, a leading digit behind `key_`. */
export function metadataName(name: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return name;
  const clean = [...name].map((char) => (/[a-zA-Z0-9_]/.test(char) ? char : "_")).join("");
  return /^\d/.test(clean) ? `key_${clean}` : clean;
}

/** Go's RFC 3339 without fraction. */
export function rfc3339(sec: number): string {
  return `${new Date(sec * 1000).toISOString().slice(0, 19)}Z`;
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function reject(reason: string, text: string): Rejection {
  return { status: 400, reason, text };
}
