// Recorded samples of all tenants on their way to the remotes. Each tenant and client has a queue on disk of its own, so that a remote that
// is away, or a tenant that records much, holds up nobody else. What a former run left behind is sent after the restart.

import { join } from "node:path";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { type Disk, systemDisk } from "../../../lib/runtime/disk.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { RecordedSample } from "../evaluate-recording.ts";
import type { RulerMetrics } from "../ruler-metrics.ts";
import type { RemoteWriteSettings } from "../settings.ts";
import { RemoteClient } from "./remote-client.ts";
import { openSampleQueue } from "./sample-queue.ts";

export interface RemoteWriteOptions {
  readonly folder: string;
  readonly ageMaxMs: number;
  /** The tenant's clients, now. */
  readonly settingsOf: (tenant: string) => readonly RemoteWriteSettings[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RulerMetrics;
  readonly disk?: Disk;
}

/** Of one tenant's samples for one client. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;

export class RemoteWrite {
  readonly #options: RemoteWriteOptions;
  readonly #disk: Disk;
  readonly #clients = new Map<string, Promise<RemoteClient>>();
  /** Tenants that were told that they have no remote. */
  readonly #nowhere = new Set<string>();
  #closed = false;

  constructor(options: RemoteWriteOptions) {
    this.#options = options;
    this.#disk = options.disk ?? systemDisk;
  }

  /** Goes on with what a former run could not send. */
  async resume(): Promise<void> {
    const { folder, settingsOf, log } = this.#options;
    for (const tenant of await this.#names(folder)) {
      for (const id of await this.#names(join(folder, encodeURIComponent(tenant)))) {
        const settings = settingsOf(tenant).find((one) => one.id === id);
        if (settings !== undefined) await this.#client(tenant, settings);
        else
          log.warn(
            { tenant, client: id },
            "samples wait for a remote write client that is not configured any more; they stay where they are",
          );
      }
    }
  }

  /** Keeps samples for the tenant's remotes. Never rejects: what cannot be written is counted. */
  async append(tenant: string, samples: readonly RecordedSample[]): Promise<void> {
    const { settingsOf, metrics, log } = this.#options;
    metrics.samplesAppended.inc({ tenant }, samples.length);
    const clients = settingsOf(tenant);
    if (clients.length === 0) this.#tellNowhere(tenant);
    for (const settings of clients) {
      if (this.#closed) return;
      try {
        await (await this.#client(tenant, settings)).append(samples);
      } catch (error) {
        metrics.samplesFailed.inc({ tenant, rw_client: settings.id }, samples.length);
        log.error({ tenant, client: settings.id, samples: samples.length, error: messageOf(error) }, "recorded samples could not be kept");
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#clients.values()].map((client) => client.then((opened) => opened.close()).catch(() => {})));
  }

  #tellNowhere(tenant: string): void {
    if (this.#nowhere.has(tenant)) return;
    this.#nowhere.add(tenant);
    this.#options.log.warn(
      { tenant },
      "recording rules are evaluated and their samples go nowhere: set ruler.remote_write.enabled and clients",
    );
  }

  /** The client, opened anew when its settings have changed; changes follow one another. */
  #client(tenant: string, settings: RemoteWriteSettings): Promise<RemoteClient> {
    const key = JSON.stringify([tenant, settings.id]);
    const former: Promise<RemoteClient | undefined> = this.#clients.get(key)?.catch(() => undefined) ?? Promise.resolve(undefined);
    const next = former.then(async (known) => {
      if (known !== undefined && JSON.stringify(known.settings) === JSON.stringify(settings)) return known;
      await known?.close();
      return this.#open(tenant, settings);
    });
    this.#clients.set(key, next);
    return next;
  }

  async #open(tenant: string, settings: RemoteWriteSettings): Promise<RemoteClient> {
    const { folder, ageMaxMs, clock, log, metrics } = this.#options;
    const labels = { tenant, rw_client: settings.id };
    const queue = await openSampleQueue({
      folder: join(folder, encodeURIComponent(tenant), encodeURIComponent(settings.id)),
      disk: this.#disk,
      log,
      bytesMax: QUEUE_BYTES_MAX,
      ageMaxMs,
      onDropped: (samples, reason) => {
        metrics.samplesDropped.inc(labels, samples);
        log.warn({ ...labels, samples, reason }, "recorded samples are dropped: the remote was away too long");
      },
      onCorruption: () => metrics.walCorruptions.inc({ tenant }),
    });
    return new RemoteClient({ tenant, settings, queue, clock, log, metrics });
  }

  async #names(folder: string): Promise<string[]> {
    try {
      return (await this.#disk.list(folder)).map(decodeURIComponent);
    } catch {
      // No samples were ever kept there.
      return [];
    }
  }
}
