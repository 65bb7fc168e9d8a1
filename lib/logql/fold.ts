// Arithmetic of two numbers, which Loki computes while parsing: `1 + 1` is the literal 2.

import type { BinaryOp } from "./ast.ts";

/** Comparisons give 1 or 0; a division by zero gives NaN, whatever is divided. Not for `and or unless`. */
export function foldBinary(op: Exclude<BinaryOp, "and" | "or" | "unless">, left: number, right: number): number {
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0 ? Number.NaN : left / right;
    case "%":
      return right === 0 ? Number.NaN : left % right;
    case "^":
      return goPow(left, right);
    case "==":
      return Number(left === right);
    case "!=":
      return Number(left !== right);
    case ">":
      return Number(left > right);
    case ">=":
      return Number(left >= right);
    case "<":
      return Number(left < right);
    case "<=":
      return Number(left <= right);
  }
}

/** Go's math.Pow: 1 to any power is 1, -1 to an infinite one too; JavaScript has NaN there. */
export function goPow(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY) return 1;
  return base ** exponent;
}
