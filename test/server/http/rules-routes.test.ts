import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type HttpServer, listen } from "../../../lib/runtime/http-server.ts";
import { answerError } from "../../../server/http/answers.ts";
import { ruleStateRoutes } from "../../../server/http/rule-state-routes.ts";
import { rulesRoutes } from "../../../server/http/rules-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { RULES_BYTES_MAX } from "../../../server/ruler/read-rules.ts";
import { silentLog } from "../../silent-log.ts";
import { type RulerLab, rulerLab } from "../ruler/ruler-lab.ts";

let lab: RulerLab;
let server: HttpServer;

beforeEach(async () => {
  lab = rulerLab();
});
afterEach(async () => {
  await server.close(100);
  await lab.close();
});

async function serve(options: { limits?: object; readOnly?: boolean } = {}): Promise<void> {
  const ruler = await lab.open({}, options.limits, options.readOnly);
  const tenants = createTenantResolver({ authEnabled: true, multiTenantQueries: true });
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    routes: [...rulesRoutes(ruler, tenants), ...ruleStateRoutes(ruler, tenants)],
    onError: (error, _, response) => answerError(error, response, silentLog),
  });
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function call(method: string, path: string, body?: string, tenant = "t"): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    ...(body !== undefined && { body }),
    headers: tenant === "" ? {} : { "x-scope-orgid": tenant },
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}
const json = async (path: string): Promise<unknown> => JSON.parse((await call("GET", path)).text);

const RULES = "/loki/api/v1/rules";
const ALERT =
  "name: g1\ninterval: 10s\nrules:\n  - {alert: A, expr: vector(1), for: 20s, labels: {severity: page}, annotations: {s: '{{ $labels.job }}'}}\n  - {record: r:x, expr: vector(2)}\n";
const ACCEPTED: Answer = { status: 202, type: "application/json", text: '{"status":"success","data":null,"errorType":"","error":""}' };
const plainAnswer = (status: number, text: string): Answer => ({ status, type: "text/plain; charset=utf-8", text: `${text}\n` });

