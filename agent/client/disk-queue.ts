import type { Ticket } from "../../lib/wire/entry-batch.ts";
import type { SealedBatch } from "./open-batch.ts";

/** For a batch on disk: to be released when it is dealt with. */
export type Receipt = Pick<Ticket, "release">;

/** Told of entries that were kept and cannot be sent. */
export type OnUnreadable = (entryCount: number, bytes: number, text: string) => void;

/** Where batches wait on disk for one client. */
export interface ClientDisk {
  /** Whether anything may be added. What is there is sent in any case. */
  readonly mayGrow: boolean;
  /** Those of whom something is there. */
  readonly tenants: readonly string[];
  /** For one queue, which ends it. */
  queue(tenant: string, onUnreadable: OnUnreadable): DiskQueue;
  observe(): void;
}

/** Where one tenant's batches wait on disk for a client that is behind. `TenantBacklog` is one. */
export interface DiskQueue {
  /** Whether something is there, or may be, that nobody has read. */
  readonly hasUnread: boolean;
  /**
   * Appends batches in order, durably. They are copied before this returns. Never rejects: what the disk or the bound refuses stays the
   * caller's.
   *
   * @param inFlight are being sent and need not be read again
   */
  append(inFlight: readonly SealedBatch[], others: readonly SealedBatch[]): Promise<Appended>;
  /**
   * The oldest batch that nobody has read. Waits while somebody else still reads, and while the disk fails.
   *
   * @returns undefined when there is none (any more)
   */
  next(): Promise<ReadBatch | undefined>;
  /** Reads nothing more. What was read and not released is read again by whoever comes next. */
  end(): void;
}

export interface Appended {
  /** How many of the batches, the first ones. */
  readonly count: number;
  /** Of those in flight among them. */
  readonly receipts: readonly Receipt[];
}

export interface ReadBatch {
  readonly batch: SealedBatch;
  readonly receipt: Receipt;
}
