// POST /loki/api/v1/push: bytes in, 204 when they are durable.

import { BufferPool } from "../../lib/runtime/buffer-pool.ts";
import { BodyTooLarge, type Route } from "../../lib/runtime/http-server.ts";
import { decodePush } from "../../lib/wire/decode-push.ts";
import { PushError, PushTooLarge } from "../../lib/wire/push-columns.ts";
import { RequestError } from "../errors.ts";
import { type Ingester, TOO_LARGE } from "../ingest/ingester.ts";
import type { TenantResolver } from "./tenant.ts";

export interface PushLimits {
  /** Of the body as it comes over the wire. */
  readonly bodyBytes: number;
  /** Of the body after decompression: guards the heap against a small body that inflates. */
  readonly decodedBytes: number;
}

export function pushRoutes(ingester: Ingester, tenants: TenantResolver, limits: PushLimits): Route[] {
  const pool = new BufferPool();
  const route = (path: string, legacyPath: boolean): Route => ({
    methods: ["POST"],
    path,
    async handler(request, response) {
      const tenant = tenants.one(request.raw);
      let body: Buffer | undefined;
      try {
        body = await request.body(limits.bodyBytes, (bytes) => pool.take(bytes));
        await decodePush(body, request.raw.headers, { legacyPath, limitBytes: limits.decodedBytes }, (columns) =>
          ingester.push(tenant, columns),
        );
      } catch (error) {
        if (error instanceof BodyTooLarge || error instanceof PushTooLarge) ingester.countTooLarge(tenant, sizeOf(error, body));
        throw asAnswer(error);
      } finally {
        // Whatever was taken from it is in the log by now, or was refused.
        if (body !== undefined) pool.give(Buffer.from(body.buffer));
      }
      response.writeHead(204).end();
    },
  });
  return [route("/loki/api/v1/push", false), route("/api/prom/push", true)];
}

/** Bytes of a refused body on the wire; `body` is undefined when it was not read to its end. */
export function sizeOf(error: unknown, body: Buffer | undefined): number {
  return error instanceof BodyTooLarge ? error.gotBytes : (body?.length ?? 0);
}

/** Of a body that cannot be read the client is told in Loki's way. */
function asAnswer(error: unknown): unknown {
  if (error instanceof BodyTooLarge || error instanceof PushTooLarge)
    return new RequestError(413, error.message, { reason: TOO_LARGE, cause: error });
  return error instanceof PushError ? new RequestError(400, error.message, { cause: error }) : error;
}
