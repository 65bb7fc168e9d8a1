// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such text is what is tested
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type LoadedConfig, type LoadOptions, loadAgentConfig } from "../../../agent/config/load.ts";
import { printConfig } from "../../../agent/config/print.ts";
import { Plain } from "../../../agent/config/written.ts";
import { sourceKeyOf } from "../../../agent/targets/open-sources.ts";

const folder = mkdtempSync(join(tmpdir(), "agent-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

async function load(yaml: string, options: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  const file = join(folder, `${files++}.yaml`);
  writeFileSync(file, yaml);
  return loadAgentConfig({ files: [file], expandEnv: false, env: {}, overrides: new Map(), externalLabels: {}, ...options });
}

const BASE = "clients: [{url: http://h/push}]\n";
const job = (rest: string): string => `${BASE}scrape_configs:\n- job_name: a\n${rest.replace(/^/gm, "  ")}\n`;
const labelled = (labels: string): string => job(`static_configs: [{labels: ${labels}}]`);

const takes = (name: string, yaml: string, check: (loaded: LoadedConfig) => void, options?: Partial<LoadOptions>): void =>
  test(name, async () => check(await load(yaml, options)));
const refuses = (name: string, yaml: string, words: RegExp, options?: Partial<LoadOptions>): void =>
  test(name, async () => await expect(load(yaml, options)).rejects.toThrow(words));
const labelsAre = (name: string, labels: string, wanted: Record<string, string>): void =>
  takes(name, labelled(labels), ({ config }) => expect(config.scrape_configs[0]!.static_configs![0]!.labels).toEqual(wanted));
const refusesStart = (name: string, yaml: string, words: RegExp): void =>
  takes(name, yaml, ({ refusals }) => expect(refusals.join("\n")).toMatch(words));
const warns = (name: string, yaml: string, words: RegExp): void =>
  takes(name, yaml, ({ warnings }) => expect(warnings.join("\n")).toMatch(words));

describe("values", () => {
  takes("defaults", BASE, ({ config }) => {
    expect(config.server.http_listen_port).toBe(80);
    expect(config.positions).toEqual({ sync_period: 10_000, filename: "/var/log/positions.yaml", ignore_invalid_yaml: false });
    expect(config.clients[0]).toMatchObject({
      batchwait: 1000,
      batchsize: 1_048_576,
      timeout: 10_000,
      backoff_config: { min_period: 500, max_period: 300_000, max_retries: 10 },
    });
    expect(config.clients[0]!.name).toMatch(/^[0-9a-f]{6}$/);
  });
  takes("a duration without unit is nanoseconds", "clients: [{url: http://h/, batchwait: 5000000}]", ({ config }) =>
    expect(config.clients[0]!.batchwait).toBe(5),
  );
  refuses("a quoted duration without unit", 'clients: [{url: http://h/, batchwait: "5"}]', /missing unit in duration "5"/);
  refuses("days in a Go duration", "clients: [{url: http://h/, timeout: 1d}]", /:1:\d+: clients\[0\]\.timeout: time: unknown unit "d"/);
  refuses(
    "a quoted number",
    `${BASE}server: {http_listen_port: "9080"}`,
    /server\.http_listen_port: expected a whole number, got the text "9080": remove the quotes/,
  );
  refuses("a quoted boolean", `${BASE}server: {disable: "true"}`, /expected true or false, got the text "true": remove the quotes/);
  refuses("a port out of range", `${BASE}server: {http_listen_port: 99999}`, /from 0 to 65535/);
  takes("the backlog's defaults, as /config shows them", BASE, ({ config }) => {
    expect(config.backlog).toEqual({ enabled: true, directory: "", max_bytes: 512 * 1024 * 1024 });
    expect(printConfig(config)).toContain('backlog:\n  enabled: true\n  directory: ""\n  max_bytes: 512MB\n');
  });
  refuses(
    "a backlog too small to be of use",
    `${BASE}backlog: {max_bytes: 10KB}\n`,
    /:2:\d+: backlog\.max_bytes: expected 1MB or more; set enabled: false/,
  );
  refuses("a key the backlog has not", `${BASE}backlog: {on_full: refuse}\n`, /:2:\d+: unknown key backlog\.on_full/);
  takes(
    "keys of servers in a cluster",
    `${BASE}server: {grpc_collect_max_streams_by_conn: true, cluster_validation: {label: a, grpc: {enabled: true}, http: {excluded_paths: "/a,/b"}}}`,
    ({ config }) => expect(config.server.cluster_validation).toMatchObject({ label: "a", http: { excluded_paths: "/a,/b" } }),
  );
  takes("booleans of YAML 1.1", `${BASE}server: {disable: yes, health_check_target: off}`, ({ config }) =>
    expect([config.server.disable, config.server.health_check_target]).toEqual([true, false]),
  );
  takes("sizes", `${BASE}limits_config: {max_line_size: 256kb}`, ({ config }) => expect(config.limits_config.max_line_size).toBe(262_144));
  takes("a size as a number", `${BASE}limits_config: {max_line_size: 10}`, ({ config }) =>
    expect(config.limits_config.max_line_size).toBe(10),
  );
  refuses("a size that is none", `${BASE}limits_config: {max_line_size: huge}`, /max_line_size/);
  takes(
    "a null block is its defaults",
    `${BASE}server:\nlimits_config:\nscrape_configs:\n- job_name: a\n  pipeline_stages:\n`,
    ({ config }) => expect(config.server.http_listen_port).toBe(80),
  );
  takes("an empty level, and an empty period, are their defaults", `${BASE}server: {log_level: }\npositions: {sync_period: }`, (loaded) => {
    expect([loaded.config.server.log_level, loaded.config.positions.sync_period]).toEqual(["info", 10_000]);
    expect(loaded.refusals).toEqual([]);
  });
  takes(
    "a text as it was written",
    "clients: [{url: http://h/, tenant_id: 0123, basic_auth: {username: 1.50, password: yes}}]",
    ({ config }) => {
      expect(config.clients[0]!.tenant_id).toBe("0123");
      expect(config.clients[0]!.basic_auth).toMatchObject({ username: "1.50", password: "yes" });
    },
  );
  takes("a URL that is a variable", "clients:\n- url: ${LOKI_URL}\n", ({ config }) => expect(config.clients[0]!.url).toBe("${LOKI_URL}"));
  refuses(
    "a variable in the host",
    'clients: [{url: "http://${HOST}:3100/push"}]',
    /invalid character "\{" in host name[\s\S]*-config\.expand-env=true/,
  );
  refuses("a variable in the port", 'clients: [{url: "http://h:${PORT}/push"}]', /clients\[0\]\.url: parse/);
  refuses("a bracket that is not closed", 'clients: [{url: "http://[::1"}]', /missing ']' in host/);
});

describe("labels", () => {
  labelsAre("as they were written", "{a: 5, b: yes, c: 1.50, d: on, e: 0x1F, f: 2020-01-02, g: 12:30, h: 1_000}", {
    a: "5",
    b: "yes",
    c: "1.50",
    d: "on",
    e: "0x1F",
    f: "2020-01-02",
    g: "12:30",
    h: "1_000",
  });
  labelsAre("null and empty ones vanish", "{a: , b: ~, c: '', d: x}", { d: "x" });
  labelsAre("names that YAML 1.1 takes for booleans", "{y: 1, n: 2}", { y: "1", n: "2" });
  takes(
    "of a client: null and empty ones stay, as empty ones",
    "clients: [{url: http://h/, external_labels: {a: , b: '', c: x}, headers: {A: , B: '', C: x}}]",
    ({ config }) =>
      expect(config.clients[0]).toMatchObject({ external_labels: { a: "", b: "", c: "x" }, headers: { A: "", B: "", C: "x" } }),
  );
  takes(
    "merge keys",
    `${BASE}scrape_configs:\n- job_name: a\n  static_configs: [{labels: &l {a: b}}]\n- job_name: b\n  static_configs: [{labels: {<<: *l, c: d}}]`,
    ({ config }) => expect(config.scrape_configs[1]!.static_configs![0]!.labels).toEqual({ a: "b", c: "d" }),
  );
  refuses(
    "a key that is also in the merged map",
    `${BASE}scrape_configs:\n- job_name: a\n  static_configs: [{labels: &l {a: b}}]\n- job_name: b\n  static_configs: [{labels: {<<: *l, a: d}}]`,
    /6:\d+: key a is already set by the merged map/,
  );
});

describe("merged maps", () => {
  const second = (client: string, wanted: object): void =>
    takes(client, `clients:\n- &c {url: http://a/, timeout: 5s, batchwait: 2s}\n- ${client}\n`, ({ config }) =>
      expect(config.clients[1]).toMatchObject(wanted),
    );
  second("{<<: *c, url: http://b/, timeout: 10s}", { url: "http://b/", timeout: 10_000, batchwait: 2_000 });
  second("{url: http://b/, timeout: 10s, <<: *c}", { url: "http://a/", timeout: 5_000 });
  second("{url: http://b/, <<: *c, timeout: 10s}", { url: "http://a/", timeout: 10_000 });
  second("{<<: [{timeout: 1s, name: n}, *c], url: http://b/}", { url: "http://b/", timeout: 1_000, batchwait: 2_000, name: "n" });
  second("{external_labels: {}, <<: *c}", { url: "http://a/", external_labels: {} });
  takes(
    "in scrape configs and relabel rules",
    `${BASE}scrape_configs:
- &a {job_name: a, static_configs: [], relabel_configs: [&r {source_labels: [x], target_label: y}, {<<: *r, target_label: z}]}
- {<<: *a, job_name: b}
`,
    ({ config }) =>
      expect(config.scrape_configs.map((scrape) => [scrape.job_name, scrape.relabel_configs!.map((rule) => rule.target_label)])).toEqual([
        ["a", ["y", "z"]],
        ["b", ["y", "z"]],
      ]),
  );
  for (const [block, yaml] of [
    ["headers", "clients: [{url: http://h/, headers: {<<: {a: b}, a: c}}]"],
    ["stages", job("pipeline_stages: [{json: {<<: {expressions: {a: }}, expressions: {b: }}}]")],
  ] as const)
    refuses(`not of ${block} that are set besides`, yaml, /is already set by the merged map/);
});

describe("files", () => {
  takes("a byte order mark", `\uFEFF${BASE}`, ({ config }) => expect(config.clients).toHaveLength(1));
  takes("line ends of Windows", BASE.replace("\n", "\r\n") + "server:\r\n  log_level: warn\r\n", ({ config }) =>
    expect(config.server.log_level).toBe("warn"),
  );
  takes("an empty file", "", ({ config }) => expect(config.scrape_configs).toEqual([]));
  takes("a second document", `---\n${BASE}---\nnope: 1\n`, ({ config }) => expect(config.clients).toHaveLength(1));
  refuses("a tab as indentation", `server:\n\thttp_listen_port: 1\n`, /:2:1: /);
  refuses("a list", "- a\n", /expected a map of blocks/);
  refuses("text that is not YAML", "clients: [\n", /\.yaml:/);
  refuses("a key set twice", `${BASE}server: {}\nserver: {}\n`, /:3:1: .*unique/);
  refuses("a file that is not there", "", /does not exist, set config\.file/, { files: ["/nowhere.yaml"] });
  refuses("a folder", "", /read .*: is a directory/, { files: [tmpdir()] });
});

describe("files made to hurt", () => {
  const bomb = Array.from({ length: 9 }, (_, i) => `x${i + 1}: &x${i + 1} [${Array.from({ length: 9 }, () => `*x${i}`).join()}]\n`).join(
    "",
  );
  refuses("aliases of aliases", `x0: &x0 [a]\n${bomb}`, /:1:1: Excessive alias count/);
  refuses(
    "merges of merges",
    `l0: &l0 {k0: v}\n${Array.from({ length: 40 }, (_, i) => `l${i + 1}: &l${i + 1} {<<: [*l${i}, *l${i}], k${i + 1}: v}\n`).join("")}`,
    /Excessive alias count/,
  );
  refuses("five megabytes", `${BASE}# ${"x".repeat(5_000_000)}\n`, /has 50000\d\d bytes, more than the 4194304 .*file_sd_configs/);
  refuses("lists nested deeply", `a: ${"[".repeat(100_000)}${"]".repeat(100_000)}`, /:1:\d+: maps and lists are nested too deeply/);
  refuses("maps nested deeply", `${"{a: ".repeat(50_000)}${"}".repeat(50_000)}`, /nested too deeply/);
  refuses("a huge number", `${BASE}server: {http_listen_port: 99999999999999999999999999}`, /from 0 to 65535, got 1e\+26/);
  refuses("a huge duration", "clients: [{url: http://h/, batchwait: 99999999999999h}]", /invalid duration "99999999999999h"/);
  refuses(
    "a huge number of nanoseconds",
    "clients: [{url: http://h/, batchwait: 9999999999999999999999}]",
    /at most 292 years, got 9999999999999999999999/,
  );
  refuses("a huge size", `${BASE}limits_config: {max_line_size: 99999999999999999999999GB}`, /value out of range/);
  refuses("no number", `${BASE}limits_config: {readline_rate: .nan}`, /expected a number, got \.nan/);
  refuses(
    "a relabel expression of a megabyte",
    job(`relabel_configs: [{source_labels: [a], regex: '${"(a|b)?".repeat(170_000)}', target_label: b}]`),
    /expression too large: 1020000 characters/,
  );
});

describe("keys", () => {
  refuses("an unknown block, with a guess", `${BASE}limit_config: {}\n`, /:2:1: unknown key limit_config; did you mean "limits_config"\?/);
  refuses("a holder", `${BASE}x-a: &a {}\n`, /unknown key x-a/);
  refuses(
    "several at once",
    `${BASE}nope: 1\npositions: {filenam: x}\n`,
    /:2:1: unknown key nope[\s\S]*:3:13: unknown key positions\.filenam; did you mean "filename"/,
  );
  refuses("a block with nothing in it", `${BASE}nope:\n`, /:2:1: unknown key nope/);
  refuses("one without a value", `${BASE}server: {log_levl: }`, /:2:10: unknown key server\.log_levl; did you mean "log_level"\?/);
  refuses(
    "one whose value sticks to it",
    `${BASE}server: {http_listen_port:9080}`,
    /unknown key server\.http_listen_port:9080; did you mean/,
  );
  refuses("of a client, without a value", "clients: [{url: http://h/, batch_wait: }]", /:1:\d+: unknown key clients\[0\]\.batch_wait/);
  refuses(
    "of a source, without a value",
    job("loki_push_api: {server: {nope: }}"),
    /:4:\d+: scrape_configs\[0\]\.loki_push_api: unknown key server\.nope/,
  );
  refuses(
    "of a discovery, without a value",
    job("dns_sd_configs: [{names: [a], nope: }]"),
    /:4:\d+: .*dns_sd_configs: unknown key \[0\]\.nope/,
  );
  refuses("of a relabel rule, without a value", job("relabel_configs:\n- {target_label: b, nope: }"), /unknown key .*nope/);
  takes(
    "that users choose, without a value",
    `clients: [{url: http://h/, headers: {a: }, external_labels: {b: }, http_headers: {c: }}]\nscrape_configs: [{job_name: a, journal: {labels: {d: }}}]`,
    ({ refusals }) => expect(refusals).toEqual([]),
  );
  refuses("static_config", job("static_config: []"), /scrape_configs\[0\]\.static_config; did you mean "static_configs"/);
  refuses("of a relabel rule", job("relabel_configs:\n- {source_labels: [a], target_label: b, nope: 1}"), /:5:\d+: unknown key .*nope/);
  refuses(
    "of journal",
    job("journal: {max_agee: 1h}"),
    /:4:\d+: scrape_configs\.?\[0\]\.journal: unknown key max_agee; did you mean "max_age"/,
  );
  refuses("of kubernetes_sd_configs", job("kubernetes_sd_configs: [{role: pods}]"), /role: expected one of pod, node/);
});

describe("scrape configs", () => {
  refuses("no job_name", `${BASE}scrape_configs:\n- static_configs: []\n`, /job_name/);
  refuses("an empty job_name", `${BASE}scrape_configs:\n- job_name: ''\n`, /job_name is empty/);
  refuses(
    "a job_name twice",
    `${BASE}scrape_configs:\n- job_name: a\n- job_name: a\n`,
    /:4:3: found multiple scrape configs with job name "a"/,
  );
  refuses(
    "a job_name twice, in quotes and without",
    `${BASE}scrape_configs:\n- job_name: 5\n- job_name: "5"\n`,
    /:4:3: found multiple scrape configs with job name "5"/,
  );
  refuses("an unknown relabel action", job("relabel_configs:\n- {source_labels: [a], action: rename}"), /unknown relabel action "rename"/);
  refuses(
    "a relabel regex",
    job("relabel_configs:\n- {source_labels: [a], regex: '(', target_label: b}"),
    /error parsing regexp: missing closing \)/,
  );
  refuses("a relabel rule without target", job("relabel_configs:\n- {source_labels: [a]}"), /requires 'target_label' value/);
  takes("an action in capitals", job("relabel_configs:\n- {target_label: b, action: Replace}"), ({ config }) =>
    expect(config.scrape_configs[0]!.relabel_configs![0]!.action).toBe("replace"),
  );
  takes("a replacement without value", job("relabel_configs:\n- {target_label: b, replacement: }"), ({ config }) =>
    expect(config.scrape_configs[0]!.relabel_configs![0]!.replacement).toBe(""),
  );
  refuses("an unknown stage", job("pipeline_stages:\n- nosuchstage: {}"), /:5:\d+: unknown stage nosuchstage/);
  refuses(
    "a stage's key that YAML 1.1 takes for a boolean",
    job("pipeline_stages:\n- json: {expressions: {n: }}"),
    /json.*the key n of a stage|the key n of a stage.*json/,
  );
  refuses("a path of file_sd", job("file_sd_configs: [{files: ['/a/*/b.yaml']}]"), /not valid for file discovery/);
});

describe("starts", () => {
  refusesStart("not without clients", "", /at least one client config must be provided/);
  refusesStart("not with a null client", "client:\n", /at least one client/);
  refusesStart("not without a URL", "clients: [{batchwait: 1s}]", /clients\[0\]: client needs target URL/);
  refusesStart(
    "not with two clients of a name",
    "clients: [{url: http://a/, name: x}, {url: http://b/, name: x}]",
    /duplicate for name: x/,
  );
  refusesStart("not with two equal clients", "clients: [{url: http://a/}, {url: http://a/}]", /duplicate/);
  refusesStart(
    "not with a scrape config that reads nothing",
    `${BASE}scrape_configs: [{job_name: a}]`,
    /no valid target scrape config defined for "a"/,
  );
  refusesStart("not with an empty target", job("static_configs:"), /no valid target scrape config defined for "a"/);
  takes("with an empty list of targets", job("static_configs: []"), ({ refusals }) => expect(refusals).toEqual([]));
  takes("with standard input in place of targets", `${job("pipeline_stages: []")}target_config: {stdin: true}`, ({ refusals }) =>
    expect(refusals).toEqual([]),
  );
  takes("with the old client", "client: {url: http://a/}", ({ config, refusals, warnings }) => {
    expect(config.clients.map(({ url }) => url)).toEqual(["http://a/"]);
    expect(refusals).toEqual([]);
    expect(warnings.join()).toMatch(/:1:1: client is deprecated/);
  });
  takes("with client and clients", "client: {url: http://a/}\nclients: [{url: http://b/}]", ({ config }) =>
    expect(config.clients.map(({ url }) => url)).toEqual(["http://b/", "http://a/"]),
  );
  refuses(
    "not with two ways to authenticate",
    "clients: [{url: http://a/, basic_auth: {username: a}, bearer_token: c}]",
    /at most one of basic_auth, oauth2, bearer_token/,
  );
  takes("not with what cannot be run yet", job("triton_sd_configs: [{account: a, dns_suffix: b, endpoint: c}]"), ({ refusals }) =>
    expect(refusals.join()).toMatch(/:4:3: scrape_configs\[0\]\.triton_sd_configs: asking Triton is not supported; .*file_sd_configs/),
  );
  takes("not with what this platform has not", job("windows_events: {bookmark_path: /b.xml}"), ({ refusals }) =>
    expect(refusals).toEqual([
      expect.stringMatching(/:4:3: .*windows_events: the event log is a part of Windows, and this platform \(\w+\) has none; take it out/),
    ]),
  );
  takes("not with a source that could not be opened", job("kafka: {brokers: [b], topics: ['^(']}"), ({ refusals }) =>
    expect(refusals.join()).toMatch(/:4:3: .*kafka\.topics: "\^\(" is no regular expression/),
  );
  takes("not with a source that lacks what it needs", job("cloudflare: {zone_id: z}"), ({ refusals }) =>
    expect(refusals.join()).toMatch(/cloudflare\.api_token is empty/),
  );
});

describe("a source that could not be opened does not start:", () => {
  refusesStart("max_age", job('journal: {max_age: "1 day"}'), /:4:3: journal\.max_age: time: unknown unit/);
  refusesStart("matches", job("journal: {matches: a=b}"), /:4:3: journal\.matches: "a=b" is not of the form FIELD=value/);
  refusesStart("an address without port", job("syslog: {listen_address: localhost}"), /:4:3: syslog\.listen_address "localhost": no port/);
  refusesStart(
    "a protocol",
    job('syslog: {listen_address: ":1514", listen_protocol: sctp}'),
    /syslog\.listen_protocol "sctp" is not one of/,
  );
  takes("but one beside files, which are read", job("syslog: {}\nwindows_events: {}\nstatic_configs: []"), ({ refusals }) =>
    expect(refusals).toEqual([]),
  );
  refusesStart("an address", job('gelf: {listen_address: "::1:12201"}'), /gelf\.listen_address .*square brackets/);
  takes("but one that can", job("journal: {namespace: a}\nsyslog: {syslog_format: rfc1}\ngelf: {}"), ({ refusals }) =>
    expect(refusals).toEqual([]),
  );
  takes("not with a source that could not be opened", job("kafka: {brokers: [b], topics: ['^(']}"), ({ refusals }) =>
    expect(refusals.join()).toMatch(/:4:3: .*kafka\.topics: "\^\(" is no regular expression/),
  );
  takes("not with a source that lacks what it needs", job("cloudflare: {zone_id: z}"), ({ refusals }) =>
    expect(refusals.join()).toMatch(/cloudflare\.api_token is empty/),
  );
  takes("not with what this platform has not", job("windows_events: {bookmark_path: /b.xml}"), ({ refusals }) =>
    expect(refusals).toEqual([
      expect.stringMatching(/:4:3: .*windows_events: the event log is a part of Windows, and this platform \(\w+\) has none; take it out/),
    ]),
  );
  refusesStart("not with a cloud", job("digitalocean_sd_configs: [{}]"), /:4:3: .*asking DigitalOcean .* name it under file_sd_configs/);
  refusesStart(
    "not with a swarm",
    job("dockerswarm_sd_configs: [{host: unix:///s, role: tasks}]"),
    /:4:3: .*use docker_sd_configs on each node/,
  );
});

describe("of several kinds of target", () => {
  const reads = (name: string, blocks: string, wanted: string | undefined): void =>
    takes(name, job(blocks), ({ config }) => expect(sourceKeyOf(config.scrape_configs[0]!)).toBe(wanted));
  reads("files come first", "journal: {}\nstatic_configs: []", undefined);
  reads("then the sources in their order", 'gelf: {}\nsyslog: {listen_address: ":1514"}\nkafka: {}', "syslog");
  reads("containers before drains", "heroku_drain: {}\ndocker_sd_configs: [{host: unix:///s}]", "docker_sd_configs");
});

describe("warns of", () => {
  warns("a label name Loki does not take", labelled("{a-b: x}"), /"a-b" is no label name/);
  warns("an unknown compression", job("decompression: {enabled: true, format: rar}"), /:4:\d+: unknown format "rar"/);
  warns(
    "files beside containers",
    job("docker_sd_configs: [{host: unix:///s}]\nstatic_configs: [{labels: {__path__: /a}}]"),
    /one kind of target: static_configs is read, docker_sd_configs ignored/,
  );
  warns(
    "a source beside containers",
    job("heroku_drain: {}\ndocker_sd_configs: [{host: unix:///s}]\ngelf: {}"),
    /gelf is read, docker_sd_configs, heroku_drain ignored/,
  );
  warns(
    "two kinds of discovery beside a source",
    job("syslog: {}\nstatic_configs: []\nfile_sd_configs: []"),
    /static_configs, file_sd_configs are read, syslog ignored/,
  );
  warns("a syslog without address", job("syslog: {}"), /:4:3: syslog\.listen_address is empty: a free port is listened on/);
  warns(
    "an unknown format of syslog",
    job('syslog: {listen_address: ":1514", syslog_format: rfc1}'),
    /:4:3: syslog\.syslog_format "rfc1" is not one of rfc5424, rfc3164: rfc5424 is read/,
  );
  warns("an unknown encoding", job("encoding: klingon"), /:4:3: encoding "klingon" is not known.*; nothing will be read/);
  warns("a duration without a unit", "clients:\n- url: http://h/\n  batchwait: 5", /:3:3: batchwait is less than a microsecond/);
  warns("a URL nothing can be sent to", "clients:\n- url: ${LOKI_URL}\n", /:2:3: nothing can be sent to "\$\{LOKI_URL\}"/);
  warns("stream_lag_labels", `${BASE}options: {stream_lag_labels: a}`, /:2:11: stream_lag_labels has no effect/);
  warns("stream_lag_labels of a client", "clients: [{url: http://h/, stream_lag_labels: a}]", /:1:\d+: stream_lag_labels has no effect/);
  warns("a wal", `${BASE}wal: {enabled: true}`, /wal has no effect/);
  warns("an unknown key of a stage", job("pipeline_stages:\n- cri: {nope: 1}"), /:5:\d+: .*nope/);
  takes(
    "a demanded variable",
    `${BASE}# \${NOPE:?must be set}\n`,
    ({ warnings }) => expect(warnings.join()).toMatch(/:2:3: the variable NOPE/),
    { expandEnv: true },
  );
});

describe("flags and labels", () => {
  takes(
    "override the file",
    `${BASE}server: {http_listen_port: 1, log_level: warn}`,
    ({ config }) => expect(config.server).toMatchObject({ http_listen_port: 2, log_level: "warn" }),
    {
      overrides: new Map([["server.http_listen_port", new Plain(2)]]),
    },
  );
  takes("make a client", "", ({ config, refusals }) => expect([config.clients[0]!.url, refusals]).toEqual(["http://f/", []]), {
    overrides: new Map([["client.url", "http://f/"]]),
  });
  takes("make a client that follows redirects", "", ({ config }) => expect(config.clients[0]!.follow_redirects).toBe(true), {
    overrides: new Map([["client.url", "http://f/"]]),
  });
  const labelsOf = ({ config }: LoadedConfig) => config.clients.map((client) => client.external_labels);
  takes(
    "labels of client are those of every client, whose own win",
    "client: {external_labels: {a: client, b: client}}\nclients: [{url: http://a/, external_labels: {a: own}}, {url: http://b/}]",
    (loaded) =>
      expect(labelsOf(loaded)).toEqual([
        { a: "own", b: "client" },
        { a: "client", b: "client" },
      ]),
  );
  takes(
    "of the flag take the place of those of client",
    "client: {url: http://a/, external_labels: {a: file, b: file}}\nclients: [{url: http://b/, external_labels: {c: own}}]",
    (loaded) => expect(labelsOf(loaded)).toEqual([{ a: "flag", c: "own" }, { a: "flag" }]),
    { externalLabels: { a: "flag" } },
  );
  refusesStart(
    "two clients that are equal with the labels of client",
    "client: {external_labels: {a: b}}\nclients: [{url: http://a/}, {url: http://a/, external_labels: {a: b}}]",
    /duplicate client configs/,
  );
  takes(
    "give labels to every client, the file's own win",
    "clients: [{url: http://a/, external_labels: {a: file}}, {url: http://b/}]",
    (loaded) =>
      expect(labelsOf(loaded)).toEqual([
        { a: "file", b: "flag" },
        { a: "flag", b: "flag" },
      ]),
    { externalLabels: { a: "flag", b: "flag" } },
  );
});

const client = (rest: string): string => `clients: [{url: http://h/, ${rest}}]`;

describe("reaching a server", () => {
  for (const [rest, words] of [
    ["tls_config: {min_version: TLS14}", /tls_config\.min_version: unknown TLS version: TLS14; it is one of TLS10/],
    ["tls_config: {ca: x, ca_file: y}", /at most one of ca, ca_file & ca_ref/],
    ["tls_config: {cert: x, cert_ref: y, key: z}", /at most one of cert, cert_file & cert_ref/],
    ["tls_config: {key_file: x, key_ref: y, cert: z}", /at most one of key, key_file & key_ref/],
    ["basic_auth: {username: a, username_ref: x}", /at most one of basic_auth username, username_file & username_ref/],
    ["basic_auth: {password_file: a, password_ref: x}", /at most one of basic_auth password, password_file & password_ref/],
    ["authorization: {credentials: a, credentials_ref: x}", /at most one of authorization credentials, credentials_file & credentials_ref/],
    [
      "oauth2: {client_id: a, token_url: http://t/, client_secret: b, client_secret_ref: c}",
      /at most one of oauth2 client_secret, client_secret_file & client_secret_ref/,
    ],
    ["tls_config: {cert: x}", /exactly one of key or key_file must be configured/],
    ["tls_config: {key_file: x}", /exactly one of cert or cert_file must be configured/],
    ["no_proxy: x", /if no_proxy is configured, proxy_url must also be configured/],
    ["proxy_from_environment: true, proxy_url: http://p/", /if proxy_from_environment is configured, proxy_url must not/],
    ["proxy_from_environment: true, no_proxy: p", /if proxy_from_environment is configured, no_proxy must not/],
    ["proxy_connect_header: {a: [b]}", /if proxy_connect_header is configured, proxy_url or proxy_from_environment/],
    ["oauth2: {client_id: a, token_url: http://t/, no_proxy: x}", /if no_proxy is configured/],
    ["http_headers: {Content-Type: {values: [a]}}", /setting header "Content-Type" is not allowed/],
    ["http_headers: {X-Amz-Date: {values: [a]}}", /setting header "X-Amz-Date" is not allowed/],
    ["http_headers: {x-a: {value: a}}", /unknown key .*value; did you mean "values"/],
    ["dead_letter: {path: ''}", /dead_letter\.path: path is empty/],
    ["dead_letter: {max_bytes: 1MB}", /dead_letter\.path/],
  ] as const) {
    refuses(rest, client(rest), words);
  }
  for (const [rest, words] of [
    ["proxy_url: socks5://p:1080", /:1:\d+: nothing can be sent through a proxy of the kind socks5/],
    ["basic_auth: {username: a, password_ref: b}", /:1:\d+: password_ref has no effect/],
    ["tls_config: {ca_ref: a, cert_ref: b, key_ref: c}", /ca_ref has no effect[\s\S]*cert_ref has no effect[\s\S]*key_ref has no effect/],
    ["oauth2: {client_id: a, token_url: http://t/, tls_config: {ca_ref: b}}", /ca_ref has no effect/],
    ["optional: true", /every client is optional/],
  ] as const) {
    warns(rest, client(rest), words);
  }
  takes("exceptions of a proxy that is none", client("no_proxy: x, proxy_url: ''"), ({ refusals }) => expect(refusals).toEqual([]));
  refusesStart(
    "not with one file of dead letters for two clients",
    "clients: [{url: http://a/, dead_letter: {path: /d}}, {url: http://b/, dead_letter: {path: /d}}]",
    /:1:\d+: dead_letter\.path \/d is another client's/,
  );
});

describe("prints", () => {
  takes("what is in force", BASE, ({ config }) => {
    const text = printConfig(config);
    expect(text).toMatch(/^ {2}filename: \/var\/log\/positions.yaml$/m);
    expect(text).toMatch(/^ {2}max_line_size: 0B$/m);
    expect(text).toMatch(/batchwait: 1s$/m);
    expect(text).toMatch(/^ {2}graceful_shutdown_timeout: 30s$/m);
  });
  takes("lists without indentation, and of clients no name or optional that nobody has set", BASE, ({ config }) =>
    expect(printConfig(config)).toMatch(/^clients:\n- url: http:\/\/h\/push\n(?! {2}name:| {2}optional:)(?: {2}.*\n)*positions:$/m),
  );
  takes("a client's name and optional where they are set", "clients: [{url: http://h/, name: web, optional: true}]", ({ config }) =>
    expect(printConfig(config)).toMatch(/^clients:\n- name: web\n {2}url: http:\/\/h\/\n(?: {2}.*\n)* {2}optional: true$/m),
  );
  takes(
    "no secrets",
    "clients: [{url: 'http://me:pass@h/push', headers: {Authorization: tok, x-b: c}, basic_auth: {username: u, password: sesame}}]",
    ({ config }) => {
      const text = printConfig(config);
      expect(text).not.toMatch(/pass@|sesame|tok/);
      expect(text).toMatch(/http:\/\/me:xxxxx@h\/push/);
      expect(text).toMatch(/x-b: c/);
    },
  );
  takes(
    "no secret of any kind",
    `clients:
- url: http://h/
  tls_config: {cert: C, key: s3cret1}
  oauth2: {client_id: c, client_secret: s3cret2, token_url: 'http://u:s3cret3@t/', tls_config: {cert: C, key: s3cret4}}
  proxy_url: http://u:s3cret5@p:1/
  proxy_connect_header: {Proxy-Authorization: [s3cret6]}
  http_headers: {X-Key: {values: [plain], secrets: [s3cret7], files: [/f]}}
- {url: http://i/, bearer_token: s3cret8}
- {url: http://j/, authorization: {credentials: s3cret9}}
`,
    ({ config }) => {
      const text = printConfig(config);
      expect(text).not.toMatch(/s3cret/);
      expect(text.match(/<secret>/g)).toHaveLength(7);
      expect(text).toMatch(/- plain/);
      expect(text).toMatch(/proxy_url: http:\/\/u:xxxxx@p:1\//);
    },
  );
  takes(
    "names in stages as they are, whatever they sound like",
    job("pipeline_stages: [{json: {expressions: {password: token}}}]"),
    ({ config }) => expect(printConfig(config)).toMatch(/^ +password: token$/m),
  );
});
