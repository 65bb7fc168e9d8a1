// Hostile values for every parameter of every route, against a server process with data: an answer below 500 in good time, and the
// process lives. Each parameter gets some of the values, and with SKALD_FUZZ_ROUNDS (how many mixtures of several there are) all of them;
// SKALD_SEED says which. `npm run faults -- hostile` does that and says how long the server's event loop stood still at most.

import { Agent, request } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { faultSetting, report } from "../../e2e/fault-settings.ts";
import { seeded } from "../../lib/kernels/random.ts";
import { pushJson, type StartedServer, startServer } from "../clients/started-server.ts";

const SEED = faultSetting("seed", Number(process.env.SKALD_SEED ?? 20_261_126));
const ROUNDS = faultSetting("rounds", Number(process.env.SKALD_FUZZ_ROUNDS ?? 60));
/** Somebody wants figures: after each answer the server is asked how long it held up everybody else. */
const MEASURES = process.env.SKALD_FAULTS_REPORT !== undefined;
const ALL_VALUES = process.env.SKALD_FUZZ_ROUNDS !== undefined || MEASURES;
/** A machine under load is slow; an answer that never ends is what is looked for. */
const ANSWER_MS_MAX = 25_000;
/** What an answer may cost the server: several times of what the dearest does, for slower machines. */
const CPU_MS_MAX = 5_000;
const MEMORY_BYTES_MAX = 900 * 1024 * 1024;

const TIME = ["start", "end", "since"];
const QUERY = ["query", "limit", "direction", ...TIME];
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  "/loki/api/v1/query": ["query", "limit", "time", "direction", "shards", "interval", "step"],
  "/loki/api/v1/query_range": [...QUERY, "step", "interval", "shards"],
  "/api/prom/query": [...QUERY, "regexp"],
  "/loki/api/v1/labels": ["query", ...TIME],
  "/loki/api/v1/label": ["query", ...TIME],
  "/api/prom/label": ["query", ...TIME],
  "/loki/api/v1/label/{}/values": ["query", ...TIME],
  "/api/prom/label/{}/values": ["query", ...TIME],
  "/loki/api/v1/series": ["match[]", "match", ...TIME],
  "/api/prom/series": ["match[]", "match", ...TIME],
  "/loki/api/v1/index/stats": ["query", ...TIME],
  "/loki/api/v1/index/volume": ["query", "limit", "targetLabels", "aggregateBy", ...TIME],
  "/loki/api/v1/index/volume_range": ["query", "limit", "targetLabels", "aggregateBy", "step", ...TIME],
  "/loki/api/v1/index/shards": ["query", "targetBytesPerShard", ...TIME],
  "/loki/api/v1/patterns": ["query", "step", ...TIME],
  "/loki/api/v1/detected_labels": ["query", ...TIME],
  "/loki/api/v1/detected_fields": ["query", "line_limit", "limit", "step", ...TIME],
  "/loki/api/v1/detected_field/{}/values": ["query", "line_limit", "limit", "step", ...TIME],
  "/loki/api/v1/drilldown-limits": ["query"],
  "/loki/api/v1/format_query": ["query"],
  "/loki/api/v1/tail": ["query", "limit", "start", "delay_for"],
  "/api/prom/tail": ["query", "limit", "start", "delay_for", "regexp"],
  "/loki/api/v1/delete": ["query", "start", "end", "request_id", "max_interval", "force"],
  "/loki/api/v1/rules": ["type"],
  "/loki/api/v1/rules/{}": ["type"],
  "/loki/api/v1/rules/{}/{}": ["type"],
  "/prometheus/api/v1/rules": ["type", "file[]", "rule_group[]", "rule_name[]"],
  "/prometheus/api/v1/alerts": ["type"],
  "/loki/api/v1/status/buildinfo": ["mode"],
  "/log_level": ["log_level"],
  "/config": ["mode"],
  "/runtime_config": ["mode"],
  "/services": ["mode"],
  "/metrics": ["name[]"],
};

/** What each needs to be answered; one parameter at a time is made hostile. */
const SOUND: Readonly<Record<string, string>> = { query: '{app="fuzz"}', "match[]": '{app="fuzz"}' };
const METRIC = 'sum by (level) (count_over_time({app="fuzz"} | logfmt [1m]))';

