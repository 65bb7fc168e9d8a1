// Rule groups on disk, by tenant and namespace:
//
//   <folder>/<tenant>/<file>                        a namespace that somebody wrote: read, never changed
//   <folder>/<tenant>/<namespace>/<group>.yaml      a group of the rules API, names percent-encoded; not looked at when the store is `local`
//
// Files are looked at again every poll interval. One that cannot be read leaves its former groups in force.

import { mkdir, readdir, readFile, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import { replaceFile, syncFolder } from "../../lib/runtime/replace-file.ts";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import { tenantProblem } from "../http/tenant.ts";
import { printRuleFile } from "./print-rules.ts";
import { RULES_BYTES_MAX, RuleError, readRuleFile } from "./read-rules.ts";
import type { PlacedGroup, RuleGroup } from "./rules.ts";

export interface RuleStoreOptions {
  readonly folder: string;
  /** Loki's `local` store: the API changes nothing. */
  readonly readOnly: boolean;
  readonly log: Log;
  /** A tenant's files were read: all of them, or not. */
  readonly onRead: (tenant: string, complete: boolean) => void;
}

interface RuleFile {
  readonly namespace: string;
  /** Changes when the file does. */
  readonly version: string;
  readonly groups: readonly RuleGroup[];
  readonly failed: boolean;
  /** Made by the API. */
  readonly editable: boolean;
}

const NAME_BYTES_MAX = 200;

export class RuleStore {
  readonly readOnly: boolean;
  readonly #options: RuleStoreOptions;
  readonly #tenants = new Map<string, Map<string, RuleFile>>();
  /** Reads and changes follow one another. */
  readonly #turns = new OneAtATime();

  constructor(options: RuleStoreOptions) {
    this.#options = options;
    this.readOnly = options.readOnly;
  }

  tenants(): string[] {
    return [...this.#tenants.keys()];
  }

  /** By namespace; within a file as they stand there, of the API's by name. */
  groups(tenant: string): PlacedGroup[] {
    const files = [...(this.#tenants.get(tenant) ?? [])].sort(([a], [b]) => compareCodePoints(a, b));
    return files
      .flatMap(([, { namespace, groups }]) => groups.map((group) => ({ namespace, group })))
      .sort((a, b) => compareCodePoints(a.namespace, b.namespace));
  }

  /** Reads what has changed on disk. @throws when the folder is there and cannot be read */
  load(): Promise<void> {
    return this.#turns.run(async () => {
      const found = new Set<string>();
      for (const { name, isFolder } of await entriesOf(this.#options.folder)) {
        if (!isFolder || tenantProblem(name) !== undefined) continue;
        found.add(name);
        await this.#loadTenant(name);
      }
      for (const tenant of this.#tenants.keys()) if (!found.has(tenant)) this.#tenants.delete(tenant);
    });
  }

  /** Writes a group, over one of the same name if there is one. @throws RuleError when a file of somebody's is in its place */
  set(tenant: string, namespace: string, group: RuleGroup): Promise<void> {
    return this.#turns.run(async () => {
      const path = this.#pathOf(tenant, namespace, group.name);
      this.#refuseForeign(tenant, namespace);
      const text = printRuleFile(group);
      if (Buffer.byteLength(text) > RULES_BYTES_MAX) throw new RuleError(`the rule group has more than ${RULES_BYTES_MAX} bytes; split it`);
      await mkdir(this.#folderOf(tenant, namespace), { recursive: true });
      await replaceFile(path, text, 0o640);
      await syncFolder(join(this.#options.folder, tenant));
      this.#filesOf(tenant).set(path, { namespace, version: await versionOf(path), groups: [group], failed: false, editable: true });
    });
  }

  /** @returns false when there is no such group @throws RuleError when it stands in a file of somebody's */
  removeGroup(tenant: string, namespace: string, name: string): Promise<boolean> {
    return this.#turns.run(async () => {
      if (!this.groups(tenant).some((placed) => placed.namespace === namespace && placed.group.name === name)) return false;
      this.#refuseForeign(tenant, namespace);
      await this.#remove(tenant, namespace, (group) => group.name === name);
      return true;
    });
  }

  /** @returns false when there is no such namespace @throws RuleError when it is a file of somebody's */
  removeNamespace(tenant: string, namespace: string): Promise<boolean> {
    return this.#turns.run(async () => {
      if (!this.groups(tenant).some((placed) => placed.namespace === namespace)) return false;
      this.#refuseForeign(tenant, namespace);
      await this.#remove(tenant, namespace, () => true);
      return true;
    });
  }

  async #remove(tenant: string, namespace: string, which: (group: RuleGroup) => boolean): Promise<void> {
    const files = this.#filesOf(tenant);
    for (const [path, file] of files) {
      if (file.namespace !== namespace || !file.groups.some(which)) continue;
      await rm(path, { force: true });
      files.delete(path);
    }
    const folder = this.#folderOf(tenant, namespace);
    await syncFolder(folder);
    // Fails when other groups are left in it.
    if (![...files.values()].some((file) => file.namespace === namespace)) await rmdir(folder).catch(() => {});
  }

  #refuseForeign(tenant: string, namespace: string): void {
    const foreign = [...(this.#tenants.get(tenant) ?? [])].find(([, file]) => file.namespace === namespace && !file.editable);
    if (foreign !== undefined) throw new RuleError(`namespace ${namespace} is the file ${foreign[0]}: change its groups there`);
  }

  #filesOf(tenant: string): Map<string, RuleFile> {
    let files = this.#tenants.get(tenant);
    if (files === undefined) this.#tenants.set(tenant, (files = new Map()));
    return files;
  }

  #folderOf(tenant: string, namespace: string): string {
    return join(this.#options.folder, tenant, encodeName(namespace, "namespace"));
  }

  #pathOf(tenant: string, namespace: string, group: string): string {
    return join(this.#folderOf(tenant, namespace), `${encodeName(group, "rule group")}.yaml`);
  }

  async #loadTenant(tenant: string): Promise<void> {
    const folder = join(this.#options.folder, tenant);
    const former = this.#filesOf(tenant);
    const files = new Map<string, RuleFile>();
    for (const { name, isFolder } of await entriesOf(folder)) {
      const path = join(folder, name);
      if (!isFolder) files.set(path, await this.#loadFile(path, name, false, former.get(path)));
      else if (!this.readOnly) {
        for (const inner of await entriesOf(path)) {
          const groupPath = join(path, inner.name);
          if (!inner.isFolder && inner.name.endsWith(".yaml"))
            files.set(groupPath, await this.#loadFile(groupPath, decodeName(name), true, former.get(groupPath)));
        }
      }
    }
    this.#tenants.set(tenant, files);
    this.#options.onRead(tenant, ![...files.values()].some(({ failed }) => failed));
  }

  async #loadFile(path: string, namespace: string, editable: boolean, former: RuleFile | undefined): Promise<RuleFile> {
    const version = await versionOf(path);
    if (former !== undefined && former.version === version) return former;
    try {
      const { size } = await stat(path);
      if (size > RULES_BYTES_MAX) throw new RuleError(`${path} has ${size} bytes, limit ${RULES_BYTES_MAX}; split it`);
      return { namespace, version, groups: readRuleFile(await readFile(path, "utf8"), path), failed: false, editable };
    } catch (error) {
      const groups = former?.groups ?? [];
      this.#options.log.error(
        { file: path, error: messageOf(error), former: groups.length },
        "rules not read, the file's former groups stay",
      );
      return { namespace, version, groups, failed: true, editable };
    }
  }
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** What is in a folder, links followed; hidden names are left out, as those that Kubernetes keeps beside a mounted map. */
async function entriesOf(folder: string): Promise<Entry[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const entries = await Promise.all(
    names
      .filter((name) => !name.startsWith("."))
      .sort(compareCodePoints)
      .map(async (name) => ({ name, at: await stat(join(folder, name)).catch(() => undefined) })),
  );
  return entries.flatMap(({ name, at }) => (at?.isFile() || at?.isDirectory() ? { name, isFolder: at.isDirectory() } : []));
}

async function versionOf(path: string): Promise<string> {
  const at = await stat(path).catch(() => undefined);
  return at === undefined ? "absent" : `${at.mtimeMs}:${at.size}:${at.ino}`;
}

/** @throws RuleError for a name that no file can have */
function encodeName(name: string, what: string): string {
  const encoded = encodeURIComponent(name).replace(/^\./, "%2E");
  if (encoded === "") throw new RuleError(`a ${what} must have a name`);
  if (encoded.length > NAME_BYTES_MAX)
    throw new RuleError(
      `the name of the ${what} takes ${encoded.length} characters when percent-encoded, limit ${NAME_BYTES_MAX}; use a shorter one`,
    );
  return encoded;
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
