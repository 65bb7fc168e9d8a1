import { describe, expect, test } from "vitest";
import { extractedOut, faultsOf, linesOut, makeWorld } from "../run-stages.ts";

const LINE = '{"log":"m\\n","stream":"stderr","extra":{"user":"marco","deep":{"id":7}},"n":1.50,"list":[1,"<a>"],"t":true,"z":null}';

describe("json", () => {
  const extracts = (name: string, expressions: string, line: string, names: string[], wanted: string): void =>
    test(name, () => expect(extractedOut(`- json: {expressions: ${expressions}}`, line, names)).toBe(wanted));

  extracts("the example", "{out: log, stream: , user: extra.user}", LINE, ["out", "stream", "user"], "out=m\n stream=stderr user=marco");
  extracts("two levels down", "{id: extra.deep.id}", LINE, ["id"], "id=7");
  extracts("two paths through one key", "{id: extra.deep.id, u: extra.user}", LINE, ["id", "u"], "id=7 u=marco");
  extracts("one key under two names", "{a: stream, b: stream}", LINE, ["a", "b"], "a=stderr b=stderr");
  extracts("a path through a text", "{a: stream.x}", LINE, ["a"], "a=<no value>");
  extracts("a path through a list", "{a: list.x}", LINE, ["a"], "a=<no value>");
  extracts("a path through nothing", "{a: nope.x.y}", LINE, ["a"], "a=<no value>");
  extracts("a number in its shortest form", `{num: '"n"'}`, LINE, ["num"], "num=1.5");
  extracts("a list as JSON with Go's escapes", "{l: list}", LINE, ["l"], 'l=[1,"\\u003ca\\u003e"]');
  extracts("an object as JSON", "{e: extra}", LINE, ["e"], 'e={"deep":{"id":7},"user":"marco"}');
  extracts("true and null", "{t: , z: }", LINE, ["t", "z"], "t=true z=<no value>");
  extracts("a quoted identifier", `{g: '"grpc.stream"'}`, '{"grpc.stream":"x"}', ["g"], "g=x");
  extracts("an escaped key in the line", "{a: }", '{"\\u0061":"x"}', ["a"], "a=x");
  extracts("a key twice: the last counts", "{a: }", '{"a":"x","a":"y"}', ["a"], "a=y");
  extracts("a key twice inside", "{a: o.a}", '{"o":{"a":"x","a":"y"}}', ["a"], "a=y");
  extracts("an escaped key inside", "{a: o.a, b: o.b}", '{"o":{"\\u0061":"x","b":"z"}}', ["a", "b"], "a=x b=z");
  extracts("a function", "{c: length(list)}", LINE, ["c"], "c=2");
  extracts("a function of a wrong type finds nothing", "{c: length(t)}", LINE, ["c"], "c=<no value>");
  extracts("a control character behind an escape, raw", "{a: , b: }", '{"a":"x\\n\ty","b":"\\"\u0001"}', ["a", "b"], 'a=x\n\ty b="\u0001');
  extracts("a control character before an escape, raw", "{a: }", '{"a":"\tx\\n"}', ["a"], "a=<no value>");
  extracts("an index", "{c: 'list[0]'}", LINE, ["c"], "c=1");
  extracts(
    "small numbers and controls in a list",
    "{l: }",
    '{"l":[1e-7,1.5e-10,1e21,"\\b\\f\\ud800"]}',
    ["l"],
    'l=[1e-07,1.5e-10,1e+21,"\\u0008\\u000c\ufffd"]',
  );
  extracts(
    "a list with what is not a number",
    "{a: 'avg(none)', l: '[avg(none)]', x: }",
    '{"none":[],"x":1}',
    ["a", "l", "x"],
    "a=NaN l=<no value> x=1",
  );
  for (const big of ["1e400", "-1e309", "9".repeat(310), '[1,{"y":1E+999}]'])
    extracts(
      `a number too large for a double: ${big.slice(0, 20)}`,
      "{a: , b: }",
      `{"a":"x","b":${big}}`,
      ["a", "b"],
      "a=<no value> b=<no value>",
    );
  extracts(
    "large numbers that a double holds",
    "{a: , b: , c: }",
    '{"a":1e308,"b":1e-400,"c":1E+0005}',
    ["a", "b", "c"],
    `a=1${"0".repeat(308)} b=0 c=100000`,
  );
  extracts("half a surrogate pair", "{a: }", '{"a":"\\ud800 x"}', ["a"], "a=\ufffd x");

  test("JSON inside of JSON", () =>
    expect(
      extractedOut(
        "- json: {expressions: {extra: }}\n- json: {source: extra, expressions: {user: }}",
        '{"extra":"{\\"user\\":\\"marco\\"}"}',
        ["user"],
      ),
    ).toBe("user=marco"));
  test("a line that is no object keeps what was extracted before", () =>
    expect(extractedOut("- regex: {expression: '(?P<a>\\w+)'}\n- json: {expressions: {a: }}", "word", ["a"])).toBe("a=word"));
  test("a function of a wrong type keeps what was extracted before", () =>
    expect(extractedOut("- regex: {expression: '(?P<a>\\w+)'}\n- json: {expressions: {a: length(b)}}", '{"b":1}', ["a"])).toBe("a=b"));
  test("an object without the key replaces it by nil", () =>
    expect(extractedOut("- regex: {expression: '(?P<a>\\w+)'}\n- json: {expressions: {a: }}", '{"b":1}', ["a"])).toBe("a=<no value>"));
  test("values of entries that another stage dropped do not matter", () =>
    expect(
      linesOut("- drop: {expression: gone}\n- json: {expressions: {a: }}\n- output: {source: a}", ['{"a":"1"}', "gone", '{"a":"2"}']),
    ).toEqual(["1", "2"]));

  const MALFORMED = ["{}", '{"a":1}', "null", "[1]", '"a"', "5", '{"a":1} x', "", "{", "text"];
  test("drop_malformed drops what is no object", () => {
    const world = makeWorld();
    expect(linesOut("- json: {expressions: {a: }, drop_malformed: true}", MALFORMED, { world })).toEqual(["{}", '{"a":1}', "null"]);
    expect(world.drops.get("malformed_json")).toBe(7);
  });
  test("drop_malformed with a function", () =>
    expect(linesOut("- json: {expressions: {a: length(a)}, drop_malformed: true}", MALFORMED)).toEqual(["{}", '{"a":1}', "null"]));
  test("a missing source is never dropped", () =>
    expect(linesOut("- json: {expressions: {a: }, source: nope, drop_malformed: true}", ["x"])).toEqual(["x"]));

  const refuses = (name: string, config: string, wanted: RegExp): void => test(name, () => expect(faultsOf(config)).toMatch(wanted));
  refuses("a key with a dash, not quoted", "- json: {expressions: {a: user-agent}}", /^error 0.json.expressions.a .*has to be quoted/);
  refuses("no expressions", "- json:", /^error 0.json.expressions json stage: expressions: is required/);
  refuses("expressions as a list", "- json: {expressions: [a]}", /expected a map, got a list/);
  refuses(
    "a boolean key",
    "- json: {expressions: {n: }}",
    /^error 0.json.expressions.false .*expected a name, got the boolean false; quote it/,
  );
  refuses("a number as expression", "- json: {expressions: {a: 5}}", /expected text, got the number 5/);
  refuses("a broken expression", "- json: {expressions: {a: 'x['}}", /could not compile the expression: /);
  refuses(
    "an unknown key is a warning",
    "- json: {expressions: {a: }, expresions: {}}",
    /^warning 0.json.expresions .*did you mean "expressions"\?$/,
  );
});