const LONG = 1_000_000;
/** Percent-encoded already: some are no text. */
const HOSTILE: readonly string[] = [
  ...["", "0", "-1", "1", "-0", "NaN", "nan", "Inf", "-Inf", "+Inf", "null", "true", "1e308", "1e-308", "-1e19", "1e400", "0x7f", "1_000"],
  ...["9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551616", "9".repeat(400), "1.".padEnd(400, "7")],
  ...["1d", "-1d", "1ns", "1e3s", "99999999y", "292y", "1y1y", "5000000h", "m", "1.5.5"],
  ...["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-13-45T99:99:99Z", "2026-01-01T00:00:00%2B99:99", "now", "now-1h"],
  ...["%00", "%ff%fe", "%c3%28", "%ed%a0%80", "%f0%9f%98%80", "%", "%zz", "%0d%0aX-Injected:%201", "../../../etc/passwd", "..%2f..%2fetc"],
  ...["__proto__", "constructor", "toString", "{}", "[]", "{", '{app=~".*"}', '{app=~"(a*)*b"}', '{app=~"((a{1,100}){1,100}){1,100}"}'],
  ...["vector(1)", "1/0", '{app="fuzz"} | json', `sum(rate({app="fuzz"}[5m]))`, METRIC, 'topk(9999999999, rate({app="fuzz"}[1s]))'],
  ...[
    'quantile_over_time(99e99, {app="fuzz"} | logfmt | unwrap n [5m])',
    'rate({app="fuzz"}[290y])',
    'rate({app="fuzz"}[5m] offset -290y)',
  ],
  ...['count_over_time({app="fuzz"}[1ns])', '{app="fuzz"} | line_format `{{repeat 999999999 "x"}}`', '{app="fuzz"} |~ "(x+x+)+y"'],
].map((text) => (text.startsWith("%") || text.includes("%2") ? text : encodeURIComponent(text)));
const HUGE: readonly string[] = [
  "a".repeat(LONG),
  "9".repeat(LONG),
  encodeURIComponent("{".repeat(LONG / 10)),
  encodeURIComponent(`{app="${"x".repeat(LONG / 10)}"}`),
  encodeURIComponent(`{app=~"${"(a|".repeat(10_000)}${")".repeat(10_000)}"}`),
];

const random = seeded(SEED);
const some = (values: readonly string[], count: number): readonly string[] =>
  ALL_VALUES ? values : Array.from({ length: count }, () => random.pick(values));

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let server: StartedServer;
beforeAll(async () => {
  server = await startServer("pattern_ingester:\n  enabled: true\nlimits_config:\n  volume_enabled: true\n");
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const values = Array.from({ length: 200 }, (_, i) => [
    String(nowNs - BigInt(i) * 1_000_000_000n),
    `level=info msg="line ${i} of many" n=${i}`,
  ]);
  await pushJson(server.url, [{ stream: { app: "fuzz" }, values }]);
});
afterAll(async () => {
  agent.destroy();
  if (MEASURES) reportStandstills();
  await server?.stop();
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
  readonly cpuMs: number;
}

const standstills: { readonly ms: number; readonly cpuMs: number; readonly what: string }[] = [];

async function ask(path: string, query: string, method: "GET" | "POST" = "GET"): Promise<Answer> {
  if (MEASURES) await longestStandstillMs();
  const answer = await send(path, query, method);
  if (MEASURES) {
    // A clock's time is others', too, on a machine that is busy: beside it stands what the server itself took.
    standstills.push({ ms: await longestStandstillMs(), cpuMs: answer.cpuMs, what: `${path}?${query.slice(0, 120)}` });
  }
  return answer;
}

/** The longest time that the server's event loop stood still since it was asked last. */
async function longestStandstillMs(): Promise<number> {
  const { text } = await send("/metrics", "", "GET");
  return Math.round(Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1]) * 1000) || 0;
}

function reportStandstills(): void {
  const worst = standstills.sort((a, b) => b.ms - a.ms).slice(0, 5);
  report("hostile requests", { seed: SEED, answers: standstills.length, "over-1s": standstills.filter(({ ms }) => ms > 1000).length });
  for (const { ms, cpuMs, what } of worst) report("stood still longest", { ms, "cpu-ms": cpuMs, at: what });
}

