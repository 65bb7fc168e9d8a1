// How sprig's functions take "anything": as an int64, a float64, a text. A text that is no number counts as 0.

import { parseGoFloat } from "../go-float.ts";
import { parseGoInt64 } from "../go-int.ts";
import { formatValue } from "./format.ts";
import { int64, isTrue, TemplateError, type TemplateValue } from "./value.ts";

export function toInt(value: TemplateValue): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return Number.isFinite(value) ? int64(BigInt(Math.trunc(value))) : -(2n ** 63n);
  if (typeof value !== "string") return 0n;
  // The cast library that Promtail is built with cuts off `.0` and nothing else.
  return wholeOf(value.replace(/\.0+$/, ""));
}

/** The same with the cast library of Loki's version, which cuts off any decimals of a text. */
export function toIntCutting(value: TemplateValue): bigint {
  const decimals = typeof value === "string" ? /^([+-]?)(\d*)\.\d*$/.exec(value) : null;
  return decimals === null ? toInt(value) : wholeOf(`${decimals[1]}${decimals[2] || "0"}`);
}

const wholeOf = (text: string): bigint => parseGoInt64(text) ?? 0n;

export function toFloat(value: TemplateValue): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "string" ? (parseGoFloat(value) ?? 0) : 0;
}

/** sprig's strval. */
export const toText = (value: TemplateValue): string => (typeof value === "string" ? value : formatValue(value));

export const isEmpty = (value: TemplateValue | undefined): boolean => value === undefined || !isTrue(value);

/** Decimal arithmetic, as sprig's addf, subf, mulf and divf do it: exact, a quotient to 16 places. */
export function decimal(first: TemplateValue, rest: readonly TemplateValue[], op: "+" | "-" | "*" | "/"): number {
  let sum = decimalOf(toFloat(first));
  for (const value of rest) sum = combine(sum, decimalOf(toFloat(value)), op);
  return Number(`${sum.units}e-${sum.places}`);
}

interface Decimal {
  readonly units: bigint;
  /** Decimal places of `units`. */
  readonly places: number;
}

const QUOTIENT_PLACES = 16;

function decimalOf(value: number): Decimal {
  if (!Number.isFinite(value)) throw new TemplateError(`Cannot create a Decimal from ${formatValue(value)}`);
  const [digits = "0", exponent = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  const units = BigInt(whole + fraction);
  const places = fraction.length - Number(exponent);
  return places >= 0 ? { units, places } : { units: units * 10n ** BigInt(-places), places: 0 };
}

function combine(a: Decimal, b: Decimal, op: "+" | "-" | "*" | "/"): Decimal {
  if (op === "*") return { units: a.units * b.units, places: a.places + b.places };
  if (op === "/") {
    if (b.units === 0n) throw new TemplateError("decimal division by 0");
    // One place more than shown, to round halves away from zero.
    const scaled = (a.units * 10n ** BigInt(QUOTIENT_PLACES + 1 + b.places)) / (b.units * 10n ** BigInt(a.places));
    const rounded = (scaled + (scaled < 0n ? -5n : 5n)) / 10n;
    return { units: rounded, places: QUOTIENT_PLACES };
  }
  const places = Math.max(a.places, b.places);
  const left = a.units * 10n ** BigInt(places - a.places);
  const right = b.units * 10n ** BigInt(places - b.places);
  return { units: op === "+" ? left + right : left - right, places };
}
