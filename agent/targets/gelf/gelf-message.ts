// The payload of a GELF message: JSON, plain or compressed, with the fields that labels are made of (docs.graylog.org, "GELF payload").

import { gunzipSync, inflateSync } from "node:zlib";

/** Why bytes are no GELF message: text for the log. */
export class GelfError extends Error {}

export interface GelfMessage {
  /** The JSON as it was sent. */
  readonly json: Uint8Array;
  readonly version: string;
  readonly host: string;
  readonly facility: string;
  /** Syslog's name of `level`; Promtail takes a missing one for 0. `""` where there is no such level. */
  readonly level: string;
  /** Whole seconds since 1970 and nanoseconds; undefined when the sender gave no time. */
  readonly time: readonly [sec: number, nanos: number] | undefined;
}

const LEVELS = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];

/** @param bytesMax of the message when it is inflated. @throws GelfError */
export function readGelf(payload: Uint8Array, bytesMax: number): GelfMessage {
  const json = trim(inflate(payload, bytesMax));
  if (json.length > bytesMax) throw new GelfError(`the message is longer than ${bytesMax} bytes`);
  const fields = parseObject(json);
  return {
    json,
    version: text(fields, "version"),
    host: text(fields, "host"),
    facility: text(fields, "facility"),
    level: LEVELS[Math.trunc(number(fields, "level") ?? 0)] ?? "",
    time: timeOf(number(fields, "timestamp")),
  };
}

function inflate(payload: Uint8Array, maxOutputLength: number): Uint8Array {
  const [first = 0, second = 0] = payload;
  const isGzip = first === 0x1f && second === 0x8b;
  const isZlib = (first & 0x0f) === 8 && first >> 4 <= 7 && (first * 256 + second) % 31 === 0;
  if (!isGzip && !isZlib) return payload;
  try {
    return isGzip ? gunzipSync(payload, { maxOutputLength }) : inflateSync(payload, { maxOutputLength });
  } catch (error) {
    const tooLong = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw new GelfError(tooLong ? `the message is longer than ${maxOutputLength} bytes` : "the compressed message is damaged");
  }
}

/** Some senders end a message with a NUL, as over TCP, or with a line feed. */
function trim(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 10 || bytes[end - 1] === 13)) end--;
  return bytes.subarray(0, end);
}

function parseObject(json: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.length).toString("utf8"));
  } catch {
    throw new GelfError("the message is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new GelfError("the message is no JSON object");
  return value as Record<string, unknown>;
}

function text(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value !== "string") throw new GelfError(`invalid type for field ${name}: a text is expected`);
  return value;
}

/** A number, or its digits in quotes as some senders have them. */
function number(fields: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined || typeof value === "number") return value;
  if (typeof value === "string" && /^\d+(\.\d+)?$/.test(value)) return Number(value);
  throw new GelfError(`invalid type for field ${name}: a number is expected`);
}

/** To the microsecond: a double holds no more of today's seconds. */
function timeOf(seconds: number | undefined): GelfMessage["time"] {
  if (seconds === undefined || seconds === 0 || Math.abs(seconds) > 1e11) return undefined;
  const us = Math.round(seconds * 1e6);
  const sec = Math.floor(us / 1e6);
  return [sec, (us - sec * 1e6) * 1000];
}
