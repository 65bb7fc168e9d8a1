// What one configuration sees of a cluster, as groups of targets: the API's objects, watched, and folders of pods that it does not have.

import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { backoffMs } from "../../client/backoff.ts";
import type { KubernetesSdConfig } from "../../config/discoveries.ts";
import type { TargetGroup } from "../discovery.ts";
import { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";
import { openConnection } from "./connection.ts";
import { Groups } from "./groups.ts";
import type { KubernetesMetrics } from "./kubernetes-metrics.ts";
import { ListWatch, type ListWatchState } from "./list-watch.ts";
import { PodDirectories, type PodFolder } from "./pod-directories.ts";
import { ROLES, type WatchedResource, watchedResources } from "./resources.ts";

export interface ClusterViewOptions {
  readonly config: KubernetesSdConfig;
  /** The node's name, by which pods are selected. */
  readonly hostname: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: KubernetesMetrics;
  readonly timing?: ViewTiming;
  /** Where the service account's folder is looked for; "" but in tests. */
  readonly rootFolder?: string;
}

/** What tests shorten. */
export interface ViewTiming {
  readonly answerMs?: number;
  readonly lingerMs?: number;
  readonly watchSeconds?: number;
  readonly watchLateMs?: number;
}

/** How long an answer may stay away before the server counts as frozen. */
const ANSWER_MS = 30_000;
/** Targets of deleted pods are kept for what is still written at their end. */
const LINGER_MS = 5_000;
/** The start of the agent waits this long for the first list, and not at all when the server cannot be reached. */
const FIRST_LIST_MS = 5_000;
const RETRY = { minMs: 1_000, maxMs: 60_000, retriesMax: 0 };

type Update = (groups: readonly TargetGroup[]) => void;

export class ClusterView {
  readonly #options: ClusterViewOptions;
  readonly #api: ApiClient;
  readonly #groups: Groups;
  readonly #listeners = new Set<Update>();
  /** Where watches of paths have ended, to go on from after a pause. */
  readonly #states = new Map<string, ListWatchState>();
  #watches = new Map<string, ListWatch>();
  #directories: PodDirectories | undefined;
  #abort = new AbortController();
  #opening: Promise<void> = Promise.resolve();
  /** Paths of which there is no answer yet, neither a good one nor a bad one. */
  #unanswered = new Set<string>();
  #answered: () => void = () => {};

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    const { config, clock, log, rootFolder = "", timing } = options;
    const postForm = postFormOver(config.follow_redirects);
    this.#api = new ApiClient(() => openConnection(config, { clock, postForm, rootFolder }), { answerMs: timing?.answerMs ?? ANSWER_MS });
    this.#groups = new Groups({
      role: config.role,
      kind: ROLES[config.role],
      clock,
      log,
      lingerMs: config.role === "pod" ? (timing?.lingerMs ?? LINGER_MS) : 0,
      update: (groups) => {
        for (const listener of this.#listeners) listener(groups);
      },
    });
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** Tells what is known, and from now on what changes. Resolves when there was an answer to everything that was asked for. */
  async subscribe(update: Update): Promise<void> {
    this.#listeners.add(update);
    const known = this.#groups.all;
    if (known.length > 0) update(known);
    if (this.#listeners.size > 1) return;
    this.#abort = new AbortController();
    const answered = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    this.#opening = this.#open();
    const enough = new AbortController();
    await Promise.race([answered, this.#options.clock.sleep(FIRST_LIST_MS, enough.signal)]);
    enough.abort();
  }

  /** Without listeners nothing is watched; what is known stays. */
  async unsubscribe(update: Update): Promise<void> {
    this.#listeners.delete(update);
    if (this.hasListeners) return;
    this.#abort.abort();
    this.#answered();
    await this.#opening;
    await this.#directories?.stop();
    for (const [path, watch] of this.#watches) this.#states.set(path, await watch.stop());
    this.#watches = new Map();
    this.#groups.settle();
  }

  async #open(): Promise<void> {
    const { config, hostname, log } = this.#options;
    const namespaces = await this.#namespaces();
    if (namespaces === undefined) return;
    const resources = watchedResources(config, namespaces, hostname);
    this.#unanswered = new Set(resources.map(({ path }) => path));
    log.info({ role: config.role, watching: resources.map(shownResource) }, "discovering by the Kubernetes API");
    this.#watches = new Map(resources.map((resource) => [resource.path, this.#openWatch(resource)]));
    for (const watch of this.#watches.values()) watch.start();
    this.#directories = this.#openDirectories(namespaces);
    this.#directories?.start();
  }

  /** Asks until the configuration leads to a server; undefined when it was stopped before. */
  async #namespaces(): Promise<readonly string[] | undefined> {
    const { config, clock, log, random } = this.#options;
    const { signal } = this.#abort;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        const { namespace } = await this.#api.connection();
        const own = config.namespaces?.own_namespace === true && namespace !== undefined ? [namespace] : [];
        return [...new Set([...(config.namespaces?.names ?? []), ...own])];
      } catch (error) {
        this.#options.metrics.failed();
        this.#answered();
        log.error({ error: messageOf(error) }, "Kubernetes discovery cannot begin, trying again");
        await clock.sleep(backoffMs(failures, RETRY, random), signal);
      }
    }
    return undefined;
  }

  #openWatch({ resource, path, fieldSelector, labelSelector, ofThisNode }: WatchedResource): ListWatch {
    const { clock, random, log, metrics, timing } = this.#options;
    return new ListWatch({
      api: this.#api,
      path,
      fieldSelector,
      labelSelector,
      listFromCache: ofThisNode,
      clock,
      random,
      log,
      resumeFrom: this.#states.get(path),
      ...(timing?.watchSeconds !== undefined && { watchSeconds: timing.watchSeconds }),
      ...(timing?.watchLateMs !== undefined && { watchLateMs: timing.watchLateMs }),
      observer: {
        changed: (object, isNew) => {
          metrics.event(resource, isNew ? "add" : "update");
          this.#groups.changed(resource, object);
        },
        gone: (uid) => {
          metrics.event(resource, "delete");
          this.#directories?.leave(this.#groups.folderUidsOf(uid));
          this.#groups.gone(uid);
        },
        synced: () => {
          metrics.synced(path, clock.nowMs());
          this.#answer(path);
        },
        failed: () => {
          metrics.failed();
          this.#answer(path);
        },
      },
    });
  }

  /** The groups of a list are told before the start counts as done. */
  #answer(path: string): void {
    if (this.#unanswered.delete(path) && this.#unanswered.size === 0) setImmediate(() => setImmediate(() => this.#answered()));
  }

  /** Selectors may leave out a pod for what its path does not say. */
  #openDirectories(namespaces: readonly string[]): PodDirectories | undefined {
    const { config, hostname, clock, log } = this.#options;
    if (config.role !== "pod" || config.pod_log_directory === "" || config.selectors.length > 0) return undefined;
    return new PodDirectories({
      root: config.pod_log_directory,
      hostname,
      namespaces,
      clock,
      log,
      isKnown: (uid) => this.#groups.knows(uid),
      existsInApi: (folder, signal) => this.#existsInApi(folder, signal),
      put: (group) => this.#groups.put(group),
    });
  }

  async #existsInApi({ namespace, pod, uid }: PodFolder, signal: AbortSignal): Promise<boolean> {
    try {
      const found = (await this.#api.getJson(`/api/v1/namespaces/${namespace}/pods/${pod}`, {}, signal)) as {
        metadata?: { uid?: string; annotations?: Record<string, string> };
      };
      return found.metadata?.uid === uid || Object.values(found.metadata?.annotations ?? {}).includes(uid);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }
}

function shownResource({ path, fieldSelector, labelSelector }: WatchedResource): string {
  const selectors = [fieldSelector, labelSelector].filter((selector) => selector !== "");
  return selectors.length === 0 ? path : `${path} (${selectors.join("; ")})`;
}

/** For OAuth 2 tokens of `api_server` configurations. */
function postFormOver(followRedirects: boolean) {
  return async (url: string, form: URLSearchParams, basic: string | undefined) => {
    const response = await fetch(url, {
      method: "POST",
      body: form,
      redirect: followRedirects ? "follow" : "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(basic !== undefined && { headers: { Authorization: basic } }),
    });
    return { status: response.status, text: await response.text() };
  };
}
