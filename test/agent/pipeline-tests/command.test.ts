import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { type Ran, runMain } from "../run-main.ts";

const folder = mkdtempSync(join(tmpdir(), "pipeline-tests-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

async function run(args: readonly string[], words: readonly string[] = ["test"]): Promise<Ran> {
  const { status, stdout, stderr } = await runMain([...words, ...args]);
  return { status, stdout: stdout.replaceAll(`${folder}/`, ""), stderr: stderr.replaceAll(`${folder}/`, "") };
}

function file(yaml: string, name = "a.test.yaml"): string {
  const path = join(folder, name);
  writeFileSync(path, yaml);
  return path;
}

const STAGES = `
pipeline_stages:
  - regex: {expression: '^(?P<level>\\w+) (?P<ts>\\S+) (?P<user>\\S+)'}
  - timestamp: {source: ts, format: RFC3339, action_on_failure: skip}
  - labels: {level: }
  - structured_metadata: {user: }
  - match: {selector: '{level="debug"}', action: drop, drop_counter_reason: noise}
  - match: {selector: '{level="a"}', stages: [{tenant: {value: t1}}]}
  - metrics: {seen: {type: Counter, config: {match_all: true, action: inc}}}
labels: {job: x}
now: 2024-06-01T00:00:00Z
`;
const LINE = "info 2024-05-31T01:02:03.5+01:00 ann";
const oneCase = (rest: string, head = STAGES): string => `${head}cases:\n- name: c\n${rest.replace(/^/gm, "  ")}\n`;

/** What is said of the one case; empty when it passes. */
async function verdict(yaml: string, flags: readonly string[] = []): Promise<string> {
  const { stdout, stderr, status } = await run([...flags, file(yaml)]);
  if (status === 0) return stdout === "ok    a.test.yaml (1 case)\n" ? "" : stdout + stderr;
  return `${status} ${stderr}${stdout.split("\n").slice(1, -2).join("\n")}`;
}
const passes = (name: string, rest: string, flags?: readonly string[]): void =>
  test(name, async () => expect(await verdict(oneCase(rest), flags)).toBe(""));
const fails = (name: string, rest: string, wanted: string, flags?: readonly string[]): void =>
  test(name, async () => expect(await verdict(oneCase(rest), flags)).toBe(`1 ${wanted}`));
const refuses = (name: string, yaml: string, wanted: RegExp): void =>
  test(name, async () => {
    const { status, stderr } = await run([file(yaml)]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(wanted)]);
  });

describe("what is expected of an entry", () => {
  const line = `lines: ["${LINE}"]\n`;
  passes(
    "each field",
    `${line}expect: {line: "${LINE}", labels: {level: info}, timestamp: 2024-05-31T00:02:03.5Z, structured_metadata: {user: ann}, tenant: }`,
  );
  passes("a part", `${line}expect: {labels: {job: x}}`);
  passes("nothing but that it comes", `${line}expect: {}`);
  passes("a label that is not there", `${line}expect: {labels: {nope: }, structured_metadata: {nope: }}`);
  passes("numbers as texts", 'lines: ["200 x y"]\nexpect: {labels: {level: 200}}');
  passes("the time of another zone", `${line}expect: {timestamp: 2024-05-31T02:02:03.5+02:00}`);
  passes("the time of reading", "lines: [x]\nexpect: {timestamp: 2024-06-01T00:00:00Z}");
  passes("a tenant", 'lines: ["a b c"]\nexpect: {tenant: t1, labels: {__tenant_id__: }}');
  fails(
    "another line, with a mark",
    `${line}expect: {line: "${LINE.replace("ann", "bob")}"}`,
    `  expectation 1, "${LINE}":
    line:
      - info 2024-05-31T01:02:03.5+01:00 bob
      + info 2024-05-31T01:02:03.5+01:00 ann
                                         ^`,
  );
  fails(
    "other labels",
    `${line}expect: {labels: {level: warn, job: , nope: 1}}`,
    `  expectation 1, "${LINE}":
    labels.job:
      - (none)
      + x
    labels.level:
      - warn
      + info
    labels.nope:
      - 1
      + (none)`,
  );
  fails("spaces that would not be seen", 'lines: ["x "]\nexpect: {line: x}', '  expectation 1, "x ":\n    line:\n      - x\n      + "x "');
  fails(
    "another tenant and time",
    'lines: ["a b c"]\nexpect: {tenant: t2, timestamp: 2024-01-01T00:00:00Z}',
    `  expectation 1, "a b c":
    timestamp:
      - 2024-01-01T00:00:00Z
      + 2024-06-01T00:00:00Z
              ^
    tenant:
      - t2
      + t1`,
  );
});

describe("what is expected of several", () => {
  const lines = "lines: |\n  info x ann\n  debug x bob\n  warn x cid\n";
  passes("entries; drops are not looked at", `${lines}expect: [{labels: {level: info}}, {labels: {level: warn}}]`);
  passes("drops in their place", `${lines}expect: [{}, {dropped: true}, {}]`);
  passes("drops with their reason, and counts", `${lines}expect: [{}, {dropped: noise}, {}]\ndropped: {noise: 1}`);
  passes("metrics", `${lines}metrics: {'promtail_custom_seen{job="x",level="warn"}': 1}`);
  passes("nothing comes out", "lines: [debug x y]\nexpect: []");
  fails(
    "one too many: the others still agree",
    `${lines}expect: [{labels: {level: warn}}]`,
    `  not expected:
      + - line: info x ann
      +   labels:
      +     job: x
      +     level: info
      +   structured_metadata:
      +     user: ann`,
  );
  fails(
    "one that does not come",
    `${lines}expect: [{}, {}, {line: z, timestamp: 2024-01-01T00:00:00Z}]`,
    `  expectation 3 did not come:
      - - line: z
      -   timestamp: "2024-01-01T00:00:00Z"`,
  );
  fails(
    "a drop for another reason",
    `${lines}expect: [{}, {dropped: other}, {}]`,
    "  expectation 2, a dropped line:\n    dropped:\n      - other\n      + noise",
  );
  fails(
    "one too few in the middle: those before and behind it still agree",
    `lines: [a, b, c, d]\nexpect: [{line: a}, {line: b}, {line: x}, {line: c}, {line: d}]`,
    "  expectation 3 did not come:\n      - - line: x",
  );
  test("thousands that all differ", async () => {
    const list = (text: string): string => Array.from({ length: 2_000 }, (_, n) => `${text}${n}`).join(", ");
    const entries = list("x").replace(/x\d+/g, "{line: $&}");
    const said = await verdict(oneCase(`lines: [${list("y")}]\nexpect: [${entries}]`));
    expect(said.match(/expectation/g)).toHaveLength(2_000);
  });
  fails(
    "counts",
    `${lines}dropped: {other: 1}\nmetrics: {'promtail_custom_seen{job="x",level="warn"}': 2, nope: 1}`,
    `    dropped.other:
      - 1
      + 0
    dropped.noise:
      - 0
      + 1
    metrics.promtail_custom_seen{job="x",level="warn"}:
      - 2
      + 1
    metrics.nope:
      - 1
      + (none)`,
  );
});

describe("strictly", () => {
  passes(
    "all is said",
    'strict: true\nlines: ["a b c"]\nexpect: {line: a b c, labels: {job: x, level: a}, structured_metadata: {user: c}, tenant: t1}',
  );
  fails(
    "labels, metadata, time and drops that are not expected",
    `lines: ["${LINE}", debug x y]\nexpect: {line: "${LINE}"}`,
    `  expectation 1, "${LINE}":
    labels.job:
      - (none)
      + x
    labels.level:
      - (none)
      + info
    timestamp:
      - (none)
      + 2024-05-31T00:02:03.5Z
    structured_metadata.user:
      - (none)
      + ann
  not expected:
      + - dropped: noise`,
    ["-strict"],
  );
});

describe("time stands still until a case moves it", () => {
  const stages = (yaml: string): string => `pipeline_stages: [${yaml}]\nnow: 2024-06-01T00:00:00.000000001Z\n`;
  const agrees = (name: string, yaml: string, rest: string): void =>
    test(name, async () => expect(await verdict(oneCase(rest, stages(yaml)))).toBe(""));
  const MULTILINE = "{multiline: {firstline: '^S', max_wait_time: 3s}}";

  agrees("a block ends with the case", MULTILINE, 'lines: [S 1, a]\nexpect: {line: "S 1\\na", timestamp: 2024-06-01T00:00:00.000000001Z}');
  agrees("a block waits", MULTILINE, 'lines: [S 1, {wait: 2s}, a, {wait: 4s}, b]\nexpect: [{line: "S 1\\na"}, {line: b}]');
  agrees("an old line", "{drop: {older_than: 1h}}", "lines: [x]\nexpect: {line: x}");
  agrees(
    "a limit that drops",
    "{limit: {rate: 1, burst: 1, drop: true}}",
    "lines: [a, b, {wait: 1s}, c]\nexpect: [{line: a}, {dropped: ratelimit_drop_stage}, {line: c}]",
  );
  agrees("a limit that waits", "{limit: {rate: 1, burst: 1, drop: false}}", "lines: [a, b, c]\nexpect: [{line: a}, {line: b}, {line: c}]");
  agrees(
    "chance is the same each time",
    "{sampling: {rate: 0.5}}",
    "lines: [a, b, c, d]\nexpect: [{dropped: true}, {line: b}, {dropped: true}, {dropped: true}]",
  );
  agrees(
    "files and labels of lines",
    "{cri: {}}",
    `lines:
- {line: 2024-06-01T00:00:00Z stdout P a, file: /a}
- {line: 2024-06-01T00:00:00Z stdout F b, file: /b, labels: {x: y}}
- {line: 2024-06-01T00:00:00Z stdout F c, file: /a}
expect: [{line: b, labels: {filename: /b, x: y}}, {line: ac, labels: {filename: /a, x: }}]`,
  );
});

describe("which stages", () => {
  const CONFIG =
    "clients: [{url: http://h/push}]\nscrape_configs:\n- job_name: one\n  pipeline_stages: [{static_labels: {a: one}}]\n- job_name: two\n";
  const about = (head: string, labels = "{a: one}"): string => oneCase(`lines: [x]\nexpect: {labels: ${labels}}`, `${head}\n`);
  file(CONFIG, "promtail.yaml");
  file("clients: [{url: http://h/push}]\nscrape_configs: [{job_name: a, pipeline_stages: [{nope: }]}]\n", "bad.yaml");

  test("a job of a configuration, found beside the file", async () =>
    expect(await verdict(about("config: promtail.yaml\njob: one"))).toBe(""));
  test("a job without stages", async () => expect(await verdict(about("config: promtail.yaml\njob: two", "{a: }"))).toBe(""));
  test("a preset", async () => expect(await verdict(about("preset: klog", "{level: }"))).toBe(""));
  refuses(
    "two jobs, and none is named",
    about("config: promtail.yaml"),
    /a\.test\.yaml:1:1: promtail\.yaml has 2 scrape configs: add job, one of one, two/,
  );
  refuses(
    "an unknown job",
    about("config: promtail.yaml\njob: tow"),
    /a\.test\.yaml:2:1: promtail\.yaml has no job "tow"; did you mean "two"\?/,
  );
  refuses("a configuration that is wrong", about("config: bad.yaml"), /^bad\.yaml:2:51: unknown stage nope/);
  refuses("a configuration that is not there", about("config: nope.yaml"), /nope\.yaml does not exist/);
  refuses("an unknown preset", about("preset: ngnix"), /a\.test\.yaml:1:1: preset stage: unknown preset "ngnix"; did you mean "nginx"/);
  refuses("stages that are wrong", about("pipeline_stages:\n- nope:"), /a\.test\.yaml:2:3: unknown stage nope/);
  refuses("none", about("labels: {}"), /a\.test\.yaml:1:1: .*one of config, preset and pipeline_stages/);
  refuses("two", about("preset: klog\nconfig: promtail.yaml"), /only one/);
});

describe("files that are wrong", () => {
  refuses(
    "a misspelt expectation",
    oneCase("lines: [x]\nexpect: [{lable: {}}]"),
    /a\.test\.yaml:15:13: unknown key cases\[0\]\.expect\[0\]\.lable; did you mean "label/,
  );
  refuses("no expectation at all", oneCase("lines: [x]"), /expects nothing: add expect, dropped or metrics/);
  refuses("a time that is none", oneCase("lines: [x]\nexpect: {timestamp: yesterday}"), /expected a time such as/);
  refuses("a metric that is none", oneCase("lines: [x]\nmetrics: {'a b': 1}"), /not a metric such as/);
  refuses("a drop with a line", oneCase("lines: [x]\nexpect: {dropped: true, line: x}"), /what is dropped has no line/);
  refuses("a line that is no line", oneCase("lines: [[x]]\nexpect: []"), /expected a line/);
  refuses("neither line nor wait", oneCase("lines: [{labels: {}}]\nexpect: []"), /needs either a line or wait/);
  refuses("no case", `${STAGES}cases: []`, /there is no case/);
  refuses("no YAML", "cases: [", /a\.test\.yaml:1:9: /);
  test("a file that is not there", async () =>
    expect(await run(["/nowhere.yaml"])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^cannot read/) }));
  test("the other files run all the same", async () => {
    const { status, stdout } = await run([file("cases: [", "z.test.yaml"), file(oneCase("lines: [x]\nexpect: {}"))]);
    expect([status, stdout]).toEqual([2, "ok    a.test.yaml (1 case)\n"]);
  });
});

