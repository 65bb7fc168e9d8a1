import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { runMain } from "./run-main.ts";

const folder = mkdtempSync(join(tmpdir(), "agent-check-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

interface Checked {
  readonly status: number;
  readonly lines: readonly string[];
  readonly stderr: string;
}

async function check(args: readonly string[]): Promise<Checked> {
  const { status, stdout, stderr } = await runMain(["check", ...args]);
  return { status, lines: stdout.replaceAll(`${folder}/`, "").trimEnd().split("\n"), stderr };
}

function file(yaml: string): string {
  const path = join(folder, "f.yaml");
  writeFileSync(path, yaml);
  return path;
}

const CLIENT = "clients: [{url: http://h/push}]\n";
/** A scrape config from line 3 on; its stages from line 5. */
const stages = (yaml: string): string =>
  `${CLIENT}scrape_configs:\n- job_name: a\n  pipeline_stages:\n${yaml.replace(/^/gm, "  ")}\n  static_configs: []\n`;

/** Each line that is found, up to a place in its sentence. */
const finds = (name: string, yaml: string, wanted: readonly string[], flags: readonly string[] = []): void =>
  test(name, async () => {
    const { lines } = await check([...flags, file(yaml)]);
    expect(lines.slice(0, -1).map((line, n) => line.slice(0, wanted[n]?.length))).toEqual(wanted);
  });

describe("each kind of fault, with its place", () => {
  finds("an unknown key", "servr: {}\n" + CLIENT, ['f.yaml:1:1: error: unknown key servr; did you mean "server"?']);
  finds("a regular expression", stages("- regex: {expression: '('}"), ["f.yaml:5:13: error: regex stage: expression: could not compile"]);
  finds("each JMESPath", stages("- json: {expressions: {a: 'x[', b: c, d: ')'}}"), [
    "f.yaml:5:26: error: json stage: expressions.a: could not compile",
    "f.yaml:5:41: error: json stage: expressions.d: could not compile",
  ]);
  finds("a template", stages("- template: {source: a, template: '{{ .x'}"), [
    "f.yaml:5:27: error: template stage: template: invalid template",
  ]);
  finds("a template's unknown function", stages("- replace: {expression: x, replace: '{{ nope .Value }}'}"), [
    'f.yaml:5:30: error: replace stage: replace: invalid template: template: template:1: function "nope" not defined',
  ]);
  finds("a selector", stages("- match: {selector: '{a=', stages: [{docker: }]}"), [
    "f.yaml:5:13: error: match stage: selector: invalid selector",
  ]);
  finds(
    "stages in a match, also of a selector that is wrong",
    stages("- match:\n    selector: '{a='\n    stages:\n    - match: {selector: '{a=\"b\"}', stages: [{nope: }]}"),
    ["f.yaml:6:7: error: match stage: selector", "f.yaml:8:48: error: unknown stage nope"],
  );
  finds("a location", stages("- timestamp: {source: t, format: RFC3339, location: Mars/X}"), [
    "f.yaml:5:45: error: timestamp stage: location: invalid",
  ]);
  finds("a duration", stages("- multiline: {firstline: x, max_wait_time: 3}"), [
    "f.yaml:5:31: error: multiline stage: max_wait_time: invalid duration",
  ]);
  finds("a size", stages("- drop: {longer_than: huge}"), ["f.yaml:5:12: error: drop stage: longer_than"]);
  finds("a database", stages("- geoip: {db: /nowhere.mmdb, source: ip, db_type: city}"), ["f.yaml:5:5: error: geoip stage: open database"]);
  finds(
    "relabel rules",
    `${CLIENT}scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {action: nope}\n  - {regex: '('}\n  - {action: hashmod, target_label: x}\n  static_configs: []`,
    [
      "f.yaml:5:6: error: scrape_configs[0].relabel_configs[0].action: unknown relabel action",
      "f.yaml:6:6: error: scrape_configs[0].relabel_configs[1].regex: error parsing regexp",
      "f.yaml:7:5: error: scrape_configs[0].relabel_configs[2]: relabel configuration for hashmod",
    ],
  );
  finds("what stops a start", "server: {}\n", ["f.yaml:1:1: error: at least one client config must be provided"]);
  finds("a scrape config that reads nothing", `${CLIENT}scrape_configs:\n- {job_name: a}\n`, [
    'f.yaml:3:3: error: no valid target scrape config defined for "a"',
  ]);
  finds(
    "no want of a target where it is faulty",
    `${CLIENT}scrape_configs:\n- {job_name: a, static_configs: 5}\n- {file_sd_configs: [{}]}\n`,
    [
      "f.yaml:3:17: error: scrape_configs[0].static_configs: expected a list",
      "f.yaml:4:3: error: scrape_configs[1].job_name",
      "f.yaml:4:22: error: scrape_configs[1].file_sd_configs",
    ],
  );
  finds("text that is not YAML", "a: [\nb: c\n", ["f.yaml:2:1: error: Flow sequence"]);
  finds("a variable, when variables are not expanded", "clients: [{url: 'http://${A}'}]\n", [
    "f.yaml:1:12: error: clients[0].url: parse",
    "hint: the file uses ${…}",
  ]);
  finds("nothing, when they are", "clients: [{url: 'http://${A:-h}'}]\n", [], ["-config.expand-env"]);
});

describe("what Promtail ignores in silence is a warning", () => {
  finds("a stage's unknown key", stages("- cri: {nope: 1}"), ["f.yaml:5:11: warning: cri stage: unknown key nope has no effect"]);
  finds(
    "layouts of other languages",
    stages('- timestamp: {source: t, format: "yyyy-MM-dd HH:mm:ss"}\n- timestamp: {source: t, format: "%d/%b/%Y"}'),
    [
      'f.yaml:5:5: warning: timestamp stage: the layout "yyyy-MM-dd HH:mm:ss" is not in Go\'s form',
      'f.yaml:6:5: warning: timestamp stage: the layout "%d/%b/%Y"',
    ],
  );
  finds(
    "no warning of Go's layouts",
    stages('- timestamp: {source: t, format: UnixMs, fallback_formats: ["02/Jan/06 15:04", RFC1123, "20060102"]}'),
    [],
  );
  finds("a fallback", stages('- timestamp: {source: t, format: RFC3339, fallback_formats: ["HH:mm"]}'), [
    'f.yaml:5:5: warning: timestamp stage: the layout "HH:mm"',
  ]);
});

test("all of a file at once: schema, stages of every scrape config, rules, warnings beside errors", async () => {
  const { lines, status } = await check([
    file(`server: {http_listen_prt: 9080}
clients: [{url: http://h/push, batchwait: "5"}, {url: "", external_labels: {a-b: c}}]
scrape_configs:
- job_name: a
  pipeline_stages:
  - regex: {expression: '('}
  - cri: {nope: 1}
  relabel_configs:
  - {action: nope}
  - {source_labels: [a-b], target_label: c}
- static_configs: [{labels: {"d-e": f}}, {labels: []}]
  pipeline_stages:
  - drop: {}
- job_name: c
  decompression: {enabled: true, format: lz5}
  encodin: x
  journal: {max_agee: 1h}
- job_name: a
`),
  ]);
  expect(lines.map((line) => /^\S+ \w+(?=:)|^.* errors.*/.exec(line)?.[0])).toEqual([
    "f.yaml:1:10: error",
    "f.yaml:2:32: error",
    "f.yaml:2:49: error",
    "f.yaml:2:77: warning",
    "f.yaml:4:3: error",
    "f.yaml:6:13: error",
    "f.yaml:7:11: warning",
    "f.yaml:9:6: error",
    "f.yaml:10:5: warning",
    "f.yaml:11:3: error",
    "f.yaml:11:30: warning",
    "f.yaml:11:43: error",
    "f.yaml:13:5: error",
    "f.yaml:15:34: warning",
    "f.yaml:16:3: error",
    "f.yaml:17:13: error",
    "f.yaml:18:3: error",
    "f.yaml:18:3: error",
    "f.yaml: 13 errors, 5 warnings",
  ]);
  expect(status).toBe(1);
});

describe("exit status and count", () => {
  const ends = (name: string, yaml: string, flags: readonly string[], status: number, count: string): void =>
    test(name, async () => {
      const got = await check([...flags, file(yaml)]);
      expect([got.status, got.lines.at(-1), got.stderr]).toEqual([status, `f.yaml: ${count}`, ""]);
    });
  ends("a good file", CLIENT, [], 0, "0 errors, 0 warnings");
  ends("a warning", stages("- cri: {nope: 1}"), [], 0, "0 errors, 1 warning");
  ends("a warning, strictly", stages("- cri: {nope: 1}"), ["-strict"], 1, "1 error, 0 warnings");
  ends("an error", stages("- nope:"), [], 1, "1 error, 0 warnings");
  test("several files", async () => {
    const [good, bad] = [join(folder, "good.yaml"), file(stages("- nope:"))];
    writeFileSync(good, CLIENT);
    const { status, lines } = await check([bad, good, "-strict"]);
    expect([status, lines.length, lines.at(-1)]).toEqual([1, 3, "good.yaml: 0 errors, 0 warnings"]);
  });
  test("no file", async () => expect(await check([])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^which file\?/) }));
  test("a file that is not there", async () =>
    expect(await check(["/nowhere.yaml"])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^\/nowhere\.yaml does not exist/) }));
  test("an unknown flag", async () =>
    expect(await check(["-nope"])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^flag provided/) }));
  test("-help", async () => expect((await check(["-help"])).status).toBe(0));
});
