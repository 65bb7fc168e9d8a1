// JMESPath as Promtail evaluates it (go-jmespath) over a decoded JSON document, by a library that knows the same language and more.

import { compile, isRegistered, type JSONValue, register, TreeInterpreter, TYPE_ANY } from "@jmespath-community/jmespath";
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
const RENAMED: ReadonlyMap<unknown, string> = new Map([
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
  register(OWN_FIELD, ([value, name]) => ownField(value, String(name)), [{ types: [TYPE_ANY] }, { types: [TYPE_ANY] }]);
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
    tree = compile(expression);
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
  if (fields.type === "Function") fields.name = RENAMED.get(fields.name) ?? fields.name;
  if (fields.type === "Field" && typeof fields.name === "string" && fields.name in Object.prototype) {
    fields.children = [{ type: "Current" }, { type: "Literal", value: fields.name }];
    fields.type = "Function";
    fields.name = OWN_FIELD;
    return;
  }
  for (const child of Object.values(node)) adapt(child);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
