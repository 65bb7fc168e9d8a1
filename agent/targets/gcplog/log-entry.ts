// Entries of Google Cloud Logging, and the messages in which a Pub/Sub subscription pushes them: JSON with the LogEntry in base64.
// https://cloud.google.com/pubsub/docs/push, https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry

import { messageOf } from "../../../lib/runtime/invariant.ts";
import { parseLayout } from "../../../lib/text/go-time.ts";

/** Why a message is refused: values of the metric's label, which are Promtail's. */
export type GcpFault = "format" | "invalid_message" | "translation";

export class GcpMessageError extends Error {
  override readonly name = "GcpMessageError";
  readonly fault: GcpFault;
  constructor(fault: GcpFault, text: string) {
    super(text);
    this.fault = fault;
  }
}

export interface GcpEntry {
  /** `__gcp_…`, for the rules. */
  readonly internal: Map<string, string>;
  readonly line: string | Buffer;
  /** Of the entry; undefined unless it was asked for. */
  readonly time: { readonly sec: number; readonly nanos: number } | undefined;
}

export interface GcpOptions {
  readonly keepTime: boolean;
  /** The whole entry as JSON is the line, even if it has a text. */
  readonly useFullLine: boolean;
}

const rfc3339 = parseLayout("2006-01-02T15:04:05Z07:00");

/** @throws GcpMessageError */
export function readPushMessage(body: Buffer, options: GcpOptions): GcpEntry {
  const request = asObject("format", parse("format", body), "the request");
  const message = asObject("format", request.message ?? {}, "message");
  const data = textOf("format", message, "data");
  const id = textOf("format", message, "message_id") || textOf("format", message, "messageId");
  const subscription = textOf("format", request, "subscription");
  if (data === "") throw new GcpMessageError("invalid_message", "push message has no data");
  if (id === "") throw new GcpMessageError("invalid_message", "push message has no ID");
  if (subscription === "") throw new GcpMessageError("invalid_message", "push message has no subscription");
  const internal = new Map([
    ["__gcp_message_id", id],
    ["__gcp_subscription_name", subscription],
    ...labelsOf("format", message, "attributes", "__gcp_attributes_"),
  ]);
  return readLogEntry(decodeBase64(data), internal, options);
}

/** @param data JSON of a LogEntry; @param internal labels that are known already, to which those of the entry are added. @throws GcpMessageError */
export function readLogEntry(data: Buffer, internal: Map<string, string>, { keepTime, useFullLine }: GcpOptions): GcpEntry {
  const entry = asObject("translation", parse("translation", data), "the log entry");
  const resource = asObject("translation", entry.resource ?? {}, "resource");
  internal.set("__gcp_logname", textOf("translation", entry, "logName"));
  internal.set("__gcp_resource_type", textOf("translation", resource, "type"));
  internal.set("__gcp_severity", textOf("translation", entry, "severity"));
  for (const [name, value] of labelsOf("translation", resource, "labels", "__gcp_resource_labels_")) internal.set(name, value);
  for (const [name, value] of labelsOf("translation", entry, "labels", "__gcp_labels_")) internal.set(name, value);
  const text = textOf("translation", entry, "textPayload");
  return { internal, line: !useFullLine && text.trim() !== "" ? text : data, time: keepTime ? timeOf(entry) : undefined };
}

function timeOf(entry: Record<string, unknown>): GcpEntry["time"] {
  const text = textOf("translation", entry, "timestamp") || textOf("translation", entry, "receiveTimestamp");
  const time = rfc3339.tryParse(text);
  if (time === null) throw new GcpMessageError("translation", `invalid timestamp format: ${JSON.stringify(text)} is no RFC 3339 time`);
  return time;
}

/** `logging.googleapis.com/resourceName` → `logging_googleapis_com_resource_name`, as Promtail spells it. */
export function labelNameOf(key: string): string {
  const chars = [...key.replace(/[.\-/]/g, "_")];
  return chars.map((char, i) => (i > 0 && /\p{Lu}/u.test(char) && chars[i - 1] !== "_" ? "_" : "") + char.toLowerCase()).join("");
}

function labelsOf(fault: GcpFault, from: Record<string, unknown>, key: string, prefix: string): [string, string][] {
  const map = asObject(fault, from[key] ?? {}, key);
  return Object.keys(map).map((name) => [prefix + labelNameOf(name), textOf(fault, map, name)]);
}

function parse(fault: GcpFault, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new GcpMessageError(fault, `not JSON: ${messageOf(error)}`);
  }
}

function asObject(fault: GcpFault, value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new GcpMessageError(fault, `${what} is ${JSON.stringify(value).slice(0, 100)}, expected an object`);
}

function textOf(fault: GcpFault, from: Record<string, unknown>, key: string): string {
  const value = from[key] ?? "";
  if (typeof value !== "string") throw new GcpMessageError(fault, `${key} is ${JSON.stringify(value).slice(0, 100)}, expected a text`);
  return value;
}

function decodeBase64(text: string): Buffer {
  // Node passes over what is no base64; Pub/Sub sends none of that.
  const clean = text.replace(/[\r\n]/g, "");
  if (clean.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(clean))
    throw new GcpMessageError("translation", "failed to decode data: illegal base64");
  return Buffer.from(clean, "base64");
}