describe("the rules API", () => {
  test("writes, reads and removes groups", async () => {
    await serve();
    expect(await call("GET", RULES)).toEqual(plainAnswer(404, "no rule groups found"));
    expect(await call("POST", `${RULES}/ns%2F1`, ALERT)).toEqual(ACCEPTED);
    expect(await call("POST", "/api/prom/rules/other", "name: g2\nrules: [{record: r, expr: vector(1)}]")).toEqual(ACCEPTED);
    const all = await call("GET", RULES);
    expect([all.status, all.type]).toEqual([200, "application/yaml"]);
    expect(parse(all.text)).toEqual({
      "ns/1": [
        {
          name: "g1",
          interval: "10s",
          rules: [
            { alert: "A", expr: "vector(1)", for: "20s", labels: { severity: "page" }, annotations: { s: "{{ $labels.job }}" } },
            { record: "r:x", expr: "vector(2)" },
          ],
        },
      ],
      other: [{ name: "g2", rules: [{ record: "r", expr: "vector(1)" }] }],
    });
    expect(Object.keys(parse((await call("GET", `${RULES}/other`)).text) as object)).toEqual(["other"]);
    expect(parse((await call("GET", `${RULES}/other/g2`)).text)).toEqual({ name: "g2", rules: [{ record: "r", expr: "vector(1)" }] });
    expect(await call("DELETE", `${RULES}/ns%2F1/g1`)).toEqual(ACCEPTED);
    expect(await call("DELETE", `${RULES}/other`)).toEqual(ACCEPTED);
    expect((await call("GET", RULES)).status).toBe(404);
  });
  test("keeps tenants apart, and asks for one", async () => {
    await serve();
    await call("POST", `${RULES}/ns`, ALERT, "t1");
    expect((await call("GET", RULES, undefined, "t2")).status).toBe(404);
    expect((await call("GET", RULES, undefined, "t1")).status).toBe(200);
    expect(await call("GET", RULES, undefined, "")).toEqual(plainAnswer(401, "no org id"));
    expect((await call("GET", RULES, undefined, "t1|t2")).status).toBe(400);
  });

  for (const [name, method, path, body, answer] of [
    ["a missing group", "GET", `${RULES}/a/b`, undefined, plainAnswer(404, "group does not exist")],
    ["a missing namespace", "GET", `${RULES}/a`, undefined, plainAnswer(404, "no rule groups found")],
    ["removing a missing group", "DELETE", `${RULES}/a/b`, undefined, plainAnswer(404, "group does not exist")],
    ["removing a missing namespace", "DELETE", `${RULES}/a`, undefined, plainAnswer(404, "group namespace does not exist")],
    ["a group that is no YAML", "POST", `${RULES}/a`, "a: [", undefined],
    ["an invalid group", "POST", `${RULES}/a`, "name: g\nrules: [{alert: A}]", plainAnswer(400, "field 'expr' must be set in rule")],
    ["a name no file can have", "POST", `${RULES}/${"n".repeat(300)}`, ALERT, undefined],
  ] as const) {
    test(`${name} is told in Loki's words`, async () => {
      await serve();
      const got = await call(method, path, body);
      if (answer === undefined) expect(got.status).toBe(400);
      else expect(got).toEqual(answer);
    });
  }
  test("ten megabytes are refused", async () => {
    await serve();
    const got = await call("POST", `${RULES}/a`, `name: g\nrules: [{alert: A, expr: '${"x".repeat(10 << 20)}'}]`);
    expect(got.status).toBe(413);
    expect(got.text).toContain(`limit: ${RULES_BYTES_MAX} bytes`);
  });
  test("limits are told", async () => {
    await serve({ limits: { ruler_max_rules_per_rule_group: 1 } });
    expect(await call("POST", `${RULES}/a`, ALERT)).toEqual(
      plainAnswer(400, "per-user rules per rule group limit (limit: 1 actual: 2) exceeded"),
    );
  });
  test("the local store is read only, and says so as Grafana expects it", async () => {
    mkdirSync(join(lab.folder, "rules/t"), { recursive: true });
    writeFileSync(join(lab.folder, "rules/t/f.yaml"), "groups: [{name: g, rules: [{record: r, expr: vector(1)}]}]");
    await serve({ readOnly: true });
    expect((await call("GET", `${RULES}/f.yaml/g`)).status).toBe(200);
    expect(await call("GET", `${RULES}/test/test`)).toEqual(plainAnswer(400, "GetRuleGroup unsupported in rule local store"));
    expect(await call("POST", `${RULES}/ns`, ALERT)).toEqual(plainAnswer(500, "SetRuleGroup unsupported in rule local store"));
    expect((await call("DELETE", `${RULES}/f.yaml`)).text).toContain("DeleteNamespace unsupported in rule local store");
  });
});

