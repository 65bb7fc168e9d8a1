// Label filters: `status >= 500 and (method="GET" or took > 1s), addr=ip("10.0.0.0/8")`.
//
// `and` binds tighter than `or`, both from the left. A comma or nothing at all is an `and` that takes everything to its right first,
// for Loki's grammar gives these two no precedence: `a, b or c` is `a and (b or c)`, `a and b, c` is `a and (b and c)`.

import type { CompareOp, LabelFilter } from "./ast.ts";
import { parseGoFloat } from "./go-number.ts";
import { parseMatcher } from "./parse-ops.ts";
import type { TokenReader } from "./token-reader.ts";
import type { Token } from "./tokens.ts";

const NS_PER_SECOND = 1e9;

type Joint = "and" | "or" | "juxtaposed";

export function parseLabelFilter(reader: TokenReader): LabelFilter {
  return reader.deeper(() => {
    const operands: LabelFilter[] = [parseOperand(reader)];
    const joints: Joint[] = [];
    const reduce = (): void => {
      const kind = joints.pop() === "or" ? "or" : "and";
      const right = operands.pop()!;
      const left = operands.pop()!;
      operands.push(reader.grow({ kind, left, right }, left, right));
    };
    for (;;) {
      const joint = jointAt(reader);
      if (joint === undefined) break;
      if (joint !== "juxtaposed") {
        reader.take();
        while (bindsFirst(joints.at(-1), joint)) reduce();
      } else if (reader.kind === ",") reader.take();
      joints.push(joint);
      operands.push(parseOperand(reader));
    }
    while (joints.length > 0) reduce();
    return operands[0]!;
  });
}

function jointAt(reader: TokenReader): Joint | undefined {
  const kind = reader.kind;
  if (kind === "and" || kind === "or") return kind;
  return kind === "," || kind === "IDENTIFIER" || kind === "(" ? "juxtaposed" : undefined;
}

/** Whether the joint to the left is closed before the next one. */
const bindsFirst = (left: Joint | undefined, next: Joint): boolean => left === "and" || (left === "or" && next === "or");

function parseOperand(reader: TokenReader): LabelFilter {
  if (reader.takeIf("(")) {
    const inner = parseLabelFilter(reader);
    reader.expect(")", ...["or", "and", ",", "IDENTIFIER", "("]);
    return inner;
  }
  const name = reader.expect("IDENTIFIER", "(").text;
  switch (reader.kind) {
    case "=":
    case "!=":
      return parseEquality(reader, name);
    case "=~":
    case "!~":
      return { kind: "string", matcher: parseMatcher(reader, name) };
    case "==":
    case ">":
    case ">=":
    case "<":
    case "<=":
      return parseComparison(reader, name, reader.take().kind as CompareOp);
    default:
      throw reader.unexpected();
  }
}

function parseEquality(reader: TokenReader, name: string): LabelFilter {
  if (reader.nextKind === "STRING") return { kind: "string", matcher: parseMatcher(reader, name) };
  const op = reader.take().kind as "=" | "!=";
  if (!reader.takeIf("ip")) return parseComparison(reader, name, op);
  reader.expect("(");
  const pattern = reader.expect("STRING").text;
  reader.expect(")");
  return { kind: "ip", name, op, pattern };
}

function parseComparison(reader: TokenReader, name: string, op: CompareOp): LabelFilter {
  switch (reader.kind) {
    case "DURATION": {
      const { value, text } = reader.take();
      return { kind: "duration", name, op, value: value / NS_PER_SECOND, text };
    }
    case "BYTES": {
      const { value, text } = reader.take();
      return { kind: "bytes", name, op, value, text };
    }
    case "NUMBER": {
      const token = reader.take();
      return { kind: "number", name, op, value: filterNumber(token), text: token.text };
    }
    case "+":
    case "-": {
      const sign = reader.take().kind;
      const token = reader.expect("NUMBER");
      const value = filterNumber(token);
      return { kind: "number", name, op, value: sign === "-" ? -value : value, text: sign + token.text };
    }
    default:
      throw reader.unexpected();
  }
}

/** A number of a label filter. Loki takes what ParseFloat refuses (`0x1F`) for 0; we take it for what it says. */
function filterNumber({ text }: Token): number {
  const { value, error } = parseGoFloat(text);
  return error === null || !Number.isFinite(value) ? value : Number(text.replaceAll("_", ""));
}
