// http_sd_configs: groups in JSON from a URL, asked at each `refresh_interval`. Prometheus' own, and Promtail's successors'; Promtail itself
// has none. https://prometheus.io/docs/prometheus/latest/http_sd/

import { type Clock, systemClock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { ApiClient } from "../client/api-client.ts";
import { httpOf } from "../client-settings.ts";
import type { HttpSdConfig } from "../config/discoveries.ts";
import type { Discovery, TargetGroup } from "./discovery.ts";
import { PeriodicDiscovery } from "./periodic.ts";
import { withFoldedKeys, writtenGroups } from "./written-groups.ts";

const TIMEOUT_MS = 30_000;
const JSON_TYPE = /^application\/json(?:;\s*charset=(?:"utf-8"|utf-8))?$/i;

export function httpDiscovery(config: HttpSdConfig, log: Log, options: { readonly clock?: Clock } = {}): Discovery {
  const { url, refresh_interval: intervalMs } = config;
  const { protocol, username, password, host, pathname, search } = new URL(url);
  const login = username === "" ? "" : `${username}:${password}@`;
  const headers = { Accept: "application/json", "X-Prometheus-Refresh-Interval-Seconds": String(intervalMs / 1_000) };
  const way = { ...httpOf(config), url: `${protocol}//${login}${host}`, headers };
  const client = new ApiClient(way, { clock: options.clock ?? systemClock, log });
  return new PeriodicDiscovery({
    kind: "http",
    intervalMs,
    log,
    clock: options.clock,
    ask: async (signal) => ({ groups: await askFor(client, `${pathname}${search}`, url, signal) }),
    close: () => client.close(),
  });
}

async function askFor(client: ApiClient, path: string, url: string, signal: AbortSignal): Promise<TargetGroup[]> {
  const answer = await client.json(path, { signal, timeoutMs: TIMEOUT_MS });
  if (answer.status !== 200) throw new Error(`${url} answered with status ${answer.status}, not 200`);
  const type = answer.header("content-type");
  if (!JSON_TYPE.test(type)) throw new Error(`${url} answered with content type ${JSON.stringify(type)}, not application/json`);
  return writtenGroups({ file: url, value: withFoldedKeys(answer.body), where: () => url }, url, "__meta_url");
}
