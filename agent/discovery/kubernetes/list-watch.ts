// Keeps a set of objects equal to the API server's: a list, then a watch from the list's version on, for as long as it runs. Whatever
// happens to the server, what is known stays known until the server itself says otherwise.
//
//   list  ── all pages ──▶  watch  ── ends in time ──▶  is the version still the server's? ──▶ watch from it
//    ▲                        │ fails: wait (backoff with jitter, or what the server asks for), then the same question
//    └── 410 Gone, or a version the server never had (etcd restored from a backup) ◀──────────┘
//
// The library has an informer of its own, which is not used: it stops at the first error, has no time limits, and does not notice a
// restored etcd. docs/decisions/0007-kubernetes-list-and-watch.md says what it would take.

import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { backoffMs } from "../../client/backoff.ts";
import type { ApiClient, Parameters } from "./api-client.ts";
import { ApiError, type Failure, failureOf, watchErrorOf } from "./api-error.ts";
import { type ApiObject, checkObject } from "./objects.ts";

const PAGE_OBJECTS = 500;
/** A watch is asked to end after this long, so that one that has not ended a little later is known to be dead. */
const WATCH_S = 290;
const WATCH_LATE_MS = 40_000;
/** A watch that ends sooner than this and brought nothing counts as failed: a server may close each at once. */
const WATCH_SHORT_MS = 5_000;
/** Whatever watches bring, they are begun at most this often. */
const WATCH_GAP_MS = 1_000;
const BACKOFF = { minMs: 1_000, maxMs: 60_000, retriesMax: 0 };
/** What only somebody's change of rights or configuration can mend is not asked for every second. */
const SLOW_MIN_MS = 15_000;

export interface ListWatchOptions {
  readonly api: ApiClient;
  /** Such as `/api/v1/pods`. */
  readonly path: string;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** The first list may come from the server's memory, which spares etcd; it may be a little old then, and the watch catches up. */
  readonly listFromCache?: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly observer: ListWatchObserver;
  /** Where an earlier one has ended. */
  readonly resumeFrom?: ListWatchState | undefined;
  /** How long a watch is asked to stay open, in seconds; shorter in tests. */
  readonly watchSeconds?: number;
  readonly watchLateMs?: number;
}

/** None of them throws. */
export interface ListWatchObserver {
  /** New, or not as it was. */
  changed(object: ApiObject, isNew: boolean): void;
  gone(uid: string): void;
  /** The set is equal to the server's as of a moment ago. */
  synced(): void;
  failed(failure: Failure): void;
}

/** What is known, to go on from. */
export interface ListWatchState {
  readonly version: string | undefined;
  /** uid → resourceVersion */
  readonly known: ReadonlyMap<string, string>;
}

