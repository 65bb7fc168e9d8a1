// OTLP logs as a tree, what both of its encodings decode to (reference server-features §1.4). Only what Loki keeps is in it.

import { goJson } from "../../lib/text/go-json.ts";

/** A number is a double; integers are bigint; undefined is a value that was not set. */
export type OtlpValue = string | boolean | bigint | number | Uint8Array | readonly OtlpValue[] | OtlpMap | undefined;
export type OtlpMap = ReadonlyMap<string, OtlpValue>;

export type OtlpAttribute = readonly [key: string, value: OtlpValue];

export interface OtlpRecord {
  /** Nanoseconds since 1970; 0 when not set. */
  readonly timeNs: bigint;
  readonly observedNs: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: OtlpValue;
  readonly attributes: readonly OtlpAttribute[];
  readonly droppedAttributes: number;
  readonly flags: number;
  /** Lower-case hex; empty when not set or all zeros. */
  readonly traceId: string;
  readonly spanId: string;
}

export interface OtlpScope {
  readonly name: string;
  readonly version: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly droppedAttributes: number;
  readonly records: readonly OtlpRecord[];
}

export interface OtlpResource {
  readonly attributes: readonly OtlpAttribute[];
  readonly scopes: readonly OtlpScope[];
}

/** A body that is not OTLP logs. */
export class OtlpError extends Error {
  override readonly name = "OtlpError";
}

/** Arrays and maps within each other; the decoders recurse, and a hostile body must not take the stack. */
export const VALUE_DEPTH_MAX = 64;

/** A value as text: bytes in base64, arrays and maps as Go's JSON with sorted keys, what was not set as "". */
export function valueText(value: OtlpValue): string {
  if (typeof value === "string") return value;
  if (value === undefined) return "";
  if (typeof value === "number") return numberText(value);
  if (value instanceof Uint8Array) return base64(value);
  if (typeof value !== "object") return String(value);
  try {
    return goJson(plainValue(value));
  } catch (error) {
    // Go refuses NaN and infinities in JSON, and the text is empty then.
    if (error instanceof TypeError) return "";
    throw error;
  }
}

function plainValue(value: OtlpValue): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return base64(value);
  if (value instanceof Map) return new Map([...(value as OtlpMap)].map(([key, item]) => [key, plainValue(item)]));
  return Array.isArray(value) ? value.map(plainValue) : value;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return `json: unsupported value: ${Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Hex of an id, "" for one of zeros. */
export function idText(hex: string): string {
  return /^0*$/.test(hex) ? "" : hex.toLowerCase();
}
