// Pods that were gone before the API told of them have left folders of logs: `<namespace>_<pod>_<uid>/<container>/`. What the path says
// serves as their metadata, so that their lines are read all the same.
//
// A pod that the API does know must never be told of from its path, for its streams would have other labels than they are to have. So
// each unknown folder is asked about: only when the API says that it has no such pod is the path believed. While the API does not answer,
// which also means that no new pods are made, nothing is told for a long while; after that, lines with fewer labels are better than lines
// that kubelet has rotated away. When the API tells of such a pod later, its group replaces the folder's.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { DiscoveredLabels, TargetGroup } from "../discovery.ts";
import { NAMESPACE, PREFIX } from "./roles/meta-labels.ts";

export interface PodFolder {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  /** Of a static pod: the hash of its configuration. */
  readonly uid: string;
}

export interface PodDirectoriesOptions {
  /** `/var/log/pods` */
  readonly root: string;
  readonly hostname: string;
  /** Only these; all when there are none. */
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** Whether discovery has told of the pod. */
  readonly isKnown: (uid: string) => boolean;
  /** Whether the API has the pod. @throws when it does not say */
  readonly existsInApi: (folder: PodFolder, signal: AbortSignal) => Promise<boolean>;
  readonly put: (group: TargetGroup) => void;
}

const LOOK_MS = 1_000;
/** The watch usually tells of a pod before its folder is made. */
const GRACE_MS = 2_000;
/** Asked about again after this long, when the API did not answer or has a pod that the watch has yet to tell of. */
const ASK_AGAIN_MS = 15_000;
/** So long the API may be away before folders are told of without it. */
const UNANSWERED_MS = 5 * 60_000;
/** Folders that are asked about in one look. */
const QUESTIONS_MAX = 20;

interface Unknown {
  readonly folder: PodFolder;
  readonly sinceMs: number;
  nextAskMs: number;
  /** Its group has been told. */
  told: boolean;
}

export class PodDirectories {
  readonly #options: PodDirectoriesOptions;
  readonly #abort = new AbortController();
  readonly #unknown = new Map<string, Unknown>();
  /** Folders of pods that the API has told of, which outlive their pods for a while. */
  readonly #toldByApi = new Set<string>();
  /** Of pods that have gone since the last look, which may be all there ever was to see of them. */
  readonly #leftUids = new Set<string>();
  /** Of the root folder; its names are read again when it has changed. */
  #modifiedMs = -1;
  #names: readonly PodFolder[] = [];
  #running: Promise<void> = Promise.resolve();
  #failure = "";

  constructor(options: PodDirectoriesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** The API has told of a pod and now says that it is gone; its folder stays for a while. @param uids that the folder may be named by */
  leave(uids: readonly string[]): void {
    for (const uid of uids) this.#leftUids.add(uid);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        const text = messageOf(error);
        if (text !== this.#failure) log.warn({ folder: this.#options.root, error: text }, "folders of pods not looked at, trying again");
        this.#failure = text;
      }
      await clock.sleep(LOOK_MS, this.#abort.signal);
    }
  }

  async #look(): Promise<void> {
    const { root, isKnown, clock } = this.#options;
    const modifiedMs = await stat(root).then(
      ({ mtimeMs }) => mtimeMs,
      () => -1,
    );
    if (modifiedMs !== this.#modifiedMs) {
      const names = modifiedMs === -1 ? [] : await readdir(root);
      this.#names = names.map(parseFolder).filter((folder) => folder !== undefined);
      this.#modifiedMs = modifiedMs;
    }
    const nowMs = clock.nowMs();
    const left = new Set(this.#leftUids);
    this.#leftUids.clear();
    const there = new Set(this.#names.map(({ name }) => name));
    for (const [name, { folder }] of this.#unknown) if (!there.has(name) || isKnown(folder.uid) || left.has(folder.uid)) this.#forget(name);
    for (const name of this.#toldByApi) if (!there.has(name)) this.#toldByApi.delete(name);
    for (const folder of this.#names) {
      if (isKnown(folder.uid) || left.has(folder.uid)) this.#toldByApi.add(folder.name);
      if (this.#toldByApi.has(folder.name) || this.#unknown.has(folder.name) || !this.#isWanted(folder)) continue;
      this.#unknown.set(folder.name, { folder, sinceMs: nowMs, nextAskMs: nowMs + GRACE_MS, told: false });
    }
    const due = [...this.#unknown.values()].filter(({ told, nextAskMs }) => !told && nextAskMs <= nowMs);
    for (const unknown of due.slice(0, QUESTIONS_MAX)) await this.#ask(unknown);
  }

  #isWanted({ namespace }: PodFolder): boolean {
    const { namespaces } = this.#options;
    return namespaces.length === 0 || namespaces.includes(namespace);
  }

  async #ask(unknown: Unknown): Promise<void> {
    const { clock, existsInApi, log } = this.#options;
    const { folder, sinceMs } = unknown;
    let exists = true;
    try {
      exists = await existsInApi(folder, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      exists = clock.nowMs() - sinceMs < UNANSWERED_MS;
      if (!exists)
        log.warn({ folder: folder.name, error: messageOf(error) }, "Kubernetes API does not say what pod this is; its path has to do");
    }
    unknown.nextAskMs = clock.nowMs() + ASK_AGAIN_MS;
    if (exists || this.#apiHasTold(folder)) return;
    await this.#tell(unknown);
  }

  async #tell(unknown: Unknown): Promise<void> {
    const { root, hostname, put, log } = this.#options;
    const { folder } = unknown;
    const entries = await readdir(join(root, folder.name), { withFileTypes: true }).catch(() => []);
    const containers = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    // What the API has told meanwhile is better.
    if (this.#abort.signal.aborted || this.#apiHasTold(folder)) return;
    unknown.told = true;
    log.info({ folder: folder.name, containers: containers.length }, "pod was gone before it was seen; reading its logs by their path");
    put({ source: sourceOf(folder), ...groupOf(folder, containers, hostname) });
  }

  /** Since the folder was found unknown. */
  #apiHasTold({ uid }: PodFolder): boolean {
    return this.#options.isKnown(uid) || this.#leftUids.has(uid);
  }

  #forget(name: string): void {
    const { folder, told } = this.#unknown.get(name)!;
    this.#unknown.delete(name);
    if (told) this.#options.put({ source: sourceOf(folder), targets: [], labels: {} });
  }
}

const sourceOf = ({ name }: PodFolder): string => `folder/${name}`;

/** Names of namespaces and pods have no underscore; a uid is 32 hexadecimal digits, perhaps with dashes. */
export function parseFolder(name: string): PodFolder | undefined {
  const match = /^([a-z0-9-]+)_([a-z0-9.-]+)_([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(name);
  return match === null ? undefined : { name, namespace: match[1]!, pod: match[2]!, uid: match[3]! };
}

function groupOf({ namespace, pod, uid }: PodFolder, containers: readonly string[], hostname: string): Omit<TargetGroup, "source"> {
  const labels: DiscoveredLabels = {
    [NAMESPACE]: namespace,
    [`${PREFIX}pod_name`]: pod,
    [`${PREFIX}pod_uid`]: uid,
    [`${PREFIX}pod_node_name`]: hostname,
  };
  return { labels, targets: containers.map((name) => ({ __address__: "", [`${PREFIX}pod_container_name`]: name })) };
}
