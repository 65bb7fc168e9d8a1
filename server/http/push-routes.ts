// POST /loki/api/v1/push: bytes in, 204 when they are durable.

import type { Route } from "../../lib/runtime/http-server.ts";
import { BodyTooLarge } from "../../lib/runtime/http-server.ts";
import { decodePush } from "../../lib/wire/decode-push.ts";
import { PushError, PushTooLarge } from "../../lib/wire/push-columns.ts";
import { RequestError } from "../errors.ts";
import type { Ingester } from "../ingest/ingester.ts";
import type { TenantResolver } from "./tenant.ts";

export interface PushLimits {
  /** Of the body as it comes over the wire. */
  readonly bodyBytes: number;
  /** Of the body after decompression: guards the heap against a small body that inflates. */
  readonly decodedBytes: number;
}

export function pushRoutes(ingester: Ingester, tenants: TenantResolver, limits: PushLimits): Route[] {
  const route = (path: string, legacyPath: boolean): Route => ({
    methods: ["POST"],
    path,
    async handler(request, response) {
      const tenant = tenants.one(request.raw);
      let body: Buffer;
      try {
        body = await request.body(limits.bodyBytes);
      } catch (error) {
        if (error instanceof BodyTooLarge) throw new RequestError(413, error.message, { reason: "request_body_too_large" });
        throw error;
      }
      await readable(
        decodePush(body, request.raw.headers, { legacyPath, limitBytes: limits.decodedBytes }, (columns) => ingester.push(tenant, columns)),
      );
      response.writeHead(204).end();
    },
  });
  return [route("/loki/api/v1/push", false), route("/api/prom/push", true)];
}

/** Of a body that cannot be read the client is told in Loki's way. */
async function readable(pushing: Promise<void>): Promise<void> {
  try {
    await pushing;
  } catch (error) {
    if (error instanceof PushTooLarge) throw new RequestError(413, error.message, { reason: "request_body_too_large", cause: error });
    if (error instanceof PushError) throw new RequestError(400, error.message, { cause: error });
    throw error;
  }
}
