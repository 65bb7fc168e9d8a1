// The backlogs of all clients, each in a folder of its own. They outlive a reload, and clients that it replaces by others of the same
// endpoint and tenant.

import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import { type Disk, systemDisk } from "../../lib/runtime/disk.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { ClientOptions } from "../client/client-options.ts";
import type { ClientDisk } from "../client/disk-queue.ts";
import { folderName } from "../spool/folder-name.ts";
import { ClientBacklog, holdsSegments } from "./client-backlog.ts";

export interface BacklogsOptions {
  readonly directory: string;
  /** Of one client. */
  readonly bytesMax: number;
  /** Otherwise what is there is sent, and nothing is added. */
  readonly enabled: boolean;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly disk?: Disk;
}

/** What of a client says whose backlog is whose. */
export type Owner = Pick<ClientOptions, "name" | "url" | "tenantId" | "optional">;

export class Backlogs {
  readonly #options: BacklogsOptions;
  readonly #byFolder = new Map<string, ClientBacklog>();

  constructor(options: BacklogsOptions) {
    this.#options = options;
  }

  /**
   * The backlogs of a configuration's clients, in their order. A client that is alone, or optional, gets one only if something is there
   * for it.
   */
  async open(owners: readonly Owner[]): Promise<readonly (ClientDisk | undefined)[]> {
    const { enabled, disk = systemDisk } = this.#options;
    const several = owners.filter(({ optional }) => optional !== true).length > 1;
    const folders = this.#foldersOf(owners);
    await this.#warnOfOrphans(folders);
    const disks: (ClientDisk | undefined)[] = [];
    for (const [i, owner] of owners.entries()) {
      const folder = folders[i]!;
      const mayGrow = enabled && several && owner.optional !== true;
      const isThere = this.#byFolder.has(folder) || (await disk.list(folder).catch(() => [])).length > 0;
      disks.push(mayGrow || isThere ? (await this.#openOne(folder, owner)).disk(mayGrow) : undefined);
    }
    return disks;
  }

  /** Acknowledgements that come later are not saved. */
  async close(): Promise<void> {
    await Promise.all([...this.#byFolder.values()].map((backlog) => backlog.close()));
  }

  async #openOne(folder: string, { name }: Owner): Promise<ClientBacklog> {
    const known = this.#byFolder.get(folder);
    if (known !== undefined) return known;
    const { bytesMax, registry, clock, log, disk = systemDisk } = this.#options;
    const backlog = new ClientBacklog(name, { folder, bytesMax, registry, clock, log, disk });
    await backlog.find();
    this.#byFolder.set(folder, backlog);
    return backlog;
  }

  /** By endpoint and tenant: a new password, timeout or name leaves a client what it has. Several of the same are numbered. */
  #foldersOf(owners: readonly Owner[]): string[] {
    const counts = new Map<string, number>();
    return owners.map(({ url, tenantId }) => {
      const identity = `${withoutUser(url)}${tenantId === "" ? "" : ` ${tenantId}`}`;
      const number = (counts.get(identity) ?? 0) + 1;
      counts.set(identity, number);
      return join(this.#options.directory, folderName(number === 1 ? identity : `${number} ${identity}`));
    });
  }

  /** Warns of what earlier configurations have left: nobody sends it. */
  async #warnOfOrphans(owned: readonly string[]): Promise<void> {
    const { directory, log, disk = systemDisk } = this.#options;
    const known = new Set(owned);
    for (const name of await disk.list(directory).catch(() => [])) {
      const folder = join(directory, name);
      if (known.has(folder)) continue;
      for (const tenant of await disk.list(folder).catch(() => [])) {
        if (!(await holdsSegments(disk, join(folder, tenant)).catch(() => true))) continue;
        log.warn(
          { folder: join(folder, tenant) },
          "a backlog belongs to no client: name one with its url and tenant_id to have its batches sent, or remove the folder",
        );
      }
    }
  }
}

function withoutUser(url: string): string {
  return url.replace(/^([a-zA-Z][\w+.-]*:\/\/)[^/?#@]*@/, "$1");
}
