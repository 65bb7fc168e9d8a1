import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { type HttpServer, listen } from "../../../lib/runtime/http-server.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { answerError } from "../../../server/http/answers.ts";
import { labelRoutes } from "../../../server/http/label-routes.ts";
import { createTenantResolver } from "../../../server/http/tenant.ts";
import { silentLog } from "../../silent-log.ts";
import { ask } from "../query/ask.ts";

let server: HttpServer;

beforeAll(async () => {
  const { data } = ask({ '{app="a", pod="p1"}': [[10, "x"]], '{app="b"}': [[30, "y"]] });
  const short = limitsSchema.parse({ max_query_length: "1m" });
  server = await listen({
    address: "127.0.0.1",
    port: 0,
    routes: labelRoutes({
      index: {
        streams: (tenant, matchers, range) => data.select(tenant, matchers, range).map(({ labels }) => labels),
        stats: () => ({ streams: 2, chunks: 3, bytes: 400, entries: 5 }),
      },
      tenants: createTenantResolver({ authEnabled: true, multiTenantQueries: true }),
      limitsOf: (tenant) => (tenant === "short" ? short : limitsSchema.parse({})),
      clock: manualClock(100_000),
    }),
    onError: (error, _, response) => answerError(error, response, silentLog),
  });
});

afterAll(() => server.close(1000));

type Parameters = readonly (readonly [string, string])[];

/** A parameter that is given counts before the range. */
async function get(path: string, parameters: Parameters, tenant = "t"): Promise<string> {
  const form = new URLSearchParams();
  for (const [name, value] of [...parameters, ["start", "0"], ["end", "100"]] as Parameters) form.append(name, value);
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}?${form}`, { headers: { "x-scope-orgid": tenant } });
  return `${answer.status} ${await answer.text()}`;
}

const EMPTY_SELECTOR =
  '400 parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will';
const BOTH = '200 {"status":"success","data":[{"app":"a","pod":"p1"},{"app":"b"}]}';

describe("series", () => {
  test.each<[string, Parameters, string]>([
    ["no selector is every stream", [], BOTH],
    ["so is an empty one alone", [["match[]", "{ }"]], BOTH],
    [
      "twice as well",
      [
        ["match[]", "{}"],
        ["match", "{}"],
      ],
      BOTH,
    ],
    [
      "an empty one beside another",
      [
        ["match[]", "{}"],
        ["match[]", '{app="a"}'],
      ],
      EMPTY_SELECTOR,
    ],
    [
      "several",
      [
        ["match[]", '{app="a"}'],
        ["match", '{app="b"}'],
      ],
      BOTH,
    ],
    [
      "the first fault by the selectors' order",
      [
        ["match[]", '{z="1"'],
        ["match[]", "{"],
      ],
      "400 parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }",
    ],
  ])("%s", async (_, parameters, expected) => expect(await get("/loki/api/v1/series", parameters)).toBe(expected));
});

describe("index/stats takes the parameters of a range query", () => {
  const QUERY = ["query", '{app="a"}'] as const;
  test.each<[string, Parameters, string]>([
    ["good ones", [QUERY], '200 {"streams":2,"chunks":3,"bytes":400,"entries":5}'],
    ["an end before the start", [QUERY, ["end", "-5"]], "400 end timestamp must not be before or equal to start time"],
    ["a limit of nothing", [QUERY, ["limit", "0"]], "400 limit must be a positive value"],
    ["a direction that is none", [QUERY, ["direction", "up"]], "400 invalid direction 'up'"],
    ["a step that is none", [QUERY, ["step", "x"]], '400 cannot parse "x" to a valid duration'],
    ["a negative interval", [QUERY, ["interval", "-1"]], "400 interval must be >= 0"],
    [
      "too many steps",
      [QUERY, ["step", "0.001"]],
      "400 exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
    ],
  ])("%s", async (_, parameters, expected) => expect(await get("/loki/api/v1/index/stats", parameters)).toBe(expected));
  test("and the tenant's limit of its length", async () =>
    expect(await get("/loki/api/v1/index/stats", [QUERY], "short")).toBe(
      "400 the query time range exceeds the limit (query length: 1m40s, limit: 1m)",
    ));
});

test("the old path of label values leaves out an empty list", async () => {
  expect(await get("/api/prom/label/app/values", [])).toBe('200 {"values":["a","b"]}');
  expect(await get("/api/prom/label/nope/values", [])).toBe("200 {}");
});
