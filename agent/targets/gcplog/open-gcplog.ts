// `gcplog`: entries of Google Cloud Logging through Pub/Sub, pushed or pulled, with Promtail's labels.

import type { z } from "zod";
import type { Request } from "../../../lib/runtime/http-server.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import type { gcplogSchema } from "../../config/rare-blocks.ts";
import { counter } from "../../metric.ts";
import { openReceiver, type Received, tenantOf } from "../push/receiver.ts";
import { Refusal } from "../push/refusal.ts";
import type { Source, SourceContext } from "../source.ts";
import { GcpEntries } from "./gcp-entries.ts";
import { GcpMessageError, readPushMessage } from "./log-entry.ts";

export type GcplogConfig = z.infer<ReturnType<typeof gcplogSchema>>;

/** @throws Error for settings that lead nowhere, when the address is taken or a certificate cannot be read */
export async function openGcplog(config: GcplogConfig, context: SourceContext): Promise<Source> {
  switch (config.subscription_type) {
    case "push":
      return openPush(config, context);
    case "pull":
    case "":
      return openPull(config, context, process.env);
    default:
      throw new Error(`subscription_type is ${JSON.stringify(config.subscription_type)}, expected push or pull`);
  }
}

function openPush(config: GcplogConfig, context: SourceContext): Promise<Source> {
  const { registry } = context;
  const entries = counter(
    registry,
    "promtail_gcp_push_target_entries_total",
    "Number of successful entries received by the GCP Push target",
  );
  const errors = counter(
    registry,
    "promtail_gcp_push_target_parsing_errors_total",
    "Number of parsing errors while receiving GCP Push messages",
    ["reason"],
  );
  const reader = new GcpEntries(config, context);
  const translate = (body: Buffer, request: Request): Received => {
    const batch = new EntryBatch();
    try {
      reader.add(batch, readPushMessage(body, reader.options), tenantOf(request));
    } catch (error) {
      if (!(error instanceof GcpMessageError)) throw error;
      errors.inc({ reason: error.fault });
      throw new Refusal(400, error.message, { cause: error });
    }
    return { batch };
  };
  return openReceiver(
    {
      kind: "Gcplog",
      block: "gcplog",
      server: config.server,
      labels: config.labels,
      routes: [{ path: "/gcp/api/v1/push", translate, onTaken: (count) => entries.inc(count) }],
      timeoutMs: config.push_timeout,
    },
    context,
  );
}

/** @param env where credentials, or an emulator, are named. @throws Error when project or subscription is missing */
export async function openPull(
  config: GcplogConfig,
  context: SourceContext,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Source> {
  const { project_id: project, subscription } = config;
  if (project === "" || subscription === "") throw new Error("a subscription that is pulled needs project_id and subscription");
  const [{ GoogleToken }, { PUBSUB_ORIGIN, PUBSUB_SCOPE, Subscription }, { PullTarget }] = await Promise.all([
    import("./google-token.ts"),
    import("./pubsub.ts"),
    import("./pull-target.ts"),
  ]);
  const emulator = env.PUBSUB_EMULATOR_HOST;
  const api = emulator
    ? { origin: `http://${emulator}`, token: undefined }
    : { origin: PUBSUB_ORIGIN, token: new GoogleToken({ scope: PUBSUB_SCOPE, clock: context.clock, env }) };
  return new PullTarget(config, context, new Subscription({ project, subscription, ...api }));
}
