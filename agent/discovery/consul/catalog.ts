// consul_sd_configs: instances of the catalogue's services, told of by blocking queries as soon as they change, at most once in each
// `refresh_interval`. https://developer.hashicorp.com/consul/api-docs/features/blocking
// Labels: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#consul_sd_config

import { type Clock, systemClock, within } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { Answer, ApiClient } from "../../client/api-client.ts";
import { backoffMs } from "../../client/backoff.ts";
import { httpOf } from "../../client-settings.ts";
import type { ConsulSdConfig } from "../../config/discoveries.ts";
import type { DiscoveredLabels, Discovery, TargetGroup } from "../discovery.ts";
import { joinHostPort, safeLabelName } from "../meta-labels.ts";
import { FIRST_ANSWER_MS } from "../periodic.ts";
import { type ConsulService, indexOf, joinTags, localDatacenter, openConsul } from "./consul-api.ts";

const WAIT_MS = 120_000;
/** Consul adds up to a sixteenth to the wait. */
const TIMEOUT_MS = WAIT_MS + 15_000;
const RETRY = { minMs: 1_000, maxMs: 15_000, retriesMax: 0 };
const SOCKETS_MAX = 10_000;
const PREFIX = "__meta_consul_";

/** One item of `GET /v1/health/service/<name>`. */
interface ServiceInstance {
  readonly Node?: {
    readonly Node?: string;
    readonly Address?: string;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly TaggedAddresses?: Readonly<Record<string, string>> | null;
  };
  readonly Service?: ConsulService;
  readonly Checks?: readonly { readonly CheckID?: string; readonly Status?: string }[] | null;
}

export function consulDiscovery(config: ConsulSdConfig, log: Log, options: { readonly clock?: Clock } = {}): Discovery {
  return new CatalogDiscovery(config, log, options.clock ?? systemClock);
}

class CatalogDiscovery implements Discovery {
  readonly kind = "consul";
  readonly #config: ConsulSdConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #client: ApiClient;
  readonly #stop = new AbortController();
  /** By name of the service. */
  readonly #watched = new Map<string, { readonly stop: AbortController; readonly done: Promise<void>; readonly tried: Promise<void> }>();
  #update: (groups: readonly TargetGroup[]) => void = () => {};
  #datacenter: string;
  #work: Promise<void> = Promise.resolve();

