// Label names, label values, series and index statistics: what is answered from the index alone.

import type { Matcher } from "../../lib/logql/ast.ts";
import { parseMatchers } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Route } from "../../lib/runtime/http-server.ts";
import { createTurns, forEachInTurns, sortInTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import { printGoDuration, printPrometheusDuration } from "../../lib/text/duration.ts";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";
import type { IndexStats, TimeRange } from "../page.ts";
import { clampLookback, queryLimitsOf } from "../query/limits.ts";
import { json, jsonInPieces, parametersOf } from "./answers.ts";
import { parseRangeParams, parseTimes } from "./query-params.ts";
import { allowedRange } from "./read-range.ts";
import type { TenantResolver } from "./tenant.ts";

/** The part of storage that these routes ask. */
export interface StreamIndex {
  /** Streams that satisfy the matchers and may have entries in the range. */
  streams(
    tenant: string,
    matchers: readonly Matcher[],
    range: TimeRange,
    anyTimeInHead?: boolean,
    takeTurn?: TakeTurn,
  ): readonly LabelSet[] | Promise<readonly LabelSet[]>;
  /** Sums over the pages in the range. */
  stats(tenant: string, matchers: readonly Matcher[], range: TimeRange, takeTurn?: TakeTurn): IndexStats | Promise<IndexStats>;
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
        await forEachStream(ids, selectorOf(parameters), range, ({ names }) => {
          for (const name of names) found.add(name);
        });
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
        await forEachStream(ids, selectorOf(parameters), range, (labels) => {
          if (labels.has(name)) found.add(labels.get(name));
        });
        answerList(request, response, await sortInTurns([...found], createTurns(), compareCodePoints), legacy);
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
        // By label set, which is one object for equal sets.
        const found = new Map<string, Set<LabelSet>>();
        for (const tenant of ids) {
          const ofTenant = new Set<LabelSet>();
          found.set(tenant, ofTenant);
          for (const one of matchers) for (const labels of await streamsOfTenant(tenant, one, range, false)) ofTenant.add(labels);
        }
        await jsonInPieces(request, response, seriesJson(found));
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
          const part = await index.stats(tenant, matchers, visible);
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

  /** Visits streams of all tenants that match in the range, as far back as the tenant may look. */
  async function forEachStream(
    ids: readonly string[],
    matchers: readonly Matcher[],
    range: TimeRange,
    visit: (labels: LabelSet) => void,
  ): Promise<void> {
    for (const id of ids) await forEachInTurns(await streamsOfTenant(id, matchers, range, true), createTurns(), visit);
  }

  async function streamsOfTenant(
    id: string,
    matchers: readonly Matcher[],
    range: TimeRange,
    anyTimeInHead: boolean,
  ): Promise<readonly LabelSet[]> {
    const visible = clampLookback(range, queryLimitsOf(limitsOf(id)), clock.nowMs());
    return visible === undefined ? [] : index.streams(id, matchers, visible, anyTimeInHead);
  }
}

/** Tenants are named in the series when several were asked. */
function* seriesJson(found: ReadonlyMap<string, ReadonlySet<LabelSet>>): Generator<string> {
  yield '{"status":"success","data":[';
  let separator = "";
  for (const [tenant, sets] of found) {
    const more = found.size > 1 ? { [TENANT_LABEL]: tenant } : {};
    for (const labels of sets) {
      yield `${separator}${JSON.stringify({ ...labels.toObject(), ...more })}`;
      separator = ",";
    }
  }
  yield "]}";
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
