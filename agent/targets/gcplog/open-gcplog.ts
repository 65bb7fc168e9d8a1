// `gcplog` with `subscription_type: push`: entries of Google Cloud Logging that a Pub/Sub subscription posts, with Promtail's labels.

import type { z } from "zod";
import { createNanoClock } from "../../../lib/runtime/clock.ts";
import type { Request } from "../../../lib/runtime/http-server.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { TENANT_LABEL } from "../../client/stream-labels.ts";
import type { gcplogSchema } from "../../config/rare-blocks.ts";
import { counter } from "../../metric.ts";
import { openRelabelCounter, relabelBeside } from "../push/entry-labels.ts";
import { openReceiver, type Received, Refusal, tenantOf } from "../push/receiver.ts";
import type { Source, SourceContext } from "../source.ts";
import { GcpMessageError, readPushMessage } from "./log-entry.ts";

export type GcplogConfig = z.infer<ReturnType<typeof gcplogSchema>>;

/** @throws Error for a subscription that is pulled, when the address is taken or a certificate cannot be read */
export async function openGcplog(config: GcplogConfig, context: SourceContext): Promise<Source> {
  if (config.subscription_type !== "push") {
    throw new Error(
      `subscription_type ${JSON.stringify(config.subscription_type)} is not supported: give the Pub/Sub subscription a push endpoint that leads to /gcp/api/v1/push, and set subscription_type: push`,
    );
  }
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
  const reader = new PushReader(config, context);
  const translate = (body: Buffer, request: Request): Received => {
    try {
      return { batch: reader.read(body, request) };
    } catch (error) {
      if (!(error instanceof GcpMessageError)) throw error;
      errors.inc({ reason: error.fault });
      throw new Refusal(400, error.message, { cause: error });
    }
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

class PushReader {
  readonly #config: GcplogConfig;
  readonly #context: SourceContext;
  readonly #labels: LabelSet;
  readonly #nowNs: () => readonly [sec: number, nanos: number];
  readonly #dropped: (entryCount: number) => void;

  constructor(config: GcplogConfig, context: SourceContext) {
    this.#config = config;
    this.#context = context;
    this.#labels = LabelSet.fromObject(config.labels);
    this.#nowNs = createNanoClock(() => context.clock.nowMs());
    this.#dropped = openRelabelCounter(context.registry);
  }

  /** @throws GcpMessageError */
  read(body: Buffer, request: Request): EntryBatch {
    const { use_incoming_timestamp: keepTime, use_full_line: useFullLine } = this.#config;
    const { internal, line, time } = readPushMessage(body, { keepTime, useFullLine });
    const tenant = tenantOf(request);
    internal.set(TENANT_LABEL, tenant);
    const batch = new EntryBatch();
    const labels = relabelBeside(this.#context.relabel, internal, this.#labels, "fixed");
    if (labels === undefined) {
      this.#dropped(1);
      return batch;
    }
    const [sec, nanos] = time === undefined ? this.#nowNs() : [time.sec, time.nanos];
    const i = batch.addText(line, sec, nanos, labels.with(TENANT_LABEL, tenant));
    batch.setTime(i, sec, nanos);
    return batch;
  }
}