export class ListWatch {
  readonly #options: ListWatchOptions;
  readonly #known: Map<string, string>;
  readonly #abort = new AbortController();
  #version: string | undefined;
  #fromCache: boolean;
  /** Consecutive failures. */
  #failures = 0;
  /** The version comes from an earlier connection, and the server may have been restored from a backup since. */
  #versionInDoubt: boolean;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ListWatchOptions) {
    this.#options = options;
    this.#known = new Map(options.resumeFrom?.known);
    this.#version = options.resumeFrom?.version;
    this.#versionInDoubt = this.#version !== undefined;
    this.#fromCache = options.listFromCache === true && this.#version === undefined;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<ListWatchState> {
    this.#abort.abort();
    await this.#running;
    return { version: this.#version, known: this.#known };
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (this.#version === undefined) await this.#list();
        else if (this.#versionInDoubt) await this.#checkVersion();
        await this.#watch(this.#version!);
        this.#failures = 0;
      } catch (error) {
        if (!this.#stopped) await this.#recover(failureOf(error));
      }
      this.#versionInDoubt = true;
    }
  }

  async #recover(failure: Failure): Promise<void> {
    const { clock, random, log, observer, api, path } = this.#options;
    this.#failures++;
    if (failure.kind === "gone" || failure.kind === "lost_history") {
      this.#version = undefined;
      log.info({ path, reason: failure.text }, "the watch cannot go on from where it was, listing anew");
      // Once at once; a server that cannot give a version to watch from is asked at ease.
      if (this.#failures === 1) return;
    }
    if (failure.kind === "credentials") api.renew();
    const minMs = failure.slow ? SLOW_MIN_MS : BACKOFF.minMs;
    const waitMs = backoffMs(this.#failures, { ...BACKOFF, minMs }, random, failure.retryAfterMs);
    const fields = { path, error: failure.text, known: this.#known.size, again_in_ms: Math.round(waitMs) };
    observer.failed(failure);
    log[failure.slow ? "error" : "warn"](fields, "Kubernetes API does not answer as it should; what is known of it stays");
    await clock.sleep(waitMs, this.#abort.signal);
  }

  /** Takes all pages, and forgets what none of them has. */
  async #list(): Promise<void> {
    const { api, path, observer } = this.#options;
    const seen = new Set<string>();
    let page: ListPage | undefined;
    do {
      const cached: Parameters = this.#fromCache ? { resourceVersion: "0" } : {};
      const parameters = { ...this.#selectors, ...cached, limit: PAGE_OBJECTS, continue: page?.next };
      page = readPage(await api.getJson(path, parameters, this.#abort.signal));
      for (const object of page.objects) {
        seen.add(object.metadata.uid);
        this.#take(object);
      }
    } while (page.next !== "" && !this.#stopped);
    if (this.#stopped) return;
    for (const uid of [...this.#known.keys()]) if (!seen.has(uid)) this.#forget(uid);
    this.#version = page.version;
    // Later lists are for catching up, for which the server's memory may be too old.
    this.#fromCache = false;
    observer.synced();
  }

  /**
   * A server that was restored from a backup has never had our version, and watches from a version to come are simply quiet.
   *
   * @throws ApiError `ResourceVersionTooLarge` then
   */
  async #checkVersion(): Promise<void> {
    const { api, path, observer } = this.#options;
    await api.getJson(path, { ...this.#selectors, limit: 1, resourceVersion: this.#version }, this.#abort.signal);
    this.#versionInDoubt = false;
    observer.synced();
  }

  async #watch(from: string): Promise<void> {
    const { api, path, clock, watchSeconds = WATCH_S, watchLateMs = WATCH_LATE_MS } = this.#options;
    const parameters = { ...this.#selectors, watch: true, allowWatchBookmarks: true, resourceVersion: from, timeoutSeconds: watchSeconds };
    const startedMs = clock.nowMs();
    let changes = 0;
    const lifeMs = watchSeconds * 1000 + watchLateMs;
    for await (const batch of api.watch(path, parameters, lifeMs, this.#abort.signal)) {
      for (const event of batch as WatchEvent[]) {
        this.#takeEvent(event);
        if (event.type !== "BOOKMARK") changes++;
      }
      if (changes > 0) this.#failures = 0;
    }
    const lastedMs = clock.nowMs() - startedMs;
    if (!this.#stopped && changes === 0 && lastedMs < Math.min(WATCH_SHORT_MS, watchSeconds * 500)) {
      throw new Error(`server closed the watch after ${lastedMs} ms`);
    }
    if (lastedMs < WATCH_GAP_MS) await clock.sleep(WATCH_GAP_MS - lastedMs, this.#abort.signal);
  }

  #takeEvent({ type, object }: WatchEvent): void {
    if (type === "ERROR") throw watchErrorOf(object);
    if (type === "BOOKMARK") {
      const version = (object as Partial<ApiObject> | undefined)?.metadata?.resourceVersion;
      if (typeof version === "string" && version !== "") this.#version = version;
      return;
    }
    const checked = checkObject(object);
    if (type === "DELETED") this.#forget(checked.metadata.uid);
    else if (type === "ADDED" || type === "MODIFIED") this.#take(checked);
    else throw new ApiError(500, `watch sent an event of the unknown type ${String(type)}`);
    this.#version = checked.metadata.resourceVersion;
  }

  /** The same version is the same object; versions have no order that could be relied on. */
  #take(object: ApiObject): void {
    const { uid, resourceVersion } = object.metadata;
    const former = this.#known.get(uid);
    if (former === resourceVersion) return;
    this.#known.set(uid, resourceVersion);
    this.#tell(() => this.#options.observer.changed(object, former === undefined));
  }

  #forget(uid: string): void {
    if (this.#known.delete(uid)) this.#tell(() => this.#options.observer.gone(uid));
  }

  /** A mistake of the observer's about one object is not the watch's, which goes on. */
  #tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#options.log.error({ path: this.#options.path, error: messageOf(error) }, "could not make targets of an object");
    }
  }

  get #selectors(): Parameters {
    return { fieldSelector: this.#options.fieldSelector, labelSelector: this.#options.labelSelector };
  }
}

interface WatchEvent {
  readonly type?: unknown;
  readonly object?: unknown;
}

interface ListPage {
  readonly objects: readonly ApiObject[];
  readonly version: string;
  /** Asks for the next page; "" at the last one. */
  readonly next: string;
}

/** @throws Error for what is not a list of the API */
function readPage(value: unknown): ListPage {
  const { items, metadata } = (value ?? {}) as { items?: unknown; metadata?: { resourceVersion?: unknown; continue?: unknown } };
  if (metadata === undefined || typeof metadata.resourceVersion !== "string") {
    throw new Error("answer is not a list of the Kubernetes API: it has no metadata.resourceVersion");
  }
  // Go writes an empty list as null in old versions.
  const list = Array.isArray(items) ? (items as unknown[]) : [];
  const next = typeof metadata.continue === "string" ? metadata.continue : "";
  return { objects: list.map(checkObject), version: metadata.resourceVersion, next };
}
