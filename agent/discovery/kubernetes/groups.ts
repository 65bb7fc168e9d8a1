// Objects in, target groups out: which objects there are, whose labels went into which group, and which groups have changed.

import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { TargetGroup } from "../discovery.ts";
import { type ApiObject, keyOf, type Node, type Pod, type Service, trimmed } from "./objects.ts";
import type { Lookup, Resource, RoleKind } from "./roles/role.ts";

export interface GroupsOptions {
  /** For the names of sources. */
  readonly role: string;
  readonly kind: RoleKind<never>;
  readonly clock: Clock;
  readonly log: Log;
  /** Groups of deleted objects stay this long. */
  readonly lingerMs: number;
  /** Those that changed by what came together. */
  readonly update: (groups: readonly TargetGroup[]) => void;
}

/** Static pods are known to their node by this, not by the uid that the API gave their mirror. */
const STATIC_UIDS = ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"] as const;

export class Groups {
  readonly #options: GroupsOptions;
  readonly #byUid = new Map<string, { readonly resource: Resource; readonly key: string; readonly object: ApiObject }>();
  /** `resource key` → uid; an object may have replaced another of the same name. */
  readonly #byKey = new Map<string, string>();
  readonly #groups = new Map<string, TargetGroup>();
  /** `resource key` → uids of the objects whose group has asked for it; and the other way round. */
  readonly #askers = new Map<string, Set<string>>();
  readonly #questions = new Map<string, string[]>();
  readonly #dirty = new Set<string>();
  readonly #changed: TargetGroup[] = [];
  readonly #lingering = new Map<string, AbortController>();
  #flushing = false;

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  get all(): readonly TargetGroup[] {
    return [...this.#groups.values()];
  }

  changed(resource: Resource, full: ApiObject): void {
    const object = trimmed(full);
    const { uid } = object.metadata;
    const key = `${resource} ${keyOf(object)}`;
    this.#byUid.set(uid, { resource, key, object });
    this.#byKey.set(key, uid);
    this.#lingering.get(uid)?.abort();
    if (resource === this.#options.kind.main) this.#dirty.add(uid);
    this.#wakeAskers(key);
  }

  gone(uid: string): void {
    const held = this.#byUid.get(uid);
    if (held === undefined) return;
    // A pod that came and went in one piece from the network has logged all the same.
    if (this.#dirty.delete(uid) && this.#options.lingerMs > 0) this.#rebuild(uid, held.object);
    this.#byUid.delete(uid);
    if (this.#byKey.get(held.key) === uid) this.#byKey.delete(held.key);
    this.#wakeAskers(held.key);
    if (held.resource === this.#options.kind.main) this.#linger(uid);
  }

  /** Whether an object is known by its uid or, a static pod, by its hash. */
  knows(uid: string): boolean {
    if (this.#byUid.has(uid) || this.#lingering.has(uid)) return true;
    for (const { object } of this.#byUid.values()) {
      if (STATIC_UIDS.some((name) => object.metadata.annotations?.[name] === uid)) return true;
    }
    return false;
  }

  /** By what uids the folders of a known object's logs may be named. */
  folderUidsOf(uid: string): string[] {
    const annotations = this.#byUid.get(uid)?.object.metadata.annotations ?? {};
    return [uid, ...STATIC_UIDS.flatMap((name) => annotations[name] ?? [])];
  }

  /** Groups that do not come from the API. */
  put(group: TargetGroup): void {
    if (group.targets.length === 0) this.#groups.delete(group.source);
    else this.#groups.set(group.source, group);
    this.#changed.push(group);
    this.#flushSoon();
  }

  /** Groups that were to stay a little do not. */
  settle(): void {
    for (const [uid, abort] of this.#lingering) {
      abort.abort();
      this.#withdraw(uid);
    }
    this.#flush();
  }

  #wakeAskers(key: string): void {
    for (const uid of this.#askers.get(key) ?? []) this.#dirty.add(uid);
    this.#flushSoon();
  }

  /** A pod that was deleted by force may still be logging its end. */
  #linger(uid: string): void {
    const { clock, lingerMs } = this.#options;
    if (lingerMs === 0) return this.#withdraw(uid);
    const abort = new AbortController();
    this.#lingering.set(uid, abort);
    void clock.sleep(lingerMs, abort.signal).then(() => {
      this.#lingering.delete(uid);
      if (!abort.signal.aborted) this.#withdraw(uid);
    });
  }

  #withdraw(uid: string): void {
    this.#forgetQuestions(uid);
    const source = this.#sourceOf(uid);
    if (this.#groups.delete(source)) this.#changed.push({ source, targets: [], labels: {} });
    this.#flushSoon();
  }

  #sourceOf(uid: string): string {
    return `${this.#options.role}/${uid}`;
  }

  /** What comes in one piece from the network makes one update. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (const uid of this.#dirty) {
      const held = this.#byUid.get(uid);
      if (held === undefined) continue;
      this.#rebuild(uid, held.object);
    }
    this.#dirty.clear();
    const changed = this.#changed.splice(0);
    if (changed.length > 0) this.#options.update(changed);
  }

  #rebuild(uid: string, object: ApiObject): void {
    const source = this.#sourceOf(uid);
    const group: TargetGroup = { source, ...this.#build(uid, object) };
    const had = this.#groups.delete(source);
    if (group.targets.length > 0) this.#groups.set(source, group);
    if (had || group.targets.length > 0) this.#changed.push(group);
  }

  /** An object that no targets can be made of has none. */
  #build(uid: string, object: ApiObject): Omit<TargetGroup, "source"> {
    try {
      return this.#buildOf(uid, object);
    } catch (error) {
      const { log, role } = this.#options;
      log.error({ role, object: keyOf(object), error: messageOf(error) }, "could not make targets of an object of the Kubernetes API");
      return { targets: [], labels: {} };
    }
  }

  #buildOf(uid: string, object: ApiObject): Omit<TargetGroup, "source"> {
    this.#forgetQuestions(uid);
    const find = (resource: Resource, name: string): ApiObject | undefined => {
      const key = `${resource} ${name}`;
      this.#ask(uid, key);
      const found = this.#byKey.get(key);
      return found === undefined ? undefined : this.#byUid.get(found)?.object;
    };
    const lookup: Lookup = {
      pod: (key) => find("pods", key) as Pod | undefined,
      service: (key) => find("services", key) as Service | undefined,
      node: (name) => find("nodes", name) as Node | undefined,
      namespace: (name) => find("namespaces", name),
    };
    return this.#options.kind.build(object as never, lookup);
  }

  #ask(uid: string, key: string): void {
    const askers = this.#askers.get(key) ?? new Set();
    this.#askers.set(key, askers.add(uid));
    const questions = this.#questions.get(uid) ?? [];
    questions.push(key);
    this.#questions.set(uid, questions);
  }

  #forgetQuestions(uid: string): void {
    for (const key of this.#questions.get(uid) ?? []) {
      const askers = this.#askers.get(key);
      if (askers?.delete(uid) === true && askers.size === 0) this.#askers.delete(key);
    }
    this.#questions.delete(uid);
  }
}
