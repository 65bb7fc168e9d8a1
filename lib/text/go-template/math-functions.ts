// Template functions over numbers: int64 arithmetic that wraps around, decimal arithmetic on floats, rounding.

import { decimal, toFloat, toInt, toIntCutting } from "./cast.ts";
import { fn, type TemplateFunction, variadic } from "./function.ts";
import { int64, TemplateError, type TemplateValue } from "./value.ts";

type Functions = readonly (readonly [string, TemplateFunction])[];

/** @param toInt how a text becomes a whole number */
const wholeFunctions = (toInt: (value: TemplateValue) => bigint): Functions => [
  ["add", variadic([], "any", (values) => int64(values.reduce<bigint>((sum, value) => sum + toInt(value), 0n)))],
  ["sub", fn(["any", "any"], (a, b) => int64(toInt(a) - toInt(b)))],
  ["mul", variadic(["any"], "any", (rest, first) => rest.reduce<bigint>((product, value) => int64(product * toInt(value)), toInt(first)))],
  ["div", fn(["any", "any"], (a, b) => int64(toInt(a) / divisor(toInt(b))))],
  ["mod", fn(["any", "any"], (a, b) => toInt(a) % divisor(toInt(b)))],
  ["max", variadic(["any"], "any", (rest, first) => [first, ...rest].map(toInt).reduce(larger))],
  ["min", variadic(["any"], "any", (rest, first) => [first, ...rest].map(toInt).reduce((a, b) => -larger(-a, -b)))],
  ["int", fn(["any"], toInt)],
];

const FLOAT_FUNCTIONS: Functions = [
  ["addf", variadic([], "any", (values) => decimal(0n, values, "+"))],
  ["subf", variadic(["any"], "any", (rest, first) => decimal(first, rest, "-"))],
  ["mulf", variadic(["any"], "any", (rest, first) => decimal(first, rest, "*"))],
  ["divf", variadic(["any"], "any", (rest, first) => decimal(first, rest, "/"))],
  ["maxf", variadic(["any"], "any", (rest, first) => Math.max(toFloat(first), ...rest.map(toFloat)))],
  ["minf", variadic(["any"], "any", (rest, first) => Math.min(toFloat(first), ...rest.map(toFloat)))],
  ["float64", fn(["any"], toFloat)],
  ["ceil", fn(["any"], (value) => Math.ceil(toFloat(value)))],
  ["floor", fn(["any"], (value) => Math.floor(toFloat(value)))],
  [
    "round",
    variadic(["any", "int"], "any", (options, value, places) =>
      round(toFloat(value), places, options.length > 0 ? toFloat(options[0]!) : 0.5),
    ),
  ],
];

/** Promtail's. */
export const MATH_FUNCTIONS: Functions = [...wholeFunctions(toInt), ...FLOAT_FUNCTIONS];
/** LogQL's. */
export const LOGQL_MATH_FUNCTIONS: Functions = [...wholeFunctions(toIntCutting), ...FLOAT_FUNCTIONS];

/** Math.max does not take bigints. */
function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

function divisor(value: bigint): bigint {
  if (value === 0n) throw new TemplateError("runtime error: integer divide by zero");
  return value;
}

/** @param roundOn the fraction from which on the last place goes up */
function round(value: number, places: number, roundOn: number): number {
  const power = 10 ** places;
  const digits = power * value;
  const fraction = digits % 1;
  return (fraction >= roundOn ? Math.ceil(digits) : Math.floor(digits)) / power;
}
