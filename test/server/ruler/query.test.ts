import { expect, test } from "vitest";
import { engineQuery } from "../../../server/ruler/query.ts";
import { ask } from "../query/ask.ts";

const { engine } = ask(
  {
    '{app="a", job="x"}': [
      [1, "one"],
      [2, "two"],
    ],
    '{app="b"}': [[2, 'code=""']],
  },
  { limits: { maxQuerySeries: 2 } },
);
const query = engineQuery(engine);
const run = async (expr: string, timeMs = 3000): Promise<string[]> =>
  (await query("t", expr, timeMs, new AbortController().signal)).map(
    ({ labels, value }) => `${labels.names.map((name, i) => `${name}=${labels.values[i]}`).join(",")} ${value}`,
  );

for (const [name, expr, wanted] of [
  ["a vector", 'count_over_time({app=~"a|b"}[5s])', ["app=a,job=x 2", "app=b 1"]],
  ["a number", "1 + 1", [" 2"]],
  ["vector()", "vector(3)", [" 3"]],
  ["nothing", 'count_over_time({app="none"}[5s])', []],
  ["labels without a value are left out", 'sum by (app, code) (count_over_time({app="b"} | logfmt [5s]))', ["app=b 1"]],
] as const) {
  test(name, async () => expect(await run(expr)).toEqual(wanted));
}
test("the time is the evaluation's", async () => expect(await run('count_over_time({app="a"}[1s])', 1500)).toEqual(["app=a,job=x 1"]));
test("the tenant's limits hold", async () =>
  await expect(run('sum by (x) (count_over_time({app=~".+"} | label_format x="{{ __line__ }}" [5s]))')).rejects.toThrow(
    "maximum number of series (2) reached",
  ));
test("a query is broken off with its signal", async () =>
  await expect(query("t", 'count_over_time({app="a"}[5s])', 3000, AbortSignal.abort())).rejects.toThrow("cancelled"));
