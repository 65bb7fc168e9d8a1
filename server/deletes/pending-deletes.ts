// What queries know of delete requests: lines of a request are hidden from the moment it is on disk until they are gone for good.

import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Limits } from "../config/limits.ts";
import type { PageDelete } from "../page.ts";
import { pendingPart } from "./delete-request.ts";
import type { DeleteStore } from "./delete-store.ts";
import { type CompiledDelete, compileDelete } from "./stream-deletes.ts";

/** Of one tenant, until its requests change. */
interface Compiled {
  readonly deletes: readonly CompiledDelete[];
  readonly byStream: WeakMap<LabelSet, readonly PageDelete[]>;
}

const NONE: readonly PageDelete[] = [];

export class PendingDeletes {
  readonly #store: DeleteStore;
  readonly #modeOf: (tenant: string) => Limits["deletion_mode"];
  readonly #log: Log;
  readonly #byTenant = new Map<string, Compiled>();

  constructor(store: DeleteStore, modeOf: (tenant: string) => Limits["deletion_mode"], log: Log) {
    this.#store = store;
    this.#modeOf = modeOf;
    this.#log = log;
    store.onChange((tenant) => this.#byTenant.delete(tenant));
  }

  /** Whether any request hides lines of the tenant. */
  any(tenant: string): boolean {
    return this.#of(tenant).deletes.length > 0;
  }

  /** What is hidden of a stream; empty: nothing. */
  of(tenant: string, labels: LabelSet): readonly PageDelete[] {
    const { deletes, byStream } = this.#of(tenant);
    if (deletes.length === 0) return NONE;
    let spans = byStream.get(labels);
    if (spans === undefined) {
      spans = deletes.filter(({ accepts }) => accepts(labels)).map(({ span }) => span);
      byStream.set(labels, spans);
    }
    return spans;
  }

  #of(tenant: string): Compiled {
    if (this.#modeOf(tenant) === "disabled") return { deletes: [], byStream: new WeakMap() };
    let compiled = this.#byTenant.get(tenant);
    if (compiled === undefined) {
      compiled = { deletes: this.#store.of(tenant).flatMap((request) => this.#compile(request)), byStream: new WeakMap() };
      this.#byTenant.set(tenant, compiled);
    }
    return compiled;
  }

  #compile(request: Parameters<typeof pendingPart>[0]): CompiledDelete[] {
    const part = pendingPart(request);
    if (part === undefined) return [];
    try {
      return [compileDelete(request.query, part)];
    } catch (error) {
      this.#log.error(
        { request: request.id, tenant: request.tenant, query: request.query, error: messageOf(error) },
        "a delete request cannot be understood any more: it deletes nothing; cancel it and ask anew",
      );
      return [];
    }
  }
}
