// How much there is: /loki/api/v1/index/volume, /index/volume_range and /index/shards, answered from page statistics (reference §1.8).

import type { ServerResponse } from "node:http";
import type { Matcher } from "../../lib/logql/ast.ts";
import { parseMatchers } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Request, Route } from "../../lib/runtime/http-server.ts";
import { parseHumanBytes } from "../../lib/text/byte-size.ts";
import type { Limits } from "../config/limits.ts";
import type { LogView as PageView, TimeRange } from "../page.ts";
import { QueryError } from "../query/errors.ts";
import { chooseTenants } from "../query/tenants.ts";
import {
  type AggregateBy,
  bucketsOf,
  groupingOf,
  oneBucket,
  type VolumeBuckets,
  type VolumeSeries,
  VolumeSums,
  withTargets,
} from "../query/volume.ts";
import { json, jsonInPieces, parametersOf } from "./answers.ts";
import type { StreamIndex } from "./label-routes.ts";
import { parseInstantParams, parseRange, parseRangeParams } from "./query-params.ts";
import { allowedRange, parseWhole } from "./read-range.ts";
import type { TenantResolver } from "./tenant.ts";

export interface VolumeRouteOptions {
  readonly view: PageView;
  readonly index: Pick<StreamIndex, "stats">;
  readonly tenants: TenantResolver;
  readonly limitsOf: (tenant: string) => Limits;
  readonly clock: Clock;
}

/** Fingerprints are 64 bits, written as 16 hexadecimal digits. */
const ALL_FINGERPRINTS = { min: "0000000000000000", max: "ffffffffffffffff" };

export function volumeRoutes({ view, index, tenants, limitsOf, clock }: VolumeRouteOptions): Route[] {
  const methods = ["GET", "POST"];
  return [
    {
      methods,
      path: "/loki/api/v1/index/volume",
      handler: (request, response) => volume(request, response, parseVolume),
    },
    { methods, path: "/loki/api/v1/index/volume_range", handler: (request, response) => volume(request, response, parseVolumeRange) },
    { methods, path: "/loki/api/v1/index/shards", handler: shards },
  ];

  async function volume(
    request: Request,
    response: ServerResponse,
    parse: (parameters: URLSearchParams, nowMs: number) => VolumeParams,
  ): Promise<void> {
    const ids = tenants.many(request.raw);
    const parameters = withVolumeLimit(await parametersOf(request));
    const { range, limit, buckets } = parse(parameters, clock.nowMs());
    const targetLabels = parseTargetLabels(parameters.get("targetLabels") ?? "");
    const aggregateBy = parseAggregateBy(parameters.get("aggregateBy") ?? "");
    if (!ids.every((id) => limitsOf(id).volume_enabled)) throw new QueryError(404, "not found");
    const selected = parseVolumeSelector(parameters.get("query") ?? "");

    const chosen = selected.length === 0 ? { tenants: ids, matchers: selected } : chooseTenants(ids, selected, "log");
    const sums = new VolumeSums(groupingOf(chosen.matchers, targetLabels, aggregateBy), buckets());
    for (const tenant of chosen.tenants) {
      const limits = limitsOf(tenant);
      const allowed = allowedRange(range, limits, clock);
      if (allowed !== undefined)
        await sums.add(await view.select(tenant, withTargets(chosen.matchers, targetLabels), allowed), limits.volume_max_series);
    }
    await jsonInPieces(request, response, volumeJson(await sums.finish(limit)));
  }

  /** One shard that holds everything: Skald spreads a query over its workers by itself, so a client gains nothing by cutting it up. */
  async function shards(request: Request, response: ServerResponse): Promise<void> {
    const ids = tenants.many(request.raw);
    const parameters = await parametersOf(request);
    const range = parseRangeParams(parameters, clock.nowMs());
    parseTargetBytes(parameters.get("targetBytesPerShard") ?? "");
    const selected = parseMatchers(parameters.get("query") ?? "");
    const chosen = chooseTenants(ids, selected, "log");
    const stats = { streams: 0, chunks: 0, bytes: 0, entries: 0 };
    for (const tenant of chosen.tenants) {
      const allowed = allowedRange(range, limitsOf(tenant), clock);
      if (allowed === undefined) continue;
      const part = await index.stats(tenant, chosen.matchers, allowed);
      stats.streams += part.streams;
      stats.chunks += part.chunks;
      stats.bytes += part.bytes;
      stats.entries += part.entries;
    }
    json(request, response, { shards: [{ bounds: ALL_FINGERPRINTS, stats }], statistics: {} });
  }
}

/** A matrix as soon as a series has more than one sample, else a vector: so Loki tells them apart, on both paths. */
function* volumeJson(series: readonly VolumeSeries[]): Generator<string> {
  const isMatrix = series.some(({ samples }) => samples.length > 1);
  yield `{"status":"success","data":{"resultType":"${isMatrix ? "matrix" : "vector"}","result":[`;
  let separator = "";
  for (const { metric, samples } of series) {
    yield separator + JSON.stringify({ metric, ...(isMatrix ? { values: samples.map(sampleOf) } : { value: sampleOf(samples[0]!) }) });
    separator = ",";
  }
  yield "]}}";
}

function sampleOf({ timeMs, bytes }: { readonly timeMs: number; readonly bytes: number }): [number, string] {
  return [timeMs / 1000, String(bytes)];
}

interface VolumeParams {
  readonly range: TimeRange;
  readonly limit: number;
  readonly buckets: () => VolumeBuckets;
}

function parseVolume(parameters: URLSearchParams, nowMs: number): VolumeParams {
  const { limit } = parseInstantParams(parameters, nowMs);
  const range = parseRange(parameters, nowMs);
  return { range, limit, buckets: () => oneBucket(range) };
}

function parseVolumeRange(parameters: URLSearchParams, nowMs: number): VolumeParams {
  const { limit, stepNs, ...range } = parseRangeParams(parameters, nowMs);
  return { range, limit, buckets: () => bucketsOf(range, stepNs) };
}

/** `{}` is every stream, here only. @throws LogqlError */
function parseVolumeSelector(text: string): readonly Matcher[] {
  return /^\s*\{\s*\}\s*$/.test(text) ? [] : parseMatchers(text);
}

/** 0 is the default here; a limit above `volume_max_series` is accepted. */
function withVolumeLimit(parameters: URLSearchParams): URLSearchParams {
  const limit = parameters.get("limit") ?? "";
  if (limit === "" || parseWhole(limit) !== 0) return parameters;
  const others = new URLSearchParams(parameters);
  others.delete("limit");
  return others;
}

/** Blanks and empty names are names as well, which no stream has. */
function parseTargetLabels(text: string): readonly string[] {
  return text === "" ? [] : text.split(",");
}

function parseAggregateBy(text: string): AggregateBy {
  if (text === "" || text === "series") return "series";
  if (text === "labels") return "labels";
  throw new QueryError(400, "invalid aggregation option");
}

function parseTargetBytes(text: string): void {
  let bytes = 0;
  try {
    bytes = text === "" ? 0 : parseHumanBytes(text);
  } catch (error) {
    throw new QueryError(400, (error as Error).message);
  }
  if (bytes <= 0) throw new QueryError(400, "targetBytesPerShard must be a positive value");
}
