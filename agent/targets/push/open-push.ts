// `loki_push_api`: what any Loki client may push to, and lines as plain text.

import type { z } from "zod";
import { createNanoClock } from "../../../lib/runtime/clock.ts";
import { plain } from "../../../lib/runtime/http-server.ts";
import { decodePush, inflate } from "../../../lib/wire/decode-push.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { PushError, PushTooLarge } from "../../../lib/wire/push-columns.ts";
import type { lokiPushApiSchema } from "../../config/rare-blocks.ts";
import type { Source, SourceContext } from "../source.ts";
import { openRelabelCounter } from "./entry-labels.ts";
import { batchOfPush, batchOfText } from "./push-batch.ts";
import { DECODED_BYTES_MAX, openReceiver, tenantOf } from "./receiver.ts";
import { Refusal } from "./refusal.ts";

export type LokiPushConfig = z.infer<ReturnType<typeof lokiPushApiSchema>>;

/** @throws Error when the address is taken or a certificate cannot be read */
export async function openLokiPush(config: LokiPushConfig, context: SourceContext): Promise<Source> {
  const nowNs = createNanoClock(() => context.clock.nowMs());
  const dropped = openRelabelCounter(context.registry);
  const rules = { relabel: context.relabel, labels: config.labels, dropped, nowNs, keepTime: config.use_incoming_timestamp };
  const text = { labels: LabelSet.fromObject(config.labels), nowNs };

  const push = (path: string, legacyPath: boolean) => ({
    path,
    translate: (body: Buffer, request: Parameters<typeof tenantOf>[0]) =>
      refusing(
        decodePush(body, request.raw.headers, { legacyPath, limitBytes: DECODED_BYTES_MAX }, (columns) =>
          batchOfPush(columns, tenantOf(request), rules),
        ),
      ),
  });
  return openReceiver(
    {
      kind: "Push",
      block: "loki_push_api",
      server: config.server,
      labels: config.labels,
      routes: [
        push("/loki/api/v1/push", false),
        push("/api/prom/push", true),
        {
          path: "/promtail/api/v1/raw",
          translate: async (body, { raw }) => {
            const encoding = raw.headers["content-encoding"] ?? "";
            const plainBody = encoding === "" ? body : await refusing(inflate(body, encoding, ["gzip", "deflate"], DECODED_BYTES_MAX));
            return { batch: batchOfText(plainBody, text) };
          },
        },
      ],
      otherRoutes: [{ methods: ["GET"], path: "/ready", handler: (_, response) => plain(response, 200, "ready") }],
    },
    context,
  );
}

/** Of a body that cannot be read the sender is told with Loki's texts. */
async function refusing<T>(decoding: Promise<T>): Promise<T> {
  try {
    return await decoding;
  } catch (error) {
    if (error instanceof PushError) throw new Refusal(error instanceof PushTooLarge ? 413 : 400, error.message, { cause: error });
    throw error;
  }
}
