// sprig's functions over lists and dictionaries.

import { compareCodePoints } from "../go-quote.ts";
import { isEmpty, toText } from "./cast.ts";
import { formatValue } from "./format.ts";
import { fn, type TemplateFunction, variadic } from "./function.ts";
import { isList, isMap, NIL_MAP, TemplateError, type TemplateMap, type TemplateValue, TimeValue, typeName } from "./value.ts";

type List = readonly TemplateValue[];
/** A list longer than this is refused. */
const LIST_ITEMS_MAX = 100_000;

export const LIST_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ...["list", "tuple"].map((name): [string, TemplateFunction] => [name, variadic([], "any", (items) => items)]),
  ...both(
    "first",
    fn(["list"], (list) => list[0] ?? null),
  ),
  ...both(
    "last",
    fn(["list"], (list) => list.at(-1) ?? null),
  ),
  ...both(
    "rest",
    fn(["list"], (list) => list.slice(1)),
  ),
  ...both(
    "initial",
    fn(["list"], (list) => list.slice(0, -1)),
  ),
  ...both(
    "append",
    fn(["list", "any"], (list, item) => [...list, item]),
  ),
  ...both(
    "push",
    fn(["list", "any"], (list, item) => [...list, item]),
  ),
  ...both(
    "prepend",
    fn(["list", "any"], (list, item) => [item, ...list]),
  ),
  ...both(
    "reverse",
    fn(["list"], (list) => [...list].reverse()),
  ),
  ...both(
    "uniq",
    fn(["list"], (list) => list.filter((item, i) => list.findIndex((other) => deepEqual(other, item)) === i)),
  ),
  ...both(
    "without",
    variadic(["list"], "any", (unwanted, list) => list.filter((item) => !unwanted.some((other) => deepEqual(item, other)))),
  ),
  ...both(
    "has",
    fn(["any", "any"], (needle, list) => list !== null && listOf(list, "has").some((item) => deepEqual(item, needle))),
  ),
  ...both(
    "compact",
    fn(["list"], (list) => list.filter((item) => !isEmpty(item))),
  ),
  ...both(
    "slice",
    variadic(["any"], "int", (bounds, list) => sliceList(list, bounds)),
  ),
  ...both("chunk", fn(["int", "list"], chunk)),
  ["concat", variadic([], "list", (lists) => lists.flat())],
  ["join", fn(["text", "any"], (between, list) => texts(list).join(between))],
  ["sortAlpha", fn(["any"], (list) => texts(list).sort(compareCodePoints))],
  ["toStrings", fn(["any"], texts)],
  ["until", fn(["int"], (count) => steps(0, count, count < 0 ? -1 : 1))],
  ["untilStep", fn(["int", "int", "int"], steps)],
  ["seq", variadic([], "int", (bounds) => sequence(bounds))],
];

export const MAP_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["dict", variadic([], "any", dictionary)],
  ["get", fn(["map", "text"], (map, key) => orMissing(map.get(key)))],
  ["set", fn(["map", "text", "any"], (map, key, value) => changed(map, (own) => own.set(key, value)))],
  ["unset", fn(["map", "text"], (map, key) => changed(map, (own) => own.delete(key)))],
  ["hasKey", fn(["map", "text"], (map, key) => map.get(key) !== undefined)],
  ["pluck", variadic(["text"], "map", (maps, key) => maps.map((map) => map.get(key)).filter((value) => value !== undefined))],
  ["keys", variadic([], "map", (maps) => maps.flatMap((map) => [...map.entries()].map(([key]) => key)))],
  ["values", fn(["map"], (map) => [...map.entries()].map(([, value]) => value))],
  ["pick", variadic(["map"], "text", (keys, map) => new Map([...map.entries()].filter(([key]) => keys.includes(key))))],
  ["omit", variadic(["map"], "text", (keys, map) => new Map([...map.entries()].filter(([key]) => !keys.includes(key))))],
  ...both(
    "merge",
    variadic(["map"], "map", (others, map) => changed(map, (own) => merge(own, others, false))),
  ),
  ...both(
    "mergeOverwrite",
    variadic(["map"], "map", (others, map) => changed(map, (own) => merge(own, others, true))),
  ),
  ...both("deepCopy", fn(["any"], copy)),
  ["dig", variadic(["any", "any"], "any", (rest, first, second) => dig([first, second, ...rest]))],
];

/** sprig has most functions twice; the `must` form fails where the other panics, which is the same to a template. */
export function both(name: string, called: TemplateFunction): [string, TemplateFunction][] {
  return [
    [name, called],
    [`must${name[0]!.toUpperCase()}${name.slice(1)}`, called],
  ];
}

