// JMESPath as Promtail evaluates it (go-jmespath) over a decoded JSON document, by a library that knows the same language and more.

import { isDeepStrictEqual } from "node:util";
import {
  compile,
  isRegistered,
  type JSONValue,
  register,
  TreeInterpreter,
  TYPE_ANY,
  TYPE_ARRAY,
  TYPE_ARRAY_NUMBER,
  TYPE_STRING,
} from "@jmespath-community/jmespath";
import { parseGoFloat } from "./go-float.ts";
import { goJson } from "./go-json.ts";

/** An expression that cannot be read. */
export class JmespathError extends Error {
  override readonly name = "JmespathError";
}

/** `to_string` as Go prints JSON: keys sorted, `<` escaped. The library's own cannot be replaced, so that calls of it are renamed. */
const TO_STRING = "to_string_as_go";
/** `to_number` of texts as Go reads them: an empty one is none. */
const TO_NUMBER = "to_number_as_go";
/** `avg` of nothing is not a number. */
const AVG = "avg_as_go";
/** What is no text is in no text. */
const CONTAINS = "contains_as_go";
/** Slices are of lists alone. */
const SLICE = "slice_as_go";
/** What Go's library calls a function of JMESPath, and by what. Others are known when they are called: as none. */
const FUNCTIONS: ReadonlyMap<unknown, string> = new Map([
  ..."abs ceil ends_with floor join keys length map max max_by merge min min_by not_null reverse sort sort_by starts_with sum to_array type values"
    .split(" ")
    .map((name): [string, string] => [name, name]),
  ["avg", AVG],
  ["contains", CONTAINS],
  ["to_string", TO_STRING],
  ["to_number", TO_NUMBER],
]);
/** A field whose name every JavaScript object has (`constructor`): the library would find that one. */
const OWN_FIELD = "own_field";
if (!isRegistered(TO_STRING)) {
  register(TO_STRING, ([value]) => (typeof value === "string" ? value : goJson(value)), [{ types: [TYPE_ANY] }]);
  register(TO_NUMBER, ([value]) => (typeof value === "string" ? (parseGoFloat(value) ?? null) : typeof value === "number" ? value : null), [
    { types: [TYPE_ANY] },
  ]);
  register(AVG, ([list]) => average(list as readonly number[]), [{ types: [TYPE_ARRAY_NUMBER] }]);
  register(CONTAINS, ([all, one]) => isIn(all as JSONValue, one as JSONValue), [
    { types: [TYPE_STRING, TYPE_ARRAY] },
    { types: [TYPE_ANY] },
  ]);
  register(SLICE, ([list, ...bounds]) => (Array.isArray(list) ? sliceOf(list as JSONValue[], bounds as unknown as Bounds) : null), [
    { types: [TYPE_ANY] },
    { types: [TYPE_ANY] },
    { types: [TYPE_ANY] },
    { types: [TYPE_ANY] },
  ]);
  register(OWN_FIELD, ([value, name]) => ownField(value, String(name)), [{ types: [TYPE_ANY] }, { types: [TYPE_ANY] }]);
}

const average = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;

function isIn(all: JSONValue, one: JSONValue): boolean {
  if (typeof all === "string") return typeof one === "string" && all.includes(one);
  return (all as readonly JSONValue[]).some((item) => isDeepStrictEqual(item, one));
}

type Bounds = readonly [start: number | null, stop: number | null, step: number | null];

/** As Python's. @throws JmespathError for a step of 0 */
function sliceOf(list: readonly JSONValue[], [from, to, step]: Bounds): JSONValue {
  const by = step ?? 1;
  if (by === 0) throw new JmespathError("a slice takes steps other than 0");
  const [first, behind] = by > 0 ? [0, list.length] : [list.length - 1, -1];
  const bound = (given: number | null, open: number): number => {
    if (given === null) return open;
    const at = given < 0 ? given + list.length : given;
    return by > 0 ? Math.min(Math.max(at, 0), list.length) : Math.min(Math.max(at, -1), list.length - 1);
  };
  const end = bound(to, behind);
  const items: JSONValue[] = [];
  for (let at = bound(from, first); by > 0 ? at < end : at > end; at += by) items.push(list[at]!);
  return items;
}

/** A backslash in a raw text is one, but for one before a quote; the library takes two for one. */
function doubleRawBackslashes(expression: string): string {
  return expression.replace(/`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\'|\\(?!'))*'/gs, (quoted) =>
    quoted.startsWith("'") ? quoted.replace(/\\(?!')/g, "\\\\") : quoted,
  );
}

function ownField(value: unknown, name: string): JSONValue {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return null;
  return (value as Record<string, JSONValue>)[name]!;
}

/**
 * Compiles an expression.
 *
 * @returns evaluates it over a decoded document: null where nothing is found. Throws JmespathError where a function is given what it
 *   does not take (`length` of a missing key); Promtail then leaves the key out.
 * @throws JmespathError
 */
export function compileJmespath(expression: string): (document: unknown) => unknown {
  let tree: ReturnType<typeof compile>;
  try {
    tree = compile(doubleRawBackslashes(expression));
  } catch (error) {
    throw new JmespathError(messageOf(error), { cause: error });
  }
  adapt(tree);
  return (document) => {
    try {
      return TreeInterpreter.search(tree, document as JSONValue) ?? null;
    } catch (error) {
      throw new JmespathError(messageOf(error), { cause: error });
    }
  };
}

/** What the library knows beyond JMESPath as it was when Go's was written. A key with a dash, not quoted, would be a subtraction. */
const NEWER_NODES: ReadonlyMap<unknown, string> = new Map([
  ["Arithmetic", "arithmetic is not known; a key such as user-agent has to be quoted, '\"user-agent\"'"],
  ["Unary", "arithmetic is not known; a key such as -x has to be quoted, '\"-x\"'"],
  ["Root", "$ is not known; @ is the current value, and a key is looked for in the document as it is"],
  ["Ternary", "? is not known"],
  ["Variable", "variables are not known"],
  ["LetExpression", "let is not known"],
  ["Binding", "= is not known; values are compared by =="],
]);

/** Puts our functions into the tree. Literals are left as they are: only nodes have these shapes. @throws JmespathError */
function adapt(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  if (Array.isArray(node)) {
    for (const child of node) adapt(child);
    return;
  }
  const fields = node as { type?: unknown; name?: unknown; children?: unknown };
  if (fields.type === "Literal") return;
  const newer = NEWER_NODES.get(fields.type);
  if (newer !== undefined) throw new JmespathError(newer);
  if (fields.type === "Function") fields.name = FUNCTIONS.get(fields.name) ?? `${String(fields.name)} (unknown)`;
  if (fields.type === "Slice") {
    const { start = null, stop = null, step = null } = node as { start?: number | null; stop?: number | null; step?: number | null };
    const bounds = [start, stop, step].map((value) => ({ type: "Literal", value }));
    Object.assign(fields, { type: "Function", name: SLICE, children: [{ type: "Current" }, ...bounds] });
    return;
  }
  if (fields.type === "Field" && typeof fields.name === "string" && fields.name in Object.prototype) {
    fields.children = [{ type: "Current" }, { type: "Literal", value: fields.name }];
    fields.type = "Function";
    fields.name = OWN_FIELD;
    return;
  }
  for (const child of Object.values(node)) adapt(child);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