test("the example's own tests pass", async () => {
  const { status, stdout } = await run([fileURLToPath(new URL("../../../examples/promtail.test.yaml", import.meta.url))]);
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^ok .*\(2 cases\)\n$/)]);
});

describe("the command", () => {
  const TWO = `${STAGES}cases:\n- {name: good, lines: [a b c], expect: {}}\n- {name: b<a>d, lines: ["x\\ty"], expect: {line: z}}\n`;

  test("a count of failures, and status 1", async () =>
    expect(await run([file(TWO)])).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^FAIL {2}a\.test\.yaml:14:3: b<a>d\n[\s\S]*FAIL {2}a\.test\.yaml \(1 of 2 cases failed\)\n$/),
    }));
  test("-run", async () =>
    expect(await run([file(TWO), "-run", "^good"])).toEqual({ status: 0, stdout: "ok    a.test.yaml (1 case)\n", stderr: "" }));
  test("-run matches nothing", async () => expect((await run([file(TWO), "-run", "nope"])).status).toBe(2));
  test("-actual prints what can be pasted", async () => {
    const { stdout, status } = await run([file(TWO), "-actual"]);
    expect([status, stdout]).toEqual([
      0,
      "# a.test.yaml:13:3: good\nexpect:\n  - line: a b c\n    labels:\n      job: x\n      level: a\n    structured_metadata:\n      user: c\n    tenant: t1\n\n# a.test.yaml:14:3: b<a>d\nexpect:\n  - line: x\ty\n    labels:\n      job: x\n",
    ]);
  });
  test("what -actual prints passes strictly", async () => {
    const lines = `lines: ["${LINE}", debug x y, "a 1 c", "200 b: ' \\"é", "  "]\nstrict: true\n`;
    const { stdout } = await run(["-actual", file(oneCase(`${lines}expect: []`))]);
    expect(await verdict(oneCase(lines + stdout))).toBe("");
  });
  test("TAP", async () => {
    const { stdout, status } = await run(["-format=tap", file(TWO)]);
    expect([status, stdout]).toEqual([
      1,
      'TAP version 14\n1..2\nok 1 - a.test.yaml:13:3: good\nnot ok 2 - a.test.yaml:14:3: b<a>d\n  ---\n  message: |\n      expectation 1, "x\\ty":\n        line:\n          - z\n          + "x\\ty"\n  ...\n',
    ]);
  });
  test("JUnit", async () => {
    const { stdout, status } = await run(["-format=junit", file(TWO)]);
    expect(status).toBe(1);
    expect(stdout).toContain(
      '<testsuite name="a.test.yaml" tests="2" failures="1">\n    <testcase classname="a.test.yaml" name="good"/>\n',
    );
    expect(stdout).toContain('name="b&#60;a&#62;d">\n      <failure message="a.test.yaml:14:3">  expectation 1, &#34;x\\ty&#34;:\n');
  });
  test("a folder stands for the test files in it", async () => {
    mkdirSync(join(folder, "many"), { recursive: true });
    file("not a test", "many/promtail.yaml");
    file(oneCase("lines: [x]\nexpect: {}"), "many/b.test.yml");
    file(oneCase("lines: [x]\nexpect: {}"), "many/a.test.yaml");
    expect((await run([join(folder, "many")])).stdout).toBe("ok    many/a.test.yaml (1 case)\nok    many/b.test.yml (1 case)\n");
  });
  test("a folder without any", async () =>
    expect(await run([tmpdir()])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^no test files in/) }));
  test("an unknown format", async () => expect((await run(["-format=xml"])).status).toBe(2));
  test("-help", async () => expect((await run(["-help"])).status).toBe(0));
});

describe("skald agent presets", () => {
  test("a list with summaries", async () => {
    const { stdout, status } = await run([], ["presets"]);
    expect([status, stdout.split("\n").length]).toEqual([0, 11]);
    expect(stdout).toMatch(/^nginx {5}nginx: access log/m);
  });
  test("one, to be copied", async () => expect((await run(["klog"], ["presets"])).stdout).toMatch(/^# klog and glog[\s\S]*^- regex:\n/m));
  test("an unknown one", async () =>
    expect(await run(["klgo"], ["presets"])).toMatchObject({ status: 2, stderr: expect.stringMatching(/did you mean "klog"/) }));
});
