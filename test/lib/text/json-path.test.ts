import { describe, expect, test } from "vitest";
import { compileJsonPath } from "../../../lib/text/json-path.ts";

describe("steps", () => {
  for (const [expression, steps] of [
    ["a", ["a"]],
    ["a.b_c.d1", ["a", "b_c", "d1"]],
    ["a[0][12].b", ["a", 0, 12, "b"]],
    ['["X-Y"].a["b\\"c"]', ["X-Y", "a", 'b"c']],
    ["[1]", [1]],
    [" a . b ", ["a", "b"]],
  ] as const)
    test(expression, () => expect(compileJsonPath(expression).steps).toEqual(steps));
});

describe("refused", () => {
  for (const [expression, message] of [
    ["", "cannot parse expression []: syntax error: unexpected $end, expecting LSB or FIELD"],
    ["[", "cannot parse expression [[]: syntax error: unexpected $end, expecting STRING or INDEX"],
    [".a", "cannot parse expression [.a]: syntax error: unexpected DOT, expecting LSB or FIELD"],
    ["a.", "cannot parse expression [a.]: syntax error: unexpected $end, expecting FIELD"],
    ["a b", "cannot parse expression [a b]: syntax error: unexpected FIELD"],
    ["a[-1]", "cannot parse expression [a[-1]]: syntax error: unexpected $end, expecting STRING or INDEX"],
    ["a['x']", "cannot parse expression [a['x']]: syntax error: unexpected $end, expecting STRING or INDEX"],
    ["1a", "cannot parse expression [1a]: syntax error: unexpected $end, expecting LSB or FIELD"],
    ['["pod""uuid"]', 'cannot parse expression [["pod""uuid"]]: syntax error: unexpected STRING, expecting RSB'],
    ["$.a", "cannot parse expression [$.a]: syntax error: unexpected $end, expecting LSB or FIELD"],
    ["ünï", "cannot parse expression [ünï]: syntax error: unexpected $end, expecting LSB or FIELD"],
  ] as const)
    test(`"${expression}"`, () => {
      expect(() => compileJsonPath(expression)).toThrow(message);
    });
});

describe("values", () => {
  for (const [name, json, path, want] of [
    ["a string", '{"a":"x\\u00e9\\n\\"q\\""}', "a", 'xé\n"q"'],
    ["a surrogate pair", '{"a":"\\ud83d\\ude80"}', "a", "🚀"],
    ["a number as written", '{"d":1.50,"e":1e3}', "e", "1e3"],
    ["a number with leading zero", '{"a":01}', "a", "01"],
    ["a boolean", '{"b":true}', "b", "true"],
    ["null is nothing", '{"a":null}', "a", undefined],
    ["an object as text", '{"a":{"b": 1}}', "a", '{"b": 1}'],
    ["nested", '{"a_b":2,"a":{"b":{"c":"deep"}}}', "a.b", '{"c":"deep"}'],
    ["an element", '{"arr":[[1],[2]]}', "arr[0][0]", "1"],
    ["an element of a mixed list", '{"d":[1,"]",{"e":"f"}]}', "d[2].e", "f"],
    ["past the end", '{"d":[1]}', "d[1]", undefined],
    ["the first of two keys", '{"a":1,"a":2}', "a", "1"],
    ["a broken end", '{"a":1', "a", "1"],
    ["text behind", '{"a":"b"} trailing', "a", "b"],
    ["a bad escape", '{"a":"\\x"}', "a", ""],
    ["a raw tab", '{"a":"tab\there"}', "a", "tab\there"],
    ["an escaped key", '{"a\\u0062":1}', "ab", "1"],
    ["a key inside another value", '{"x":{"a":1}}', "a", undefined],
    ["no object", "[1,2]", "a", undefined],
    ["a top-level element", "[1,2]", "[1]", "2"],
    ["single quotes", "{'a':'single'}", "a", undefined],
    ["an open brace", "{", "a", undefined],
  ] as const)
    test(name, () => expect(compileJsonPath(path).evaluate(json)).toBe(want));
  for (const [json, message] of [
    ['{"a":', "Malformed JSON error"],
    ['{"a":tru}', "Unknown value type"],
    ['{"a":[1', "Value is array, but can't find closing ']' symbol"],
    ['{"a":{"b":1', "Value looks like object, but can't find closing '}' symbol"],
    ['{"a":"x', "Value is string, but can't find closing '\"' symbol"],
  ] as const)
    test(json, () => expect(() => compileJsonPath("a").evaluate(json)).toThrow(message));
});
