// POST /otlp/v1/logs: what OpenTelemetry exporters send. Errors are a protobuf Status, whatever the request's encoding was.

import type { ServerResponse } from "node:http";
import type { Clock } from "../../lib/runtime/clock.ts";
import { BodyTooLarge, type Route } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Limits } from "../config/limits.ts";
import { RequestError } from "../errors.ts";
import type { Ingester } from "../ingest/ingester.ts";
import { otlpToPush } from "../ingest/otlp.ts";
import { compileOtlpActions, DEFAULT_INDEX_ATTRIBUTES, type OtlpActions } from "../ingest/otlp-attributes.ts";
import { decodeOtlpBody } from "../ingest/otlp-body.ts";
import { OtlpError } from "../ingest/otlp-tree.ts";
import { type PushLimits, sizeOf } from "./push-routes.ts";
import type { TenantResolver } from "./tenant.ts";

export interface OtlpRouteOptions extends PushLimits {
  readonly limitsOf: (tenant: string) => Limits;
  /** distributor.otlp_config.default_resource_attributes_as_index_labels */
  readonly defaultIndexAttributes: readonly string[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export function otlpRoutes(ingester: Ingester, tenants: TenantResolver, options: OtlpRouteOptions): Route[] {
  const compiled = new WeakMap<Limits, OtlpActions>();
  const actionsOf = (limits: Limits): OtlpActions => {
    let actions = compiled.get(limits);
    if (actions === undefined) {
      actions = compileOtlpActions(limits.otlp_config, options.defaultIndexAttributes ?? DEFAULT_INDEX_ATTRIBUTES);
      compiled.set(limits, actions);
    }
    return actions;
  };
  return [
    {
      methods: ["POST"],
      path: "/otlp/v1/logs",
      async handler(request, response) {
        let tenant = "";
        let body: Buffer | undefined;
        try {
          tenant = tenants.one(request.raw);
          const limits = options.limitsOf(tenant);
          body = await request.body(options.bodyBytes);
          const resources = await decodeOtlpBody(body, request.raw.headers, options.decodedBytes);
          await ingester.push(
            tenant,
            await otlpToPush(resources, {
              actions: actionsOf(limits),
              discoverServiceName: limits.discover_service_name,
              severityTextAsLabel: limits.otlp_config.severity_text_as_label,
              nowNs: BigInt(Math.floor(options.clock.nowMs() * 1000)) * 1000n,
            }),
            // OTLP has its own way to a service's name.
            { discoverServiceName: false },
          );
          response.writeHead(204).end();
        } catch (error) {
          const status = statusOf(error);
          if (status === 413) ingester.countTooLarge(tenant, sizeOf(error, body));
          // Without a tenant the request does not come as far as OTLP.
          if (status === 401) throw error;
          if (status === 503)
            options.log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, "otlp push failed");
          answerStatus(response, status, messageOf(error));
        }
      },
    },
  ];
}

/** 500 becomes 503: OTLP exporters retry that one only. */
function statusOf(error: unknown): number {
  if (error instanceof BodyTooLarge) return 413;
  if (error instanceof OtlpError) return 400;
  if (!(error instanceof RequestError)) return 503;
  return error.status === 500 ? 503 : error.status;
}

/** google.rpc.Status with its message (field 2) alone. */
function answerStatus(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent || response.destroyed) return void response.end();
  const text = Buffer.from(message);
  const head = [0x12];
  let length = text.length;
  for (; length >= 0x80; length = Math.floor(length / 128)) head.push((length % 128) | 0x80);
  head.push(length);
  const body = Buffer.concat([Buffer.from(head), text]);
  response.writeHead(status, { "content-type": "application/octet-stream", "content-length": body.length });
  response.end(body);
}
