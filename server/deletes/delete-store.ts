// The delete requests of all tenants: in memory, and whole in one small file.
//
//   deletes := "SKD1 " | crc32 of the text, 8 hex digits | "\n" | text
//   text    := JSON {"requests": [DeleteRequest…], "generations": {tenant: number}}
//
// The file is replaced with each change, synced before the change counts. A generation grows whenever answers about a tenant's past may
// change for a delete's sake: caches go by it.

import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { type Disk, replaceOnDisk, systemDisk } from "../../lib/runtime/disk.ts";
import { OneAtATime } from "../../lib/runtime/one-at-a-time.ts";
import { cutToDone, type DeleteRequest, isPartlyDone, isProcessed } from "./delete-request.ts";

const MAGIC = "SKD1 ";
const HEADER = /^SKD1 ([0-9a-f]{8})\n/;
/** Requests of a tenant that are carried out; older ones are forgotten. */
const PROCESSED_MAX = 1_000;
/** Requests of a tenant that are not: every query of the tenant holds its lines against them. */
const PENDING_MAX = 1_000;

export class TooManyDeletes extends Error {
  override readonly name = "TooManyDeletes";
  readonly status = 429;
  constructor() {
    super(`the tenant has ${PENDING_MAX} delete requests that are not processed yet; wait until they are, or cancel some`);
  }
}

interface State {
  readonly requests: readonly DeleteRequest[];
  readonly generations: Readonly<Record<string, number>>;
}

/** @throws when the file cannot be read, or is damaged: to go on without it would show what was deleted */
export async function openDeleteStore(path: string, disk: Disk = systemDisk): Promise<DeleteStore> {
  await disk.makeFolder(dirname(path));
  const content = await disk.read(path);
  return new DeleteStore(path, disk, content === undefined ? { requests: [], generations: {} } : decode(content, path));
}

export class DeleteStore {
  readonly #path: string;
  readonly #disk: Disk;
  #state: State;
  readonly #turns = new OneAtATime();
  readonly #listeners: ((tenant: string) => void)[] = [];
  /** Ids of requests whose lines are being removed. */
  #inProcess: ReadonlySet<string> = new Set();
  readonly #beingCancelled = new Set<string>();

  constructor(path: string, disk: Disk, state: State) {
    this.#path = path;
    this.#disk = disk;
    this.#state = state;
  }

  /** In the order of their making. */
  all(): readonly DeleteRequest[] {
    return this.#state.requests;
  }

  of(tenant: string): readonly DeleteRequest[] {
    return this.#state.requests.filter((request) => request.tenant === tenant);
  }

  find(tenant: string, id: string): DeleteRequest | undefined {
    return this.#state.requests.find((request) => request.tenant === tenant && request.id === id);
  }

  /** 0 for a tenant that never deleted anything. */
  generation(tenant: string): number {
    return this.#state.generations[tenant] ?? 0;
  }

  /** From now on these requests, and no others, are past taking back. */
  setInProcess(ids: readonly string[]): void {
    this.#inProcess = new Set(ids);
  }

  isInProcess(id: string): boolean {
    return this.#inProcess.has(id);
  }

  /** Calls the listener after each change of a tenant's requests. */
  onChange(listener: (tenant: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves with the request when it is on disk. @throws TooManyDeletes, or when it cannot be written */
  add(request: Omit<DeleteRequest, "id" | "piecesDone">): Promise<DeleteRequest> {
    return this.#turns.run(async () => {
      const own = this.of(request.tenant);
      if (own.filter((known) => !isProcessed(known)).length >= PENDING_MAX) throw new TooManyDeletes();
      const added = { ...request, id: freeId(own), piecesDone: 0 };
      await this.#change(request.tenant, [...this.#state.requests, added], true);
      return added;
    });
  }

  /** Requests of a tenant that may be carried out. */
  toCarryOut(tenant: string): readonly DeleteRequest[] {
    return this.of(tenant).filter(({ id }) => !this.#beingCancelled.has(id));
  }

  /** Takes a request back, or what is left of it. From the call on it is not carried out. */
  async cancel(tenant: string, id: string): Promise<void> {
    this.#beingCancelled.add(id);
    try {
      await this.#turns.run(async () => {
        const request = this.find(tenant, id);
        if (request === undefined || isProcessed(request)) return;
        const rest = request.piecesDone === 0 ? [] : [cutToDone(request)];
        await this.#change(
          tenant,
          this.#state.requests.flatMap((known) => (known === request ? rest : [known])),
          true,
        );
      });
    } finally {
      this.#beingCancelled.delete(id);
    }
  }

  /** Notes of requests that their lines are about to be removed: what comes after may fail half way. @throws when it cannot be written */
  begin(tenant: string, ids: ReadonlySet<string>): Promise<void> {
    const begins = (known: DeleteRequest): boolean => known.tenant === tenant && ids.has(known.id) && !isPartlyDone(known);
    return this.#turns.run(async () => {
      const { requests, generations } = this.#state;
      if (!requests.some(begins)) return;
      // No listener hears of it: what is hidden stays hidden.
      await this.#write({ requests: requests.map((known) => (begins(known) ? { ...known, isBegun: true } : known)), generations });
    });
  }

  /** Notes that pieces of requests have been carried out. A request that was cancelled meanwhile stays cancelled. */
  carriedOut(tenant: string, piecesDone: ReadonlyMap<string, number>): Promise<void> {
    return this.#turns.run(() =>
      this.#change(
        tenant,
        withoutOldest(
          tenant,
          this.#state.requests.map((known) =>
            known.tenant === tenant && piecesDone.has(known.id) ? { ...known, piecesDone: piecesDone.get(known.id)! } : known,
          ),
        ),
        false,
      ),
    );
  }

  async #change(tenant: string, requests: readonly DeleteRequest[], newGeneration: boolean): Promise<void> {
    const { generations } = this.#state;
    await this.#write({
      requests,
      generations: newGeneration ? { ...generations, [tenant]: (generations[tenant] ?? 0) + 1 } : generations,
    });
    for (const listener of this.#listeners) listener(tenant);
  }

  async #write(next: State): Promise<void> {
    await replaceOnDisk(this.#disk, this.#path, [encode(next)]);
    this.#state = next;
  }
}

function freeId(own: readonly DeleteRequest[]): string {
  for (;;) {
    const id = randomBytes(4).toString("hex");
    if (!own.some((known) => known.id === id)) return id;
  }
}

function withoutOldest(tenant: string, requests: readonly DeleteRequest[]): readonly DeleteRequest[] {
  let surplus = requests.filter((known) => known.tenant === tenant && isProcessed(known)).length - PROCESSED_MAX;
  return requests.filter((known) => !(known.tenant === tenant && isProcessed(known) && surplus-- > 0));
}

function encode(state: State): Buffer {
  const text = Buffer.from(JSON.stringify(state));
  return Buffer.concat([Buffer.from(`${MAGIC}${crc32(text).toString(16).padStart(8, "0")}\n`), text]);
}

function decode(content: Buffer, path: string): State {
  const header = HEADER.exec(content.subarray(0, 32).toString("latin1"));
  const text = content.subarray(header?.[0].length ?? 0);
  if (header === null || crc32(text) !== Number.parseInt(header[1]!, 16))
    throw new Error(
      `the delete requests in ${path} are damaged: restore the file from a copy, or remove it, which forgets them and shows again what they hide`,
    );
  return JSON.parse(text.toString("utf8")) as State;
}
