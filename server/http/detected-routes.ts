// What tools ask before they offer filters to a person: labels, fields and their values, found by looking at a sample, and the limits
// that Grafana's Logs Drilldown goes by (reference §1.10, §1.16).

import type { ServerResponse } from "node:http";
import { parseMatchers } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Request, Route } from "../../lib/runtime/http-server.ts";
import { VERSION } from "../../lib/runtime/version.ts";
import { printConfigBytes } from "../../lib/text/byte-size.ts";
import { printPrometheusDuration } from "../../lib/text/duration.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Limits } from "../config/limits.ts";
import { detectFields, fieldValues } from "../query/detected-fields.ts";
import { detectLabels } from "../query/detected-labels.ts";
import type { QueryEngine } from "../query/engine.ts";
import type { LogPartial } from "../query/entry-keeper.ts";
import { QueryError } from "../query/errors.ts";
import { chooseTenants } from "../query/tenants.ts";
import { json, parametersOf } from "./answers.ts";
import type { StreamIndex } from "./label-routes.ts";
import { parseRange, parseRangeStep } from "./query-params.ts";
import { allowedRange, parsePositive } from "./read-range.ts";
import type { TenantResolver } from "./tenant.ts";

export interface DetectedRouteOptions {
  readonly engine: QueryEngine;
  readonly index: Pick<StreamIndex, "streams">;
  readonly tenants: TenantResolver;
  readonly limitsOf: (tenant: string) => Limits;
  readonly clock: Clock;
  /** Whether the server answers patterns: Grafana's Drilldown shows them or leaves them out. */
  readonly patterns?: boolean;
}

/** Entries that are looked at, newest first. */
const DEFAULT_LINES = 100;
const DEFAULT_FIELDS = 1000;
/** The step goes unused; Loki counts it in milliseconds. */
const STEP_NS_MIN = 1_000_000n;

export function detectedRoutes({ engine, index, tenants, limitsOf, clock, patterns = false }: DetectedRouteOptions): Route[] {
  const methods = ["GET", "POST"];
  return [
    { methods, path: "/loki/api/v1/detected_labels", handler: labels },
    { methods, path: "/loki/api/v1/detected_fields", handler: fields },
    { methods, path: "/loki/api/v1/detected_field/{name}/values", handler: values },
    { methods: ["GET"], path: "/loki/api/v1/drilldown-limits", handler: drilldownLimits },
  ];

  async function labels(request: Request, response: ServerResponse): Promise<void> {
    const ids = tenants.many(request.raw);
    const parameters = await parametersOf(request);
    const range = parseRange(parameters, clock.nowMs());
    const text = parameters.get("query") ?? "";
    const selected = text === "" ? [] : parseMatchers(text);
    const chosen = selected.length === 0 ? { tenants: ids, matchers: selected } : chooseTenants(ids, selected, "log");
    const streams: LabelSet[] = [];
    for (const tenant of chosen.tenants) {
      const allowed = allowedRange(range, limitsOf(tenant), clock);
      if (allowed !== undefined) for (const one of await index.streams(tenant, chosen.matchers, allowed)) streams.push(one);
    }
    const found = await detectLabels(streams);
    json(request, response, found.length === 0 ? {} : { detectedLabels: found });
  }

  async function fields(request: Request, response: ServerResponse): Promise<void> {
    const { entries, limit } = await sample(request);
    const found = (await detectFields(entries, limit, request.signal)).map(({ label, type, cardinality, parsers, jsonPath }) => ({
      label,
      type,
      cardinality,
      parsers: parsers.length === 0 ? null : parsers,
      ...(jsonPath === undefined ? {} : { jsonPath }),
    }));
    json(request, response, found.length === 0 ? {} : { fields: found, limit });
  }

  async function values(request: Request, response: ServerResponse): Promise<void> {
    const { entries, limit } = await sample(request);
    const found = await fieldValues(entries, request.params.name ?? "", limit, request.signal);
    json(request, response, found.length === 0 ? {} : { values: found, limit });
  }

  /** The newest entries that the query lets through. */
  async function sample(request: Request): Promise<{ entries: LogPartial; limit: number }> {
    const ids = tenants.many(request.raw);
    const parameters = await parametersOf(request);
    const range = parseRange(parameters, clock.nowMs());
    const lines = parsePositive(parameters.get("line_limit") ?? "", DEFAULT_LINES);
    const limit = parsePositive(parameters.get("limit") || (parameters.get("field_limit") ?? ""), DEFAULT_FIELDS);
    const stepNs = parseRangeStep(parameters, range, STEP_NS_MIN);
    const { data } = await engine.range({
      tenants: ids,
      query: parameters.get("query") ?? "",
      ...range,
      stepNs,
      intervalNs: 0n,
      limit: lines,
      direction: "backward",
      signal: request.signal,
      tags: String(request.raw.headers["x-query-tags"] ?? ""),
    });
    if (data.type !== "streams") throw new QueryError(400, "only log selector is supported");
    return { entries: data.entries, limit };
  }

  async function drilldownLimits(request: Request, response: ServerResponse): Promise<void> {
    const [tenant] = tenants.many(request.raw);
    json(request, response, { limits: shownLimits(limitsOf(tenant!)), pattern_ingester_enabled: patterns, version: VERSION });
  }
}

/** The limits that Logs Drilldown reads, spelled as in the configuration. */
function shownLimits(limits: Limits): Readonly<Record<string, unknown>> {
  return {
    discover_log_levels: limits.discover_log_levels,
    discover_service_name: limits.discover_service_name,
    log_level_fields: limits.log_level_fields,
    max_entries_limit_per_query: limits.max_entries_limit_per_query,
    max_line_size_truncate: limits.max_line_size_truncate,
    max_query_bytes_read: printConfigBytes(limits.max_query_bytes_read),
    max_query_length: printPrometheusDuration(limits.max_query_length),
    max_query_lookback: printPrometheusDuration(limits.max_query_lookback),
    max_query_range: printPrometheusDuration(limits.max_query_range),
    max_query_series: limits.max_query_series,
    metric_aggregation_enabled: false,
    query_timeout: printPrometheusDuration(limits.query_timeout),
    retention_period: printPrometheusDuration(limits.retention_period),
    volume_enabled: limits.volume_enabled,
    volume_max_series: limits.volume_max_series,
  };
}