/** As it is on the wire: fetch would put odd addresses right. */
function send(path: string, query: string, method: "GET" | "POST"): Promise<Answer> {
  const startedMs = performance.now();
  const cpuBeforeMs = server.cpuMs();
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        port: server.port,
        host: "127.0.0.1",
        method,
        path: method === "GET" ? `${path}?${query}` : path,
        agent,
        timeout: ANSWER_MS_MAX * 2,
        headers: method === "POST" ? { "content-type": "application/x-www-form-urlencoded" } : {},
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => void parts.push(part));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode!,
            text: Buffer.concat(parts).toString(),
            ms: performance.now() - startedMs,
            cpuMs: server.cpuMs() - cpuBeforeMs,
          }),
        );
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer to ${path}?${query.slice(0, 300)}`)));
    asked.on("error", reject);
    asked.end(method === "POST" ? query : undefined);
  });
}

let complaints: string[] = [];
beforeEach(() => {
  complaints = [];
});
afterEach(() => expectNoComplaints());
/** All of them: one hostile value is seldom alone. */
function expectNoComplaints(): void {
  expect(complaints.slice(0, 50), `seed ${SEED}`).toEqual([]);
}

function judge({ status, text, ms, cpuMs }: Answer, what: string): void {
  const faults = [
    ...(status >= 500 ? ["blames the server"] : []),
    ...(ms > ANSWER_MS_MAX ? [`took ${ms} ms`] : []),
    ...(cpuMs > CPU_MS_MAX ? [`cost ${cpuMs} ms of processor time`] : []),
    ...(status === 400 && text.trim() === "" ? ["says nothing"] : []),
    ...(/TypeError|RangeError|SyntaxError|Cannot read prop|is not a function|Invalid string length|at .*\.js:\d+/.test(text)
      ? ["speaks JavaScript"]
      : []),
  ];
  if (faults.length > 0) complaints.push(`${what.slice(0, 300)} -> ${status}, ${faults.join(", ")}: ${text.slice(0, 300)}`);
}

function queryOf(parameters: readonly (readonly [name: string, value: string])[]): string {
  return parameters.map(([name, value]) => `${encodeURIComponent(name)}=${value}`).join("&");
}

function soundBeside(names: readonly string[], hostile: string): (readonly [string, string])[] {
  return Object.entries(SOUND)
    .filter(([name]) => names.includes(name) && name !== hostile)
    .map(([name, value]) => [name, encodeURIComponent(value)] as const);
}

describe("one hostile parameter", () => {
  for (const [route, names] of Object.entries(ROUTES)) {
    test(route, async () => {
      const path = route.replaceAll("{}", "app");
      for (const name of names) {
        const sound = soundBeside(names, name);
        for (const value of some(HOSTILE, 4)) {
          const query = queryOf([...sound, [name, value]]);
          judge(await ask(path, query), `${path}?${query}`);
        }
        const repeated = queryOf([...sound, ...HOSTILE.map((value) => [name, value] as const)]);
        judge(await ask(path, repeated), `${path}, all values of ${name}`);
      }
    });
  }
});

test("metric queries with hostile times and steps", async () => {
  for (const name of [...TIME, "step", "limit"]) {
    for (const value of some(HOSTILE, 6)) {
      const query = queryOf([
        ["query", encodeURIComponent(METRIC)],
        [name, value],
      ]);
      judge(await ask("/loki/api/v1/query_range", query), query);
    }
  }
});

test("a megabyte in each parameter that is posted", { timeout: 600_000 }, async () => {
  for (const [route, names] of Object.entries(ROUTES)) {
    if (!/query|label|series|index|patterns|detected/.test(route)) continue;
    for (const name of names) {
      for (const value of some(HUGE, 1)) {
        const query = queryOf([...soundBeside(names, name), [name, value]]);
        judge(await ask(route.replaceAll("{}", "app"), query, "POST"), `${route}, ${name} of a megabyte`);
      }
    }
  }
});

for (const query of [
  '{app="fuzz"} | line_format `{{repeat 4000000 "x"}}`',
  '{app="fuzz"} | line_format `{{repeat 20000 "x"}}` |~ "(x+x+)+y"',
  '{app="fuzz"} | label_format a=`{{repeat 250000 "x"}}`',
  'sum by (a) (count_over_time({app="fuzz"} | label_format a=`{{repeat 30000 "x"}}{{__line__}}` [1m]))',
  '{app="fuzz"} | line_format `{{$x := "xx"}}{{range $i := (list 1 2 3 4 5 6 7 8 9)}}{{$x = printf "%s%s" $x $x}}{{end}}{{$x}}`',
]) {
  test(`${query.slice(0, 100)} ends`, { timeout: 120_000 }, async () => {
    judge(
      await ask(
        "/loki/api/v1/query_range",
        queryOf([
          ["query", encodeURIComponent(query)],
          ["limit", "5000"],
        ]),
      ),
      query,
    );
  });
}

/** Of a hundred kilobytes each, so they are posted: many small things cost no more than one large one. */
const many = (count: number, text: (i: number) => string, between = ""): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(between);
for (const [name, query] of [
  ["line filters", `{app="fuzz"}${many(14_000, () => ' |= "a"')}`],
  ["words of a line filter", `{app="fuzz"} |= "zz"${many(14_000, () => ' or "zz"')}`],
  ["regexes", `{app="fuzz"}${many(10_000, () => ' |~ "n+e"')}`],
  ["alternatives of a regex", `{app="fuzz"} |~ \`${many(14_000, (i) => `w${i}`, "|")}\``],
  ["repetitions in a regex", `{app="fuzz"} |~ \`${many(30_000, () => ".*x")}\``],
  ["groups of one name", `{app="fuzz"} | regexp \`${many(1_000, () => "(?P<n>a)")}\``],
  ["stages", `{app="fuzz"}${many(10_000, () => " | logfmt")}`],
  ["stages that may be", `{app="fuzz"}${many(500, () => " | logfmt")}`],
  ["labels to format", `{app="fuzz"} | label_format ${many(6_000, (i) => `a${i}=b`, ",")}`],
  ["labels to keep", `{app="fuzz"} | logfmt | keep ${many(10_000, (i) => `a${i}`, ",")}`],
  ["fields in a template", `{app="fuzz"} | line_format \`${many(14_000, () => "{{.app}}")}\``],
  ["parentheses", `${"(".repeat(50_000)}1${")".repeat(50_000)}`],
  ["operators", `vector(1)${many(50_000, () => "+1")}`],
] as const) {
  test(`many ${name} end`, { timeout: 120_000 }, async () => {
    const path = "/loki/api/v1/query_range";
    judge(await ask(path, queryOf([["query", encodeURIComponent(query)]]), "POST"), `many ${name}`);
  });
}

