import { expect, test } from "vitest";
import { detectFields, fieldValues } from "../../../server/query/detected-fields.ts";
import type { LogPartial } from "../../../server/query/entry-keeper.ts";
import { ask, type Line, SECOND } from "./ask.ts";

async function sample(lines: readonly Line[], ops = ""): Promise<LogPartial> {
  const { engine } = ask({ '{app="a"}': lines });
  const { data } = await engine.range({
    tenants: ["t"],
    query: `{app="a"} ${ops}`,
    limit: 100,
    direction: "backward",
    startNs: 0n,
    endNs: 1000n * SECOND,
    stepNs: SECOND,
    intervalNs: 0n,
  });
  if (data.type !== "streams") throw new Error("a log query was meant");
  return data.entries;
}

/** `label:type:cardinality:parsers:path`, sorted. */
async function fields(lines: readonly Line[], ops = "", limit = 1000): Promise<string[]> {
  const found = await detectFields(await sample(lines, ops), limit);
  return found
    .map(({ label, type, cardinality, parsers, jsonPath }) =>
      [label, type, cardinality, parsers.join("+"), jsonPath?.join(".") ?? ""].join(":"),
    )
    .sort();
}

test.each<[string, Line[], string, string[]]>([
  [
    "scalars of JSON",
    [[1, '{"a":1,"b":"x","c":true,"d":1.5}']],
    "",
    ["a:int:1:json:a", "b:string:1:json:b", "c:boolean:1:json:c", "d:float:1:json:d"],
  ],
  ["nested keys", [[1, '{"a":{"b c":{"d":"5ms"}}}']], "", ["a_b_c_d:duration:1:json:a.b c.d"]],
  ["arrays and nulls are no fields", [[1, '{"a":[1],"b":null,"c":1}']], "", ["c:int:1:json:c"]],
  ["escapes in a key", [[1, '{"a\\u0062":1}']], "", ["ab:int:1:json:ab"]],
  ["a name that the stream has", [[1, '{"app":"x"}']], "", ["app_extracted:string:1:json:app"]],
  ["names of errors are no fields", [[1, '{"__error__":"x","a":1}']], "", ["a:int:1:json:a"]],
  ["the first of equal keys", [[1, '{"a":1,"a":"x"}']], "", ["a:int:1:json:a"]],
  ["logfmt", [[1, "a=1 b=2KiB c= d"]], "", ["a:int:1:logfmt:", "b:bytes:1:logfmt:"]],
  ["a broken object is read as logfmt", [[1, '{"a":1 x=2']], "", ["x:int:1:logfmt:"]],
  ["plain text has none", [[1, "hello world"]], "", []],
  [
    "different values count once",
    [
      [1, "a=1"],
      [2, "a=2"],
      [3, "a=1"],
    ],
    "",
    ["a:int:2:logfmt:"],
  ],
  [
    "the type is that of the oldest entry",
    [
      [1, "a=x"],
      [2, "a=2"],
    ],
    "",
    ["a:string:2:logfmt:"],
  ],
  [
    "the path is that of the oldest entry, too",
    [
      [1, '{"a":{"b":1}}'],
      [2, '{"a_b":1}'],
    ],
    "",
    ["a_b:int:1:json:a.b"],
  ],
  [
    "both parsers",
    [
      [1, "a=1"],
      [2, '{"a":2}'],
    ],
    "",
    ["a:int:2:json+logfmt:a"],
  ],
  ["structured metadata has no parser", [[1, "hello", { trace: "t1" }]], "", ["trace:string:1::"]],
  ["metadata that the line names, too", [[1, "trace=t2", { trace: "t1" }]], "", ["trace:string:2:logfmt:"]],
  ["what the query's parser found", [[1, "GET /x"]], '| pattern "<method> <path>"', ["method:string:1:logfmt:", "path:string:1:logfmt:"]],
  ["what the query drops is in the line still", [[1, "a=1 b=2"]], "| logfmt | drop a", ["a:int:1:logfmt:", "b:int:1:logfmt:"]],
  ["a line that the query rewrote", [[1, "a=1"]], '| line_format "b=2"', ["b:int:1:logfmt:"]],
  ["errors of the query's parser are no fields", [[1, "a=1"]], "| json", ["a:int:1:logfmt:"]],
])("fields: %s", async (_, lines, ops, expected) => {
  expect(await fields(lines, ops)).toEqual(expected);
});

test("fields beyond the limit are left out", async () => {
  expect(await fields([[1, "a=1 b=2 c=3"]], "", 2)).toEqual(["a:int:1:logfmt:", "b:int:1:logfmt:"]);
});

test("an object nested as deep as a line allows is read without a fault", async () => {
  const deep = `{"x":1,"a":${'{"b":'.repeat(20_000)}1${"}".repeat(20_000)}}`;
  expect(await fields([[1, deep]])).toEqual(["x:int:1:json:x"]);
});

test("a request that was given up ends, however long the sample is", async () => {
  const [entry] = await sample([[1, `{"a":"${"x".repeat(200_000)}"}`]]);
  const entries = Array.from({ length: 5_000 }, () => entry!);
  await expect(detectFields(entries, 10, AbortSignal.abort())).rejects.toThrow("cancelled");
});

test.each<[string, Line[], string, number, string[]]>([
  [
    "of a field of the line",
    [
      [1, "a=1 b=2"],
      [2, "a=3"],
      [3, "a=1"],
    ],
    "a",
    10,
    ["1", "3"],
  ],
  [
    "of metadata",
    [
      [1, "x", { trace: "t1" }],
      [2, "x", { trace: "t2" }],
    ],
    "trace",
    10,
    ["t1", "t2"],
  ],
  ["of a stream's label there are none", [[1, "x"]], "app", 10, []],
  [
    "as many as the limit allows, newest first",
    [
      [1, "a=1"],
      [2, "a=2"],
      [3, "a=3"],
    ],
    "a",
    2,
    ["2", "3"],
  ],
])("values %s", async (_, lines, name, limit, expected) => {
  expect((await fieldValues(await sample(lines), name, limit)).sort()).toEqual(expected);
});
