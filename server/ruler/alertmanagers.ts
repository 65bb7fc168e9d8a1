// The addresses of a tenant's Alertmanagers: as configured, or behind SRV records that are looked up again and again.

import { resolveSrv } from "node:dns/promises";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { AlertmanagerSettings } from "./settings.ts";

export interface SrvTarget {
  readonly name: string;
  readonly port: number;
}
export type LookUpSrv = (name: string) => Promise<readonly SrvTarget[]>;

/** `_http._tcp.alertmanager.example` */
const SRV_NAME = /^_[\w-]+\._tcp\..+/;

export class Alertmanagers {
  readonly #settings: AlertmanagerSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lookUp: LookUpSrv;
  #found: readonly string[] = [];
  #lookedUpMs = Number.NEGATIVE_INFINITY;

  constructor(settings: AlertmanagerSettings, options: { clock: Clock; log: Log; lookUp?: LookUpSrv }) {
    this.#settings = settings;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#lookUp = options.lookUp ?? resolveSrv;
    if (!settings.discovery) this.#found = settings.urls.map((url) => endpoint(url, settings.apiPath));
  }

  /** Where to post alerts now. A look-up that fails leaves the former addresses. */
  async endpoints(): Promise<readonly string[]> {
    const { discovery, refreshMs } = this.#settings;
    if (discovery && this.#clock.nowMs() - this.#lookedUpMs >= refreshMs) {
      this.#lookedUpMs = this.#clock.nowMs();
      try {
        this.#found = (await Promise.all(this.#settings.urls.map((url) => this.#behind(url)))).flat();
      } catch (error) {
        this.#log.warn({ error: messageOf(error), former: this.#found.length }, "Alertmanagers could not be looked up");
      }
    }
    return this.#found;
  }

  async #behind(url: string): Promise<string[]> {
    const { hostname } = new URL(url);
    if (!SRV_NAME.test(hostname))
      throw new Error(`with enable_alertmanager_discovery a host name must be of the form _portname._tcp.service.fqdn (is "${hostname}")`);
    const targets = await this.#lookUp(hostname);
    return targets.map(({ name, port }) => {
      const target = new URL(url);
      target.host = `${name.replace(/\.$/, "")}:${port}`;
      return endpoint(target.href, this.#settings.apiPath);
    });
  }
}

function endpoint(url: string, apiPath: string): string {
  return `${url.replace(/\/+$/, "")}${apiPath}`;
}
