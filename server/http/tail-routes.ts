// GET /loki/api/v1/tail and /api/prom/tail: WebSocket connections that get new entries as they are stored.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocketServer } from "ws";
import { checkOps } from "../../lib/logql/index.ts";
import type { Clock } from "../../lib/runtime/clock.ts";
import { plain, type Route } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Limits } from "../config/limits.ts";
import type { PendingDeletes } from "../deletes/pending-deletes.ts";
import { RequestError } from "../errors.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import type { QueryEngine } from "../query/engine.ts";
import type { KeptEntry } from "../query/entry-keeper.ts";
import { templateFault } from "../query/ops/formats.ts";
import { Tail } from "../query/tail.ts";
import { CATEGORIZE_LABELS } from "./query-json.ts";
import { serveTail } from "./tail-connection.ts";
import { legacyTailFrame, tailFrame } from "./tail-frame.ts";
import { parseTailParams, type TailParams } from "./tail-params.ts";
import type { TenantResolver } from "./tenant.ts";

const PATHS = ["/loki/api/v1/tail", "/api/prom/tail"];
const LEGACY_PATH = PATHS[1];
/** Clients of a tail have nothing to say. */
const RECEIVED_BYTES_MAX = 64 * 1024;

export type AppendListener = (tenant: string, push: AcceptedPush) => void;

export interface TailRouteOptions {
  readonly engine: QueryEngine;
  readonly tenants: TenantResolver;
  readonly limitsOf: (tenant: string) => Limits;
  /** Calls the listener with each push that is stored, while its columns are valid; returns how to stop. */
  readonly onAppend: (listener: AppendListener) => () => void;
  /** Absent: nothing is ever deleted. */
  readonly deletes?: PendingDeletes;
  readonly prefix: string;
  readonly maxDurationMs: number;
  readonly clock: Clock;
}

export interface Tails {
  /** What a request without upgrade is told. */
  readonly routes: readonly Route[];
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Ends all tails: the server is going away. */
  close(): void;
}

interface AskedTail extends TailParams {
  readonly tenant: string;
  readonly legacy: boolean;
  readonly encodingFlags: readonly string[];
}

export function createTails(options: TailRouteOptions): Tails {
  const counts = new Map<string, number>();
  let server: WebSocketServer | undefined;
  return {
    routes: PATHS.map((path) => ({
      methods: ["GET"],
      path,
      handler(request, response) {
        ask(request.raw, path, request.query);
        plain(response, 400, "Bad Request\n");
      },
    })),
    onUpgrade: (request, socket, head) => void upgrade(request, socket, head),
    close() {
      for (const client of server?.clients ?? []) client.close(1001, "server is shutting down");
      setTimeout(() => {
        for (const client of server?.clients ?? []) client.terminate();
      }, 1000).unref();
    },
  };

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    try {
      const url = new URL(request.url ?? "/", "http://tail");
      const path = url.pathname.startsWith(options.prefix) ? url.pathname.slice(options.prefix.replace(/\/$/, "").length) : "";
      if (!PATHS.includes(path)) return refuse(socket, 404, "404 page not found\n");
      const asked = ask(request, path, url.searchParams);
      // Loading it takes 50 ms, which a server that nobody tails need not spend.
      server ??= new (await import("ws")).WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: RECEIVED_BYTES_MAX });
      if (socket.destroyed) return;
      server.handleUpgrade(request, socket, head, (client) => {
        counts.set(asked.tenant, (counts.get(asked.tenant) ?? 0) + 1);
        serveTail(client, {
          open: () => openTail(asked, options.deletes),
          history: () => history(asked),
          listen: (onPush) =>
            options.onAppend((tenant, push) => {
              if (tenant === asked.tenant) onPush(push);
            }),
          frame: (frame) =>
            asked.legacy ? legacyTailFrame(frame) : tailFrame(frame, asked.encodingFlags, asked.encodingFlags.includes(CATEGORIZE_LABELS)),
          delayMs: asked.delayMs,
          maxDurationMs: options.maxDurationMs,
          clock: options.clock,
          onClose: () => counts.set(asked.tenant, (counts.get(asked.tenant) ?? 1) - 1),
        });
      });
    } catch (error) {
      const status = (error as { status?: unknown }).status;
      refuse(socket, typeof status === "number" ? status : 400, messageOf(error));
    }
  }

  function ask(request: IncomingMessage, path: string, query: URLSearchParams): AskedTail {
    const tenant = options.tenants.one(request);
    const params = parseTailParams(query, options.clock.nowMs());
    const most = options.limitsOf(tenant).max_concurrent_tail_requests;
    const count = (counts.get(tenant) ?? 0) + 1;
    if (most > 0 && count > most) {
      throw new RequestError(400, `max concurrent tail requests limit exceeded, count > limit (${count} > ${most})`, { newline: false });
    }
    const flags = String(request.headers["x-loki-response-encoding-flags"] ?? "");
    return {
      ...params,
      tenant,
      legacy: path === LEGACY_PATH,
      encodingFlags: flags === "" ? [] : flags.split(",").map((flag) => flag.trim()),
    };
  }

  /** The newest entries from `start` to now, oldest first. */
  async function history({ tenant, query, startNs, limit }: AskedTail): Promise<readonly KeptEntry[]> {
    const limits = options.limitsOf(tenant);
    const most = limits.max_entries_limit_per_query;
    const endNs = BigInt(Math.ceil(options.clock.nowMs())) * 1_000_000n;
    if (startNs >= endNs) return [];
    const answer = await options.engine.range({
      tenants: [tenant],
      query,
      limit: most > 0 ? Math.min(limit, most) : limit,
      direction: "backward",
      startNs,
      endNs,
      stepNs: endNs - startNs,
      intervalNs: 0n,
    });
    return answer.data.type === "streams" ? [...answer.data.entries].reverse() : [];
  }
}

/** @throws LogqlError, Error: the query cannot be tailed */
function openTail({ expr, tenant }: AskedTail, deletes: PendingDeletes | undefined): Tail {
  checkOps(expr, { template: templateFault });
  if (expr.kind !== "log") throw new Error(`unsupported query expression: a tail wants a log query, got a ${expr.kind} expression`);
  return new Tail(expr, (labels) => deletes?.of(tenant, labels) ?? []);
}

function refuse(socket: Duplex, status: number, text: string): void {
  const reasons: Readonly<Record<number, string>> = { 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests" };
  const head = [
    `HTTP/1.1 ${status} ${reasons[status] ?? "Internal Server Error"}`,
    "Content-Type: text/plain; charset=utf-8",
    "X-Content-Type-Options: nosniff",
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}