test("others are answered while the lines of one query take long, and it ends with its client", { timeout: 120_000 }, async () => {
  const slow = '{app="fuzz"} | line_format `{{repeat 250000 "x"}}` |~ "(x+x+)+y"';
  const client = new AbortController();
  const gone = fetch(`${server.url}/loki/api/v1/query_range?${queryOf([["query", encodeURIComponent(slow)]])}`, {
    signal: client.signal,
  }).then(
    () => "answered",
    () => "gone",
  );
  for (let i = 0; i < 5; i++) expect((await ask("/loki/api/v1/labels", "")).status).toBe(200);
  client.abort();
  expect(await gone).toBe("gone");
});

test("hostile names in paths", async () => {
  for (const route of Object.keys(ROUTES).filter((path) => path.includes("{}"))) {
    for (const value of some(HOSTILE, 6)) {
      const path = route.replaceAll("{}", value);
      judge(await ask(path, "query=%7Bapp%3D%22fuzz%22%7D"), path);
    }
  }
});

test("mixtures", { timeout: 600_000 }, async () => {
  const routes = Object.entries(ROUTES);
  for (let round = 0; round < ROUNDS; round++) {
    const [route, names] = random.pick(routes);
    const asked = Array.from({ length: 1 + random.below(6) }, () => [random.pick(names), random.pick(HOSTILE)] as const);
    if (random.chance(0.5)) asked.push(...soundBeside(names, ""));
    const path = route.replaceAll("{}", "app");
    const query = queryOf(asked);
    const method = random.chance(0.5) && /query|labels|series|index|detected/.test(route) ? "POST" : "GET";
    judge(await ask(path, query, method), `${method} ${path}?${query}`);
  }
});

test("the server lives, answers, and has not grown", async () => {
  expect(server.running()).toBe(true);
  judge(await ask("/ready", ""), "/ready");
  expect(server.memoryBytes()).toBeLessThan(MEMORY_BYTES_MAX);
  expect(server.log()).not.toMatch(/request failed/);
});
