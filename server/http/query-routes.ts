// The query endpoints: /loki/api/v1/query, /loki/api/v1/query_range and the old /api/prom/query, by GET or posted form.

import type { ServerResponse } from "node:http";
import { parseForFormat } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Request, Route } from "../../lib/runtime/http-server.ts";
import type { QueryAnswer, QueryEngine } from "../query/engine.ts";
import { QueryError } from "../query/errors.ts";
import { jsonInPieces, parametersOf } from "./answers.ts";
import { queryJson } from "./query-json.ts";
import { parseInstantParams, parseRangeParams } from "./query-params.ts";
import type { TenantResolver } from "./tenant.ts";

/** Errors are thrown as they are (`QueryError` with a status, `LogqlError`): the server's error handler answers them as plain text. */
export function queryRoutes(engine: QueryEngine, tenants: TenantResolver, clock: Clock): Route[] {
  const methods = ["GET", "POST"];
  return [
    { methods, noHead: true, path: "/loki/api/v1/query", handler: instant },
    { methods, noHead: true, path: "/loki/api/v1/query_range", handler: range },
    { methods, noHead: true, path: "/api/prom/query", handler: legacy },
  ];

  async function instant(request: Request, response: ServerResponse): Promise<void> {
    const common = commonOf(request);
    const params = parseInstantParams(await parametersOf(request), clock.nowMs());
    await jsonInPieces(request, response, queryJson(await engine.instant({ ...common, ...params }), encodingFlagsOf(request)));
  }

  async function range(request: Request, response: ServerResponse): Promise<void> {
    const common = commonOf(request);
    const params = parseRangeParams(await parametersOf(request), clock.nowMs());
    await jsonInPieces(request, response, queryJson(await engine.range({ ...common, ...params }), encodingFlagsOf(request)));
  }

  /** Log queries only, in the shape that Loki had before 1.0. */
  async function legacy(request: Request, response: ServerResponse): Promise<void> {
    const common = commonOf(request);
    const parameters = await parametersOf(request);
    // Of old, a regular expression could stand beside the selector.
    const regexp = parameters.get("regexp") ?? "";
    const params = parseRangeParams(parameters, clock.nowMs());
    const query = regexp === "" ? params.query : `${params.query} |~ ${JSON.stringify(regexp)}`;
    if (parseForFormat(query).kind !== "log") throw new QueryError(400, "legacy endpoints only support streams result type");
    await jsonInPieces(request, response, legacyJson(await engine.range({ ...common, ...params, query })));
  }

  function commonOf(request: Request): { tenants: readonly string[]; signal: AbortSignal; tags: string; noCache: boolean } {
    const { headers } = request.raw;
    return {
      tenants: tenants.many(request.raw),
      signal: request.signal,
      tags: String(headers["x-query-tags"] ?? ""),
      noCache: /\bno-(?:cache|store)\b/i.test(String(headers["cache-control"] ?? "")),
    };
  }
}

function encodingFlagsOf(request: Request): readonly string[] {
  const header = String(request.raw.headers["x-loki-response-encoding-flags"] ?? "");
  return header === "" ? [] : header.split(",").map((flag) => flag.trim());
}

function* legacyJson({ data }: QueryAnswer): Generator<string> {
  if (data.type !== "streams") return;
  const streams = new Map<string, { ts: string; line: string }[]>();
  for (const { sec, nanos, line, labels } of data.entries) {
    const key = `{${labels.all.names.map((name, i) => `${name}=${JSON.stringify(labels.all.values[i])}`).join(", ")}}`;
    const entry = {
      ts: `${new Date(sec * 1000).toISOString().slice(0, 19)}${nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`}Z`,
      line,
    };
    const entries = streams.get(key);
    if (entries === undefined) streams.set(key, [entry]);
    else entries.push(entry);
  }
  yield JSON.stringify({ streams: [...streams].map(([labels, entries]) => ({ labels, entries })) });
}