describe("the state of rules", () => {
  async function running(): Promise<void> {
    await serve();
    await call("POST", `${RULES}/b`, ALERT);
    await call("POST", `${RULES}/a`, "name: g2\ninterval: 10s\nrules: [{alert: B, expr: vector(3)}]");
  }
  test("before the first evaluation", async () => {
    await running();
    expect(await json("/prometheus/api/v1/rules?rule_group[]=g2")).toEqual({
      status: "success",
      data: {
        groups: [
          {
            name: "g2",
            file: "a",
            rules: [
              {
                state: "inactive",
                name: "B",
                query: "vector(3)",
                duration: 0,
                labels: {},
                annotations: {},
                alerts: [],
                health: "unknown",
                lastError: "",
                type: "alerting",
                lastEvaluation: "0001-01-01T00:00:00Z",
                evaluationTime: 0,
              },
            ],
            interval: 10,
            limit: 0,
            lastEvaluation: "0001-01-01T00:00:00Z",
            evaluationTime: 0,
          },
        ],
      },
      errorType: "",
      error: "",
    });
  });
  test("alerts pending and firing", async () => {
    await running();
    await lab.pass(11);
    const { data } = (await json("/prometheus/api/v1/alerts")) as { data: { alerts: { activeAt: string }[] } };
    expect(data.alerts).toMatchObject([
      { labels: { alertname: "B", job: "a" }, annotations: {}, state: "firing", value: "1e+00" },
      { labels: { alertname: "A", job: "a", severity: "page" }, annotations: { s: "a" }, state: "pending", value: "1e+00" },
    ]);
    expect(data.alerts[0]!.activeAt).toMatch(/^2026-01-01T00:00:\d\d(\.\d+[1-9])?Z$/);
  });
  for (const [query, wanted] of [
    ["", "a/g2:B b/g1:A,r:x"],
    ["type=alert", "a/g2:B b/g1:A"],
    ["type=record", "b/g1:r:x"],
    ["file[]=b", "b/g1:A,r:x"],
    ["rule_name[]=B&rule_name[]=r:x", "a/g2:B b/g1:r:x"],
    ["rule_name=B&file=a", "a/g2:B"],
    ["rule_group=g1", "b/g1:A,r:x"],
    ["rule_group[]=none", ""],
    ["group_limit=1", "a/g2:B"],
    ["group_limit=5", "a/g2:B b/g1:A,r:x"],
  ] as const) {
    test(`filter ${query}`, async () => {
      await running();
      const { data } = (await json(`/prometheus/api/v1/rules?${query}`)) as {
        data: { groups: { file: string; name: string; rules: { name: string }[] }[] };
      };
      expect(data.groups.map(({ file, name, rules }) => `${file}/${name}:${rules.map((rule) => rule.name).join()}`).join(" ")).toBe(wanted);
    });
  }
  test("alerts may be left out", async () => {
    await running();
    await lab.pass(11);
    const { data } = (await json("/prometheus/api/v1/rules?exclude_alerts=true&rule_name[]=B")) as {
      data: { groups: { rules: object[] }[] };
    };
    expect(data.groups[0]!.rules[0]).toMatchObject({ state: "firing", alerts: [] });
  });
  test("pages of groups", async () => {
    await running();
    const pages: unknown[] = [];
    for (let token: string | undefined = ""; token !== undefined; ) {
      const query: string = token === "" ? "" : `&group_next_token=${token}`;
      const { data } = (await json(`/prometheus/api/v1/rules?group_limit=1${query}`)) as {
        data: { groups: { name: string }[]; groupNextToken?: string };
      };
      pages.push(data.groups.map(({ name }) => name));
      token = data.groupNextToken;
    }
    expect(pages).toEqual([["g2"], ["g1"]]);
  });
  test.each([
    ["type=x", 'not supported value "x"'],
    ["group_limit=0", 'invalid parameter "group_limit": group_limit needs to be greater than 0'],
    [
      "group_limit=x",
      'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      "group_limit=2147483648",
      'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "2147483648": value out of range',
    ],
    ["group_next_token=x", 'invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups'],
    ["group_limit=1&group_next_token=x", "invalid parameter \"group_next_token\": invalid group_next_token 'x'. were rule groups changed?"],
  ])("refused: %s", async (query, error) => {
    await serve();
    expect(await call("GET", `/prometheus/api/v1/rules?${query}`)).toEqual({
      status: 400,
      type: "text/plain; charset=utf-8",
      text: JSON.stringify({ status: "error", data: null, errorType: "bad_data", error }),
    });
  });
  test("groups by the labels of their rules", async () => {
    await running();
    const names = async (labels: string): Promise<unknown> => {
      const groups = Object.values(
        (parse((await call("GET", `${RULES}?labels=${labels}`)).text) ?? {}) as Record<string, { rules: object[] }[]>,
      );
      return groups.flat().flatMap(({ rules }) => rules.map((rule) => (rule as { alert?: string }).alert));
    };
    expect(await names("severity:page")).toEqual(["A"]);
    expect(await names("severity:none,x:y")).toEqual([]);
  });
});
