// What a template function is: the types it takes, and what it does. Arguments are checked as Go's reflection would check them.

import { isList, isMap, NIL_MAP, TemplateError, type TemplateMap, type TemplateValue, typeName } from "./value.ts";

interface ArgumentTypes {
  text: string;
  /** A whole number that fits a double exactly; for counts and places. */
  int: number;
  bool: boolean;
  list: readonly TemplateValue[];
  map: TemplateMap;
  any: TemplateValue;
}
export type ArgumentKind = keyof ArgumentTypes;
type Arguments<K extends readonly ArgumentKind[]> = { [I in keyof K]: ArgumentTypes[K[I]] };

export interface TemplateFunction {
  readonly argumentKinds: readonly ArgumentKind[];
  /** Kind of further arguments; null when there may be none. */
  readonly restKind: ArgumentKind | null;
  call(args: readonly TemplateValue[]): TemplateValue;
}

export type TemplateFunctions = ReadonlyMap<string, TemplateFunction>;

/** A function of these arguments. */
export function fn<const K extends readonly ArgumentKind[]>(kinds: K, call: (...args: Arguments<K>) => TemplateValue): TemplateFunction {
  return { argumentKinds: kinds, restKind: null, call: (args) => call(...(convert(args, kinds, null) as unknown as Arguments<K>)) };
}

/** A function of these arguments and any number of further ones. */
export function variadic<const K extends readonly ArgumentKind[], R extends ArgumentKind>(
  kinds: K,
  restKind: R,
  call: (rest: readonly ArgumentTypes[R][], ...args: Arguments<K>) => TemplateValue,
): TemplateFunction {
  return {
    argumentKinds: kinds,
    restKind,
    call(args) {
      const converted = convert(args, kinds, restKind);
      return call(
        converted.slice(kinds.length) as unknown as ArgumentTypes[R][],
        ...(converted.slice(0, kinds.length) as unknown as Arguments<K>),
      );
    },
  };
}

/** Calls a function; its errors get its name, as Go's do. */
export function callFunction(name: string, called: TemplateFunction, args: readonly TemplateValue[]): TemplateValue {
  const wanted = called.argumentKinds.length;
  if (called.restKind === null ? args.length !== wanted : args.length < wanted) {
    const least = called.restKind === null ? "" : "at least ";
    throw new TemplateError(`wrong number of args for ${name}: want ${least}${wanted} got ${args.length}`);
  }
  try {
    return called.call(args);
  } catch (error) {
    if (error instanceof ArgumentError) throw error;
    throw new TemplateError(`error calling ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** An argument of the wrong type: Go finds it before the call. */
class ArgumentError extends TemplateError {}

const GO_NAMES: Readonly<Record<ArgumentKind, string>> = {
  text: "string",
  int: "int",
  bool: "bool",
  list: "[]interface {}",
  map: "map[string]interface {}",
  any: "interface {}",
};

function convert(
  args: readonly TemplateValue[],
  kinds: readonly ArgumentKind[],
  restKind: ArgumentKind | null,
): (TemplateValue | number)[] {
  return args.map((arg, i) => convertOne(arg, kinds[i] ?? restKind!));
}

function convertOne(arg: TemplateValue, kind: ArgumentKind): TemplateValue | number {
  if (kind === "any") return arg;
  if (arg === null && kind === "map") return NIL_MAP;
  if (arg === null) throw new ArgumentError(`invalid value; expected ${GO_NAMES[kind]}`);
  if (kind === "text" && typeof arg === "string") return arg;
  if (kind === "bool" && typeof arg === "boolean") return arg;
  if (kind === "int" && typeof arg === "bigint") return Number(arg);
  // An untyped constant such as 5.0 counts as an int.
  if (kind === "int" && typeof arg === "number" && Number.isSafeInteger(arg)) return arg;
  if (kind === "list" && isList(arg)) return arg;
  if (kind === "map" && isMap(arg)) return arg;
  throw new ArgumentError(`wrong type for value; expected ${GO_NAMES[kind]}; got ${typeName(arg)}`);
}
