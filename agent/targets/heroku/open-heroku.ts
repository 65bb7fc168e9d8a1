// `heroku_drain`: what a Heroku application's HTTPS log drain posts, with Promtail's labels.

import type { z } from "zod";
import { createNanoClock } from "../../../lib/runtime/clock.ts";
import type { Request } from "../../../lib/runtime/http-server.ts";
import { parseLayout, TimeParseError } from "../../../lib/text/go-time.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { TENANT_LABEL } from "../../client/stream-labels.ts";
import type { herokuDrainSchema } from "../../config/rare-blocks.ts";
import { counter } from "../../metric.ts";
import { openRelabelCounter, relabelBeside } from "../push/entry-labels.ts";
import { openReceiver, type Received, tenantOf } from "../push/receiver.ts";
import type { Source, SourceContext } from "../source.ts";
import { LogplexError, type LogplexMessage, readLogplex } from "./logplex.ts";

export type HerokuConfig = z.infer<ReturnType<typeof herokuDrainSchema>>;

const rfc3339 = parseLayout("2006-01-02T15:04:05Z07:00");

/** @throws Error when the address is taken or a certificate cannot be read */
export async function openHerokuDrain(config: HerokuConfig, context: SourceContext): Promise<Source> {
  const { registry } = context;
  const entries = counter(
    registry,
    "promtail_heroku_drain_target_entries_total",
    "Number of successful entries received by the Heroku target",
  );
  const errors = counter(
    registry,
    "promtail_heroku_drain_target_parsing_errors_total",
    "Number of parsing errors while receiving Heroku messages",
  );
  const reader = new DrainReader(config, context);
  return openReceiver(
    {
      kind: "HerokuDrain",
      block: "heroku_drain",
      server: config.server,
      labels: config.labels,
      routes: [
        {
          path: "/heroku/api/v1/drain",
          translate: (body, request) => reader.read(body, request),
          onFault: () => errors.inc(),
          onTaken: (count) => entries.inc(count),
        },
      ],
    },
    context,
  );
}

class DrainReader {
  readonly #context: SourceContext;
  readonly #labels: LabelSet;
  readonly #keepTime: boolean;
  readonly #nowNs: () => readonly [sec: number, nanos: number];
  readonly #dropped: (entryCount: number) => void;

  constructor({ labels, use_incoming_timestamp }: HerokuConfig, context: SourceContext) {
    this.#context = context;
    this.#labels = LabelSet.fromObject(labels);
    this.#keepTime = use_incoming_timestamp;
    this.#nowNs = createNanoClock(() => context.clock.nowMs());
    this.#dropped = openRelabelCounter(context.registry);
  }

  /** Messages before a malformed one are taken, as Promtail takes them. */
  read(body: Buffer, request: Request): Received {
    const batch = new EntryBatch(body);
    const parameters = parametersOf(request.query);
    const tenant = tenantOf(request);
    try {
      for (const message of readLogplex(body)) this.#add(batch, message, parameters, tenant);
    } catch (error) {
      if (error instanceof LogplexError || error instanceof TimeParseError) return { batch, fault: error.message };
      throw error;
    }
    return { batch };
  }

  #add(batch: EntryBatch, message: LogplexMessage, parameters: readonly (readonly [string, string])[], tenant: string): void {
    const { sec, nanos } = rfc3339.parse(message.time);
    const internal = new Map([
      ...parameters,
      ["__heroku_drain_host", message.host],
      ["__heroku_drain_app", message.app],
      ["__heroku_drain_proc", message.process],
      ["__heroku_drain_log_id", message.id],
      [TENANT_LABEL, tenant],
    ]);
    const labels = relabelBeside(this.#context.relabel, internal, this.#labels, "rules");
    if (labels === undefined) return this.#dropped(1);
    const time = this.#keepTime ? ([sec, nanos] as const) : this.#nowNs();
    const i = batch.add(message.start, message.end, time[0], time[1], labels.with(TENANT_LABEL, tenant));
    batch.setTime(i, ...time);
  }
}

/** `?a=1&a=2` is one label with both values. */
function parametersOf(query: URLSearchParams): [string, string][] {
  return [...new Set(query.keys())].map((name) => [`__heroku_drain_param_${name}`, query.getAll(name).join(",")]);
}
