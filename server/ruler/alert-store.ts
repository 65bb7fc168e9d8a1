// Alerts on disk, so that a restart neither begins `for` anew nor forgets who was told: one file per tenant, replaced as a whole soon after
// an evaluation, with the alerts that are pending, firing or lately resolved.

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { replaceFile } from "../../lib/runtime/replace-file.ts";
import type { SavedAlerts } from "./evaluate-alerting.ts";

/** Alerts by group and rule identity. */
export type TenantAlerts = ReadonlyMap<string, ReadonlyMap<string, SavedAlerts>>;

/** Evaluations within this time share a write. */
const WRITE_EVERY_MS = 1000;
const VERSION = 1;

const alertSchema = z.strictObject({
  labels: z.strictObject({ names: z.array(z.string()), values: z.array(z.string()) }),
  annotations: z.array(z.tuple([z.string(), z.string()])),
  state: z.enum(["pending", "firing", "inactive"]),
  // JSON has no NaN and no infinities.
  value: z
    .number()
    .nullable()
    .transform((value) => value ?? Number.NaN),
  activeAtMs: z.number(),
  firedAtMs: z.number(),
  resolvedAtMs: z.number(),
  lastSentAtMs: z.number(),
  keepFiringSinceMs: z.number(),
});
const savedSchema = z.strictObject({ lastEvalMs: z.number(), alerts: z.array(alertSchema) });
const fileSchema = z.strictObject({
  version: z.literal(VERSION),
  groups: z.record(z.string(), z.record(z.string(), savedSchema)),
});

export class AlertStore {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #writing = new Map<string, Promise<void>>();
  readonly #stale = new Map<string, () => TenantAlerts>();
  readonly #written = new Map<string, string>();

  constructor(folder: string, options: { clock: Clock; log: Log }) {
    this.#folder = folder;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** The alerts of a tenant that are no older than the outage that is tolerated; none when the file is not there or damaged. */
  async read(tenant: string, toleranceMs: number): Promise<TenantAlerts> {
    try {
      const text = await readFile(this.#path(tenant), "utf8");
      const { groups } = fileSchema.parse(JSON.parse(text));
      this.#written.set(tenant, text);
      const oldestMs = this.#clock.nowMs() - toleranceMs;
      return new Map(
        Object.entries(groups).map(([key, rules]) => [
          key,
          new Map(Object.entries(rules).filter(([, { lastEvalMs }]) => lastEvalMs >= oldestMs)),
        ]),
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.#log.warn(
          { tenant, file: this.#path(tenant), error: messageOf(error) },
          "alerts of the last run cannot be read, they begin anew",
        );
      return new Map();
    }
  }

  /** The tenant's alerts have moved: they are written within a second. */
  changed(tenant: string, alerts: () => TenantAlerts): void {
    this.#stale.set(tenant, alerts);
    if (!this.#writing.has(tenant)) this.#writing.set(tenant, this.#writeLater(tenant));
  }

  /** Resolves when everything is on disk. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#writing.values());
  }

  async #writeLater(tenant: string): Promise<void> {
    await this.#clock.sleep(WRITE_EVERY_MS, this.#stop.signal);
    for (let alerts = this.#stale.get(tenant); alerts !== undefined; alerts = this.#stale.get(tenant)) {
      this.#stale.delete(tenant);
      await this.#write(tenant, alerts());
    }
    this.#writing.delete(tenant);
  }

  async #write(tenant: string, alerts: TenantAlerts): Promise<void> {
    const groups = Object.fromEntries(
      [...alerts].filter(([, rules]) => rules.size > 0).map(([key, rules]) => [key, Object.fromEntries(rules)]),
    );
    const text = JSON.stringify({ version: VERSION, groups });
    if (text === (this.#written.get(tenant) ?? NOTHING)) return;
    try {
      await mkdir(this.#folder, { recursive: true });
      await replaceFile(this.#path(tenant), text);
      this.#written.set(tenant, text);
    } catch (error) {
      this.#log.error({ tenant, file: this.#path(tenant), error: messageOf(error) }, "alerts cannot be kept for a restart");
    }
  }

  #path(tenant: string): string {
    return join(this.#folder, `${encodeURIComponent(tenant)}.json`);
  }
}

const NOTHING = JSON.stringify({ version: VERSION, groups: {} });
