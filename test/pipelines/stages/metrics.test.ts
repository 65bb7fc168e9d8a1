import { describe, expect, test } from "vitest";
import { faultsOf, linesOut, makeWorld, type World } from "../run-stages.ts";

const EXTRACT = "- json: {expressions: {v: , k: }}\n";

async function exposition(world: World): Promise<string[]> {
  return (await world.registry.metrics()).split("\n").filter((line) => line !== "");
}

describe("metrics", () => {
  const counts = (name: string, metric: string, values: string[], wanted: string[]): void =>
    test(name, async () => {
      const world = makeWorld();
      const lines = values.map((value) => (value.startsWith("{") ? value : `{"v":${value}}`));
      linesOut(`${EXTRACT}- metrics:\n    ${metric}`, lines, { world, labels: { job: "a", __hidden__: "h" } });
      const samples = (await exposition(world)).filter((line) => line.startsWith("promtail_custom_"));
      expect(samples).toEqual(wanted.map((sample) => `promtail_custom_${sample}`));
    });

  counts("all lines", "m: {type: Counter, config: {match_all: true, action: inc}}", ["1", "2"], ['m{job="a"} 2']);
  counts(
    "all bytes",
    "m: {type: counter, config: {match_all: true, count_entry_bytes: true, action: ADD}}",
    ["1", "20"],
    ['m{job="a"} 15'],
  );
  counts("lines with a source, nil too", "m: {type: Counter, source: v, config: {action: inc}}", ["1", "null", "{}"], ['m{job="a"} 3']);
  counts("the source is the name by default", "v: {type: Counter, config: {action: add}}", ["1.5", "2"], ['v{job="a"} 3.5']);
  counts(
    "lines with a value",
    "m: {type: Counter, source: v, config: {value: success, action: inc}}",
    ['"success"', '"other"', "null"],
    ['m{job="a"} 1'],
  );
  counts(
    "a value against a number",
    "m: {type: Counter, source: v, config: {value: '200', action: inc}}",
    ["200", "404"],
    ['m{job="a"} 1'],
  );
  counts("a counter never goes down", "m: {type: Counter, source: v, config: {action: add}}", ["5", "-3", '"-1s"'], ['m{job="a"} 5']);
  counts("gauge set", "m: {type: Gauge, source: v, config: {action: set}}", ["5", "-3.25"], ['m{job="a"} -3.25']);
  counts("gauge add", "m: {type: Gauge, source: v, config: {action: add}}", ['"3"', '"2"'], ['m{job="a"} 5']);
  counts("gauge sub", "m: {type: Gauge, source: v, config: {action: sub}}", ["3", "2"], ['m{job="a"} -5']);
  counts("gauge dec", "m: {type: Gauge, source: v, config: {action: dec}}", ['"x"', "null"], ['m{job="a"} -2']);
  counts("gauge without numbers", "m: {type: Gauge, source: v, config: {action: set}}", ['"x"', "null", "[1]"], []);
  counts("booleans", "m: {type: Gauge, source: v, config: {action: add}}", ["true", "false", "true"], ['m{job="a"} 2']);
  counts(
    "a histogram",
    "m: {type: Histogram, source: v, config: {buckets: [0.1, 0.01]}}",
    ['"50ms"', "5", "0.01"],
    [
      'm_bucket{job="a",le="0.01"} 1',
      'm_bucket{job="a",le="0.1"} 2',
      'm_bucket{job="a",le="+Inf"} 3',
      'm_sum{job="a"} 5.06',
      'm_count{job="a"} 3',
    ],
  );
  counts(
    "bounds of a histogram as Go prints them",
    "m: {type: Histogram, source: v, config: {buckets: [0.00002, 123456, 1000000, 2500000000]}}",
    ["1000000"],
    [
      'm_bucket{job="a",le="2e-05"} 0',
      'm_bucket{job="a",le="123456"} 0',
      'm_bucket{job="a",le="1e+06"} 1',
      'm_bucket{job="a",le="2.5e+09"} 1',
      'm_bucket{job="a",le="+Inf"} 1',
      'm_sum{job="a"} 1000000',
      'm_count{job="a"} 1',
    ],
  );
  for (const [text, number] of [
    ["0x1p4", "16"],
    ["1e2", "100"],
    ["+3", "3"],
    [".5", "0.5"],
    ["1_000", "1000"],
    ["0.5ms", "0.0005"],
    ["1h2m", "3720"],
    ["Inf", "+Inf"],
    ["0x10", null],
    [" 5", null],
    ["1__0", null],
    ["", null],
    ["1d", null],
  ] as const) {
    counts(
      `the text ${JSON.stringify(text)}`,
      "m: {type: Gauge, source: v, config: {action: set}}",
      [JSON.stringify(text)],
      number === null ? [] : [`m{job="a"} ${number}`],
    );
  }

  test("a counter ignores what is negative, and counts that", async () => {
    const world = makeWorld();
    linesOut(`${EXTRACT}- metrics:\n    m: {type: Counter, source: v, config: {action: add}}`, ['{"v":5}', '{"v":-3}', '{"v":"-1"}'], {
      world,
    });
    const lines = (await exposition(world)).filter((line) => !line.startsWith("#"));
    expect(lines).toEqual(["promtail_custom_m 5", 'logentry_metric_ignored_values_total{metric="promtail_custom_m"} 2']);
  });
  test("names of labels become what a metric can have", async () => {
    const world = makeWorld();
    linesOut("- static_labels: {a-b: v, 9c: w}\n- metrics:\n    m: {type: Counter, config: {match_all: true, action: inc}}", ["x"], {
      world,
    });
    expect((await exposition(world)).at(-1)).toBe('promtail_custom_m{_c="w",a_b="v"} 1');
  });

  test("labels are those at the stage, and make series", async () => {
    const world = makeWorld();
    const stages = `${EXTRACT}- labels: {k: }\n- metrics:\n    m: {type: Counter, description: "what \\"it\\" counts", prefix: my_, config: {match_all: true, action: inc}}\n- static_labels: {late: x}`;
    linesOut(stages, ['{"k":"b"}', '{"k":"a"}', '{"k":"b"}', "{}"], { world });
    expect(await exposition(world)).toEqual([
      '# HELP my_m what "it" counts',
      "# TYPE my_m counter",
      'my_m{k="b"} 2',
      'my_m{k="a"} 1',
      "my_m 1",
    ]);
  });
  test("an idle series is exposed once more, then forgotten", async () => {
    const world = makeWorld();
    linesOut("- metrics:\n    m: {type: Counter, max_idle_duration: 10s, config: {match_all: true, action: inc}}", ["x"], { world });
    const shown = async (): Promise<number> => (await exposition(world)).filter((line) => line.startsWith("promtail")).length;
    world.nowMs += 9_999;
    expect(await shown()).toBe(1);
    world.nowMs += 1;
    expect([await shown(), await shown()]).toEqual([1, 0]);
  });
  test("two pipelines with one metric share its series", async () => {
    const world = makeWorld();
    const stages = "- metrics:\n    m: {type: Counter, config: {match_all: true, action: inc}}";
    linesOut(stages, ["x"], { world });
    linesOut(stages, ["x"], { world });
    expect((await exposition(world)).at(-1)).toBe("promtail_custom_m 2");
  });

  const refuses = (name: string, config: string, wanted: RegExp): void =>
    test(name, () => expect(faultsOf(`- metrics:\n    ${config}`)).toMatch(wanted));
  test("no metrics are none", () => expect(faultsOf("- metrics:")).toBe(""));
  refuses("a list", "[a]", /^error 0.metrics .*expected a map from names to metrics, got a list/);
  refuses("an unknown type", "m: {type: Meter}", /^error 0.metrics.m.type metrics stage: m.type: unknown metric type meter/);
  refuses("no type", "m: {config: {action: inc}}", /^error 0.metrics.m.type .*is required/);
  refuses("a counter without action", "m: {type: Counter, config: {match_all: true}}", /^error 0.metrics.m.config.action .*inc or add/);
  refuses("a counter that sets", "m: {type: Counter, config: {action: set}}", /inc or add/);
  refuses("match_all and value", "m: {type: Counter, config: {match_all: true, value: x, action: inc}}", /exclude each other/);
  refuses("bytes without match_all", "m: {type: Counter, config: {count_entry_bytes: true, action: add}}", /needs match_all: true/);
  refuses("bytes without add", "m: {type: Counter, config: {match_all: true, count_entry_bytes: true, action: inc}}", /needs action: add/);
  refuses("a gauge without action", "m: {type: Gauge, config: {}}", /one of set, inc, dec, add, sub/);
  refuses("an idle time below a second", "m: {type: Gauge, max_idle_duration: 100ms, config: {action: inc}}", /at least 1s/);
  refuses(
    "an invalid name",
    "my-metric: {type: Counter, config: {match_all: true, action: inc}}",
    /invalid metric name promtail_custom_my-metric/,
  );
  refuses(
    "an unknown key is a warning",
    "m: {type: Gauge, config: {action: inc, bukets: []}}",
    /^warning 0.metrics.m.config.bukets .*did you mean "buckets"/,
  );
});
