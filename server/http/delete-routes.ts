// Delete requests: /loki/api/v1/delete makes, lists and cancels them, in Loki's words (reference §1.13). Parameters stand in the URL, never in
// a form. The routes are there when `compactor.retention_enabled` is, as in Loki.

import type { ServerResponse } from "node:http";
import type { Clock } from "../../lib/runtime/clock.ts";
import { plain, type Request, type Route } from "../../lib/runtime/http-server.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { parseGoDurationNs, printGoDuration } from "../../lib/text/duration.ts";
import type { Limits } from "../config/limits.ts";
import { type DeleteRequest, isPartlyDone, isProcessed, pieceCount, statusOf } from "../deletes/delete-request.ts";
import type { DeleteStore } from "../deletes/delete-store.ts";
import { hasFilter, parseDeleteQuery } from "../deletes/stream-deletes.ts";
import { RequestError } from "../errors.ts";
import { parseGoFloat } from "../query/go-number.ts";
import { json } from "./answers.ts";
import { rfc3339Ns } from "./query-params.ts";
import type { TenantResolver } from "./tenant.ts";

export interface DeleteRouteOptions {
  readonly store: DeleteStore;
  readonly tenants: TenantResolver;
  readonly limitsOf: (tenant: string) => Limits;
  /** Longest piece of a request with a filter; 0: any length. */
  readonly maxIntervalMs: number;
  readonly onReceived: (tenant: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const PATH = "/loki/api/v1/delete";
const SECOND_MS = 1000;
/** Pieces of one request: each is a step of work that is noted on disk. */
const PIECES_MAX = 10_000;

export function deleteRoutes(options: DeleteRouteOptions): Route[] {
  const { store, clock } = options;
  return [
    { methods: ["POST", "PUT"], path: PATH, handler: add },
    { methods: ["GET"], path: PATH, handler: list },
    { methods: ["DELETE"], path: PATH, handler: cancel },
    {
      methods: ["GET"],
      path: "/loki/api/v1/cache/generation_numbers",
      handler(request, response) {
        const generation = store.generation(tenantOf(request));
        plain(response, 200, `${JSON.stringify(generation === 0 ? "" : String(generation))}\n`);
      },
    },
  ];

  async function add(request: Request, response: ServerResponse): Promise<void> {
    const tenant = tenantOf(request);
    const asked = parseDelete(request.query, clock.nowMs(), options.maxIntervalMs);
    const { id, query, startMs, endMs, intervalMs } = await store.add({ tenant, createdMs: clock.nowMs(), ...asked });
    options.onReceived(tenant);
    options.log.info({ request: id, tenant, query, startMs, endMs, intervalMs }, "delete request received");
    response.writeHead(204).end();
  }

  function list(request: Request, response: ServerResponse): void {
    const requests = [...store.of(tenantOf(request))].sort((a, b) => a.createdMs - b.createdMs);
    json(request, response, requests.map(shown), 200, "application/json");
  }

  async function cancel(request: Request, response: ServerResponse): Promise<void> {
    const tenant = tenantOf(request);
    const id = request.query.get("request_id") ?? "";
    const found = store.find(tenant, id);
    if (found === undefined) throw new RequestError(404, "could not find delete request with given id");
    if (isProcessed(found) || store.isInProcess(id))
      throw bad("deletion of request which is in process or already processed is not allowed");
    if (isPartlyDone(found) && request.query.get("force") !== "true")
      throw bad("Unable to cancel partially completed delete request. To force, use the ?force query parameter");
    await store.cancel(tenant, id);
    options.log.info({ request: id, tenant }, "delete request cancelled");
    response.writeHead(204).end();
  }

  function tenantOf(request: Request): string {
    const tenant = options.tenants.one(request.raw);
    if (options.limitsOf(tenant).deletion_mode === "disabled") throw new RequestError(403, "deletion is not available for this tenant");
    return tenant;
  }
}

/** Times are seconds, as Loki's are. */
function shown(request: DeleteRequest): Readonly<Record<string, unknown>> {
  return {
    request_id: request.id,
    start_time: request.startMs / SECOND_MS,
    end_time: request.endMs / SECOND_MS,
    query: request.query,
    status: statusOf(request),
    created_at: request.createdMs / SECOND_MS,
  };
}

type Asked = Pick<DeleteRequest, "query" | "startMs" | "endMs" | "intervalMs">;

/** @throws RequestError */
export function parseDelete(parameters: URLSearchParams, nowMs: number, maxIntervalMs: number): Asked {
  const query = parameters.get("query") ?? "";
  if (query === "") throw bad("query not set");
  const filters = filtersOf(query);
  const start = parameters.get("start") ?? "";
  if (start === "") throw bad("start time not set");
  const startMs = timeOf(start, "start", nowMs);
  const endMs = timeOf(parameters.get("end") ?? "", "end", nowMs);
  if (endMs > nowMs) throw bad("deletes in the future are not allowed");
  if (startMs >= endMs) throw bad("start time can't be greater than or equal to end time");
  const lengthMs = endMs - startMs;
  const intervalMs = filters ? intervalOf(parameters.get("max_interval") ?? "", lengthMs, maxIntervalMs) : 0;
  const asked = { query, startMs, endMs, intervalMs: intervalMs >= lengthMs ? 0 : intervalMs };
  const pieces = pieceCount({ ...asked, id: "", tenant: "", createdMs: 0, piecesDone: 0 });
  if (pieces > PIECES_MAX)
    throw bad(`max_interval cuts the request into ${pieces} pieces, at most ${PIECES_MAX} are taken; use a longer one`);
  return asked;
}

/** Whether the query has a filter. @throws RequestError when lines cannot be deleted by it */
function filtersOf(query: string): boolean {
  let log: ReturnType<typeof parseDeleteQuery>;
  try {
    log = parseDeleteQuery(query);
  } catch {
    log = undefined;
  }
  if (log === undefined) throw bad("invalid query expression");
  return hasFilter(log.ops);
}

/** RFC 3339, or seconds in exactly ten characters; now when empty. Whole milliseconds. */
function timeOf(text: string, which: "start" | "end", nowMs: number): number {
  if (text === "") return Math.floor(nowMs);
  const ns = rfc3339Ns(text);
  if (ns !== undefined) return Number(ns / 1_000_000n);
  try {
    if (text.length === 10) return Math.round(parseGoFloat(text) * SECOND_MS);
  } catch {
    // Said below.
  }
  throw bad(`invalid ${which} time: require unix seconds or RFC3339 format`);
}

function intervalOf(text: string, lengthMs: number, maxMs: number): number {
  if (text === "") {
    if (lengthMs < SECOND_MS) throw bad("difference between start time and end time must be at least one second");
    return maxMs === 0 ? lengthMs : Math.min(lengthMs, maxMs);
  }
  let intervalMs = 0;
  try {
    intervalMs = Math.floor(parseGoDurationNs(text) / 1e6);
  } catch {
    // Said below.
  }
  if (intervalMs < SECOND_MS) throw bad("invalid max_interval: valid time units are 's', 'm', 'h'");
  if (maxMs !== 0 && intervalMs > maxMs) throw bad(`max_interval can't be greater than ${printGoDuration(maxMs * 1e6)}`);
  if (intervalMs > lengthMs)
    throw bad(`max_interval can't be greater than the interval to be deleted (${printGoDuration(lengthMs * 1e6)})`);
  return intervalMs;
}

function bad(text: string): RequestError {
  return new RequestError(400, text);
}
