// Label names, label values, series and index statistics: what is answered from the index alone.

import type { Matcher } from "../../lib/logql/ast.ts";
import { parseMatchers } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Route } from "../../lib/runtime/http-server.ts";
import { printGoDuration, printPrometheusDuration } from "../../lib/text/duration.ts";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";
import type { TimeRange } from "../page.ts";
import { clampLookback, queryLimitsOf } from "../query/limits.ts";
import { json, parametersOf } from "./answers.ts";
import { parseRangeParams, parseTimes } from "./query-params.ts";
import { allowedRange } from "./read-range.ts";
import type { TenantResolver } from "./tenant.ts";

/** The part of storage that these routes ask. */
export interface StreamIndex {
  /** Streams that satisfy the matchers and may have entries in the range. */
  streams(tenant: string, matchers: readonly Matcher[], range: TimeRange, anyTimeInHead?: boolean): readonly LabelSet[];
  /** Sums over the pages in the range. */
  stats(
    tenant: string,
    matchers: readonly Matcher[],
    range: TimeRange,
  ): { streams: number; chunks: number; bytes: number; entries: number };
}

export interface LabelRouteOptions {
  readonly index: StreamIndex;
  readonly tenants: TenantResolver;
  readonly limitsOf: (tenant: string) => Limits;
  readonly clock: Clock;
}

const TENANT_LABEL = "__tenant_id__";
const DEFAULT_RANGE_MS = 6 * 3_600_000;

export function labelRoutes({ index, tenants, limitsOf, clock }: LabelRouteOptions): Route[] {
  return [
    names("/loki/api/v1/labels", false),
    names("/loki/api/v1/label", false),
    names("/api/prom/label", true),
    values("/loki/api/v1/label/{name}/values", false),
    values("/api/prom/label/{name}/values", true),
    // Go's router answers the empty name so.
    {
      methods: ["GET"],
      path: "/loki/api/v1/label//values",
      handler: (_, response) => void response.writeHead(301, { location: "/loki/api/v1/label/values" }).end(),
    },
    series("/loki/api/v1/series"),
    series("/api/prom/series"),
    stats("/loki/api/v1/index/stats"),
  ];

  function names(path: string, legacy: boolean): Route {
    return {
      methods: ["GET", "POST"],
      path,
      async handler(request, response) {
        const { ids, parameters } = await read(request);
        const range = rangeOf(parameters, ids);
        const found = new Set<string>(ids.length > 1 ? [TENANT_LABEL] : []);
        for (const labels of streamsOf(ids, selectorOf(parameters), range)) for (const name of labels.names) found.add(name);
        answerList(request, response, [...found].sort(compareCodePoints), legacy);
      },
    };
  }

  function values(path: string, legacy: boolean): Route {
    return {
      methods: ["GET", "POST"],
      path,
      async handler(request, response) {
        const name = request.params.name ?? "";
        const { ids, parameters } = await read(request);
        const range = rangeOf(parameters, ids);
        const found = new Set<string>(ids.length > 1 && name === TENANT_LABEL ? ids : []);
        for (const labels of streamsOf(ids, selectorOf(parameters), range)) if (labels.has(name)) found.add(labels.get(name));
        answerList(request, response, [...found].sort(compareCodePoints), legacy);
      },
    };
  }

  function series(path: string): Route {
    return {
      methods: ["GET", "POST"],
      path,
      async handler(request, response) {
        const { ids, parameters } = await read(request);
        const range = rangeOf(parameters, ids);
        const matchers = selectorsOf([...parameters.getAll("match[]"), ...parameters.getAll("match")]);
        const found = new Map<string, Record<string, string>>();
        for (const tenant of ids) {
          for (const one of matchers) {
            for (const labels of streamsOfTenant(tenant, one, range, false)) {
              const object = ids.length > 1 ? { ...labels.toObject(), [TENANT_LABEL]: tenant } : labels.toObject();
              found.set(`${ids.length > 1 ? tenant : ""}${labels}`, object);
            }
          }
        }
        json(request, response, { status: "success", data: [...found.values()] });
      },
    };
  }

  function stats(path: string): Route {
    return {
      methods: ["GET", "POST"],
      path,
      async handler(request, response) {
        const { ids, parameters } = await read(request);
        const range = parseRangeParams(parameters, clock.nowMs());
        const matchers = parseMatchers(parameters.get("query") ?? "");
        const total = { streams: 0, chunks: 0, bytes: 0, entries: 0 };
        for (const tenant of ids) {
          const visible = allowedRange(range, limitsOf(tenant), clock);
          if (visible === undefined) continue;
          const part = index.stats(tenant, matchers, visible);
          total.streams += part.streams;
          total.chunks += part.chunks;
          total.bytes += part.bytes;
          total.entries += part.entries;
        }
        json(request, response, total);
      },
    };
  }

  async function read(request: Parameters<Route["handler"]>[0]): Promise<{ ids: readonly string[]; parameters: URLSearchParams }> {
    return { ids: tenants.many(request.raw), parameters: await parametersOf(request) };
  }

  function rangeOf(parameters: URLSearchParams, ids: readonly string[]): TimeRange {
    const { startNs, endNs } = parseTimes(parameters, { nowMs: clock.nowMs(), defaultRangeMs: DEFAULT_RANGE_MS });
    if (endNs < startNs) throw badRequest("this data is no longer available, it is past now - max_query_lookback (0s)");
    for (const id of ids) {
      const longest = limitsOf(id).max_query_length;
      if (longest > 0 && endNs - startNs > BigInt(longest) * 1_000_000n) {
        throw badRequest(
          `the query time range exceeds the limit (query length: ${printGoDuration(Number(endNs - startNs))}, limit: ${printPrometheusDuration(longest)})`,
        );
      }
    }
    return { startNs, endNs };
  }

  /** Streams of all tenants that match in the range, as far back as the tenant may look. */
  function streamsOf(ids: readonly string[], matchers: readonly Matcher[], range: TimeRange): readonly LabelSet[] {
    return ids.flatMap((id) => streamsOfTenant(id, matchers, range, true));
  }

  function streamsOfTenant(id: string, matchers: readonly Matcher[], range: TimeRange, anyTimeInHead: boolean): readonly LabelSet[] {
    const visible = clampLookback(range, queryLimitsOf(limitsOf(id)), clock.nowMs());
    return visible === undefined ? [] : index.streams(id, matchers, visible, anyTimeInHead);
  }
}

/** No selector at all, or `{}` alone, is every stream; anything else is held to the rules of selectors. */
function selectorsOf(texts: readonly string[]): readonly (readonly Matcher[])[] {
  const once = [...new Set(texts)].sort(compareCodePoints);
  if (once.length === 0 || (once.length === 1 && once[0]!.replaceAll(" ", "") === "{}")) return [[]];
  return once.map((text) => parseMatchers(text));
}

function selectorOf(parameters: URLSearchParams): readonly Matcher[] {
  const text = parameters.get("query") ?? "";
  return text === "" ? [] : parseMatchers(text);
}

function answerList(
  request: Parameters<Route["handler"]>[0],
  response: Parameters<Route["handler"]>[1],
  list: readonly string[],
  legacy: boolean,
): void {
  if (legacy) json(request, response, list.length === 0 ? {} : { values: list });
  else json(request, response, list.length === 0 ? { status: "success" } : { status: "success", data: list });
}

function badRequest(text: string): RequestError {
  return new RequestError(400, text, { newline: false });
}