  constructor(config: ConsulSdConfig, log: Log, clock: Clock) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    this.#datacenter = config.datacenter;
    const { server, scheme, token, username, password } = config;
    const address = { server, scheme, token, username, password, pathPrefix: config.path_prefix };
    this.#client = openConsul(address, { ...httpOf(config), socketsMax: SOCKETS_MAX }, { clock, log });
  }

  /** Waits a little for the first answers, as PeriodicDiscovery does. */
  async start(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    this.#update = update;
    const first = new Promise<void>((resolve) => {
      this.#work = this.#run(resolve);
    });
    await within(
      first.then(() => Promise.all([...this.#watched.values()].map((watch) => watch.tried))),
      FIRST_ANSWER_MS,
      this.#clock,
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const { stop } of this.#watched.values()) stop.abort();
    await this.#work;
    await Promise.all([...this.#watched.values()].map(({ done }) => done));
    this.#client.close();
  }

  /** @param onListed the services to watch are known, or could not be asked for */
  async #run(onListed: () => void): Promise<void> {
    const { signal } = this.#stop;
    const { services, tags } = this.#config;
    if (this.#datacenter === "") {
      await this.#repeat(signal, "datacenter", async () => {
        this.#datacenter = await localDatacenter(this.#client, signal, TIMEOUT_MS);
        return true;
      });
    }
    if (services.length === 0 || tags.length > 0) return this.#watchCatalog(signal, onListed);
    if (!signal.aborted) for (const name of services) this.#watch(name);
    onListed();
  }

  async #watchCatalog(signal: AbortSignal, onListed: () => void): Promise<void> {
    let index = 0;
    await this.#repeat(signal, "services", async () => {
      const answer = await this.#ask("/v1/catalog/services", index, this.#config.filter, signal);
      const isNew = isNewer(answer, index);
      index = indexOf(answer, index);
      if (isNew) this.#follow((answer.body ?? {}) as Record<string, readonly string[]>);
      onListed();
      return false;
    });
  }

  /** @param services names with all tags their instances have */
  #follow(services: Readonly<Record<string, readonly string[] | null>>): void {
    const { services: wanted, tags } = this.#config;
    const isWanted = (name: string): boolean =>
      name in services && (wanted.length === 0 || wanted.includes(name)) && tags.every((tag) => services[name]?.includes(tag));
    for (const [name, { stop }] of this.#watched) {
      if (isWanted(name)) continue;
      stop.abort();
      this.#watched.delete(name);
      this.#update([{ source: name, targets: [], labels: {} }]);
    }
    for (const name of Object.keys(services)) if (isWanted(name) && !this.#watched.has(name)) this.#watch(name);
  }

  #watch(name: string): void {
    const stop = new AbortController();
    let index = 0;
    let tell = (): void => {};
    const tried = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const done = this.#repeat(stop.signal, `service ${name}`, async () => {
      const path = `/v1/health/service/${encodeURIComponent(name)}`;
      const answer = await this.#ask(path, index, this.#config.health_filter, stop.signal, this.#config.tags);
      const isNew = isNewer(answer, index);
      index = indexOf(answer, index);
      if (isNew && !stop.signal.aborted) this.#update([this.#groupOf(name, (answer.body ?? []) as ServiceInstance[])]);
      tell();
      return false;
    });
    this.#watched.set(name, { stop, done, tried });
  }

  /** Goes on until `step` says it is done: once in each `refresh_interval`, and later after errors. Never rejects. */
  async #repeat(signal: AbortSignal, what: string, step: () => Promise<boolean>): Promise<void> {
    const refreshMs = Math.max(this.#config.refresh_interval, 0);
    for (let failures = 0; !signal.aborted; ) {
      const startedMs = this.#clock.nowMs();
      try {
        if (await step()) return;
        failures = 0;
        await this.#clock.sleep(Math.max(0, startedMs + refreshMs - this.#clock.nowMs()), signal);
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        this.#log.error({ asked: what, error: messageOf(error), tries: failures }, "Consul does not tell, the former targets stay");
        await this.#clock.sleep(backoffMs(failures, RETRY, Math.random), signal);
      }
    }
  }

  #ask(path: string, index: number, filter: string, signal: AbortSignal, tags: readonly string[] = []): Promise<Answer<unknown>> {
    const { allow_stale, namespace, partition, node_meta } = this.#config;
    const query = new URLSearchParams({ dc: this.#datacenter, index: String(index), wait: `${WAIT_MS}ms` });
    if (allow_stale) query.set("stale", "");
    if (namespace !== "") query.set("ns", namespace);
    if (partition !== "") query.set("partition", partition);
    if (filter !== "") query.set("filter", filter);
    for (const tag of tags) query.append("tag", tag);
    for (const [name, value] of Object.entries(node_meta)) query.append("node-meta", `${name}:${value}`);
    return this.#client.json(path, { query, signal, timeoutMs: TIMEOUT_MS });
  }

  #groupOf(name: string, instances: readonly ServiceInstance[]): TargetGroup {
    return {
      source: name,
      targets: instances.map((instance) => labelsOf(instance, this.#config.tag_separator)),
      labels: { [`${PREFIX}service`]: name, [`${PREFIX}dc`]: this.#datacenter },
    };
  }
}

/** An answer with the index that was asked with says that the wait was over. */
function isNewer(answer: Answer<unknown>, index: number): boolean {
  return index === 0 || indexOf(answer, index) !== index;
}

function labelsOf({ Node: node = {}, Service: service = {}, Checks }: ServiceInstance, separator: string): DiscoveredLabels {
  const labels: Record<string, string> = {
    // A service without an address of its own has its node's.
    __address__: joinHostPort(service.Address || (node.Address ?? ""), service.Port ?? 0),
    [`${PREFIX}address`]: node.Address ?? "",
    [`${PREFIX}node`]: node.Node ?? "",
    [`${PREFIX}namespace`]: service.Namespace ?? "",
    [`${PREFIX}partition`]: service.Partition ?? "",
    [`${PREFIX}tags`]: joinTags(service.Tags, separator),
    [`${PREFIX}service_address`]: service.Address ?? "",
    [`${PREFIX}service_port`]: String(service.Port ?? 0),
    [`${PREFIX}service_id`]: service.ID ?? "",
    [`${PREFIX}health`]: healthOf(Checks ?? []),
  };
  for (const [name, value] of Object.entries(node.Meta ?? {})) labels[`${PREFIX}metadata_${safeLabelName(name)}`] = value;
  for (const [name, value] of Object.entries(service.Meta ?? {})) labels[`${PREFIX}service_metadata_${safeLabelName(name)}`] = value;
  for (const [name, value] of Object.entries(node.TaggedAddresses ?? {})) labels[`${PREFIX}tagged_address_${safeLabelName(name)}`] = value;
  return labels;
}

/** The worst of its checks; maintenance is worse than all of them. */
function healthOf(checks: NonNullable<ServiceInstance["Checks"]>): string {
  if (checks.some(({ CheckID = "" }) => CheckID === "_node_maintenance" || CheckID.startsWith("_service_maintenance:")))
    return "maintenance";
  return ["critical", "warning"].find((worst) => checks.some(({ Status }) => Status === worst)) ?? "passing";
}
