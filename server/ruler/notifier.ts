// Alerts on their way to a tenant's Alertmanagers: a bounded queue, sent in batches to all of them at once. A batch that none takes is
// dropped and counted: the rule tells a firing alert again after the resend delay, and a resolved one for fifteen minutes.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { goJsonString } from "../../lib/text/go-json.ts";
import { escapeQuery } from "../../lib/text/go-template/builtins.ts";
import { compileRelabel, type Relabel } from "../../lib/text/relabel.ts";
import type { Alert } from "./alert.ts";
import { Alertmanagers, type LookUpSrv } from "./alertmanagers.ts";
import { HttpSender } from "./http-sender.ts";
import type { RulerMetrics } from "./ruler-metrics.ts";
import type { AlertmanagerSettings } from "./settings.ts";

export interface NotifierOptions {
  readonly tenant: string;
  readonly settings: AlertmanagerSettings;
  readonly externalUrl: string;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly datasourceUid: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RulerMetrics;
  readonly lookUp?: LookUpSrv;
}

/** An alert as Alertmanager's API takes it. */
interface PostedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

const BATCH_ALERTS_MAX = 64;
/** How long the end of the server waits for alerts that have not been sent. */
const CLOSE_MS = 3000;

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #relabel: Relabel;
  readonly #alertmanagers: Alertmanagers;
  readonly #sender: HttpSender;
  readonly #stop = new AbortController();
  #queue: PostedAlert[] = [];
  #sending: Promise<void> | undefined;
  #toldNowhere = false;

  /** @throws Error when a certificate cannot be read */
  constructor(options: NotifierOptions) {
    const { settings, tenant, metrics } = options;
    this.#options = options;
    this.#relabel = compileRelabel(settings.relabel);
    this.#alertmanagers = new Alertmanagers(settings, options);
    this.#sender = new HttpSender(settings.access);
    metrics.notificationCapacity.set({ user: tenant }, settings.queueCapacity);
    metrics.notificationsDropped.inc({ user: tenant }, 0);
  }

  /** Takes alerts for sending. When the queue is full the oldest give way. */
  send(alerts: readonly Alert[], expr: string, validUntilMs: number): void {
    const { settings, tenant, metrics, log } = this.#options;
    if (settings.urls.length === 0) return this.#tellNowhere();
    this.#queue.push(...alerts.flatMap((alert) => this.#posted(alert, expr, validUntilMs) ?? []));
    const excess = this.#queue.length - settings.queueCapacity;
    if (excess > 0) {
      this.#queue.splice(0, excess);
      metrics.notificationsDropped.inc({ user: tenant }, excess);
      log.warn(
        { tenant, dropped: excess, capacity: settings.queueCapacity },
        "alert notification queue full, the oldest alerts are dropped",
      );
    }
    this.#sending ??= this.#sendAll();
  }

  #tellNowhere(): void {
    if (!this.#toldNowhere) this.#options.log.warn({ tenant: this.#options.tenant }, "alerts go nowhere: set ruler.alertmanager_url");
    this.#toldNowhere = true;
  }

  /** Gives what waits a short while to be sent. */
  async close(): Promise<void> {
    const { clock } = this.#options;
    if (this.#sending !== undefined) await Promise.race([this.#sending, clock.sleep(CLOSE_MS, this.#stop.signal)]);
    this.#stop.abort();
    await this.#sending;
    this.#sender.close();
  }

  async #sendAll(): Promise<void> {
    const { metrics, tenant } = this.#options;
    while (this.#queue.length > 0 && !this.#stop.signal.aborted) {
      const batch = this.#queue.splice(0, BATCH_ALERTS_MAX);
      metrics.notificationQueue.set({ user: tenant }, this.#queue.length);
      await this.#sendBatch(batch);
    }
    const left = this.#queue.length;
    if (left > 0) metrics.notificationsDropped.inc({ user: tenant }, left);
    this.#queue = [];
    this.#sending = undefined;
  }

  async #sendBatch(batch: readonly PostedAlert[]): Promise<void> {
    const { metrics, tenant, log } = this.#options;
    const endpoints = await this.#alertmanagers.endpoints();
    metrics.alertmanagers.set({ user: tenant }, endpoints.length);
    const body = Buffer.from(JSON.stringify(batch));
    const headers = { "Content-Type": "application/json", "X-Scope-OrgID": tenant };
    const taken = await Promise.all(
      endpoints.map(async (url) => {
        const { status, message } = await this.#sender.post(url, body, headers, this.#stop.signal);
        const labels = { user: tenant, alertmanager: withoutLogin(url) };
        metrics.notificationsSent.inc(labels, batch.length);
        if (status >= 200 && status < 300) return true;
        metrics.notificationErrors.inc(labels, batch.length);
        log.error({ tenant, alertmanager: labels.alertmanager, alerts: batch.length, status, error: message }, "error sending alerts");
        return false;
      }),
    );
    if (!taken.includes(true)) metrics.notificationsDropped.inc({ user: tenant }, batch.length);
  }

  /** @returns undefined when a relabel rule drops the alert */
  #posted(alert: Alert, expr: string, validUntilMs: number): PostedAlert | undefined {
    const { externalLabels, externalUrl, datasourceUid } = this.#options;
    const { names, values } = alert.labels;
    const labels = new Map([...Object.entries(externalLabels), ...names.map((name, i) => [name, values[i]!] as const)]);
    if (!this.#relabel(labels)) return undefined;
    return {
      labels: Object.fromEntries(labels),
      annotations: Object.fromEntries(alert.annotations),
      startsAt: new Date(alert.firedAtMs).toISOString(),
      endsAt: new Date(alert.resolvedAtMs > 0 ? alert.resolvedAtMs : validUntilMs).toISOString(),
      generatorURL: externalUrl.replace(/\/+$/, "") + explorePath(expr, datasourceUid),
    };
  }
}

/** Grafana's Explore with the rule's query in it, as Loki links to it. */
export function explorePath(expr: string, datasourceUid: string): string {
  const datasource = datasourceUid === "" ? "" : `,"datasource":{"type":"loki","uid":${goJsonString(datasourceUid)}}`;
  return `/explore?left=${escapeQuery(`{"queries":[{"expr":${goJsonString(expr)},"queryType":"range"${datasource}}]}`)}`;
}

function withoutLogin(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, "$1");
}