export function deepEqual(a: TemplateValue, b: TemplateValue): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (a instanceof TimeValue || b instanceof TimeValue)
    return a instanceof TimeValue && b instanceof TimeValue && a.unixNanos() === b.unixNanos();
  if (isList(a) || isList(b)) return isList(a) && isList(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i]!));
  const [left, right] = [[...a.entries()], [...b.entries()]];
  return left.length === right.length && left.every(([key, value]) => deepEqual(value, b.get(key) ?? null));
}

/** Anything as a list of texts, nil items left out. */
export function texts(value: TemplateValue): string[] {
  if (value === null) return [];
  return isList(value) ? value.filter((item) => item !== null).map(toText) : [toText(value)];
}

function listOf(value: TemplateValue, name: string): List {
  if (isList(value)) return value;
  throw new TemplateError(`Cannot find ${name} on type ${value === null ? "nil" : typeName(value).split(/[[\s]/, 1)[0]}`);
}

function sliceList(value: TemplateValue, bounds: readonly number[]): TemplateValue {
  if (!isList(value)) throw new TemplateError(`list should be type of slice or array but ${value === null ? "invalid" : typeName(value)}`);
  const [from = 0, to = value.length] = bounds;
  if (from < 0 || to > value.length || from > to) throw new TemplateError(`reflect.Value.Slice: slice index out of bounds [${from}:${to}]`);
  return value.slice(from, to);
}

function chunk(size: number, list: List): TemplateValue {
  if (size < 1) throw new TemplateError("runtime error: integer divide by zero");
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function steps(start: number, stop: number, step: number): bigint[] {
  const count = step === 0 || (stop - start) / step <= 0 ? 0 : Math.ceil((stop - start) / step);
  if (count > LIST_ITEMS_MAX) throw new TemplateError(`a list of ${count} items exceeds ${LIST_ITEMS_MAX}; count less far`);
  return Array.from({ length: count }, (_, i) => BigInt(start + i * step));
}

/** `seq end`, `seq start end`, `seq start step end`, ends included, as text. */
function sequence(bounds: readonly number[]): string {
  const [a = 0, b = 0, c = 0] = bounds;
  const [start, step, end] = bounds.length === 1 ? [1, a < 1 ? -1 : 1, a] : bounds.length === 2 ? [a, b < a ? -1 : 1, b] : [a, b, c];
  if (bounds.length < 1 || bounds.length > 3 || step === 0 || (end - start) / step < 0) return "";
  return steps(start, end + Math.sign(step), step).join(" ");
}

const orMissing = (value: TemplateValue | undefined): TemplateValue => (value === undefined ? "" : value);

function dictionary(items: List): Map<string, TemplateValue> {
  const map = new Map<string, TemplateValue>();
  for (let i = 0; i < items.length; i += 2) map.set(toText(items[i]!), items[i + 1] ?? (i + 1 < items.length ? null : ""));
  return map;
}

function changed(map: TemplateMap, change: (own: Map<string, TemplateValue>) => void): TemplateMap {
  change(writable(map));
  return map;
}

function writable(map: TemplateMap): Map<string, TemplateValue> {
  if (map instanceof Map) return map;
  if (map.changeable !== undefined) return map.changeable();
  throw new TemplateError(map === NIL_MAP ? "assignment to entry in nil map" : "this map cannot be changed; use a dict");
}

function merge(into: Map<string, TemplateValue>, others: readonly TemplateMap[], overwrite: boolean): void {
  for (const other of others) {
    for (const [key, value] of other.entries()) {
      const known = into.get(key);
      if (known instanceof Map && value !== null && isMap(value)) merge(known, [value], overwrite);
      else if (overwrite ? !isEmpty(value) : isEmpty(known)) into.set(key, value);
    }
  }
}

function copy(value: TemplateValue): TemplateValue {
  if (value === null || typeof value !== "object" || value instanceof TimeValue) return value;
  return isList(value) ? value.map(copy) : new Map([...value.entries()].map(([key, item]) => [key, copy(item)]));
}

/** `dig "a" "b" default dict`. */
function dig(args: List): TemplateValue {
  if (args.length < 3) throw new TemplateError("dig needs at least three arguments");
  let value: TemplateValue = args.at(-1)!;
  for (const key of args.slice(0, -2)) {
    if (value === null || !isMap(value))
      throw new TemplateError(`interface conversion: interface {} is ${formatValue(value)}, not map[string]interface {}`);
    const next = value.get(toText(key));
    if (next === undefined) return args.at(-2)!;
    value = next;
  }
  return value;
}
