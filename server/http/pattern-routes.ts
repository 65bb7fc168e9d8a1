// GET /loki/api/v1/patterns: which kinds of line there were lately, for Grafana's Logs Drilldown.

import { parseForFormat } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Request, Route } from "../../lib/runtime/http-server.ts";
import { SAMPLE_SECONDS } from "../patterns/drain.ts";
import type { PatternStore } from "../patterns/pattern-store.ts";
import { QueryError } from "../query/errors.ts";
import { json, parametersOf } from "./answers.ts";
import { parseRangeStep, parseTimes } from "./query-params.ts";
import type { TenantResolver } from "./tenant.ts";

const DEFAULT_RANGE_MS = 3_600_000;

export function patternRoutes(store: PatternStore, tenants: TenantResolver, clock: Clock): Route[] {
  return [
    {
      methods: ["GET", "POST"],
      path: "/loki/api/v1/patterns",
      async handler(request, response) {
        json(request, response, { status: "success", data: await select(request) });
      },
    },
  ];

  async function select(request: Request): Promise<readonly unknown[]> {
    const asked = tenants.many(request.raw);
    const parameters = await parametersOf(request);
    const { startNs, endNs } = parseTimes(parameters, { nowMs: clock.nowMs(), defaultRangeMs: DEFAULT_RANGE_MS });
    const stepNs = parseRangeStep(parameters, { startNs, endNs });
    const expr = parseForFormat(parameters.get("query") ?? "");
    if (expr.kind !== "log" || expr.ops.length > 0) throw new QueryError(400, "only label matchers are supported");
    const range = {
      startSec: Number(startNs / 1_000_000_000n),
      endSec: Number(endNs / 1_000_000_000n),
      stepSec: Math.max(SAMPLE_SECONDS, Math.floor(Number(stepNs) / 1e9 / SAMPLE_SECONDS) * SAMPLE_SECONDS),
    };
    return asked.flatMap((tenant) => store.select(tenant, expr.matchers, range));
  }
}
