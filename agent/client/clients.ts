// All endpoints of the agent, as one sink: each entry goes to every client, and is acknowledged when all of them have confirmed or
// dropped it, or have it on disk. Optional clients get what they have room for, and nothing waits for them.

import { within } from "../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import type { Sink } from "../sink.ts";
import { Client } from "./client.ts";
import { createClientMetrics } from "./client-metrics.ts";
import type { ClientOptions, ClientsShared } from "./client-options.ts";
import type { ClientDisk } from "./disk-queue.ts";
import { groupEntries } from "./entry-grouping.ts";
import { Pace } from "./pace.ts";

export type { ClientOptions, ClientsShared } from "./client-options.ts";

export interface Clients extends Sink {
  /** Whether nothing that counts waits for an answer; optional clients do not count. */
  idle(): boolean;
  /** Sends what is there without waiting for batches to fill, with retries, for at most `deadlineMs`; then stops. */
  drain(deadlineMs: number): Promise<void>;
  /** Cuts everything off. What was not acknowledged keeps its tickets, so that positions stay before it. */
  stopNow(): void;
}

const OBSERVE_PERIOD_MS = 5_000;
/** What optional clients get to end, after the others have. */
const OPTIONAL_DRAIN_MS = 2_000;

/**
 * @param disks by client, where its batches wait when it is behind
 * @throws Error when a certificate cannot be read or an address is malformed
 */
export function openClients(
  options: readonly ClientOptions[],
  shared: ClientsShared,
  disks: readonly (ClientDisk | undefined)[] = [],
): Clients {
  const metrics = createClientMetrics(shared.registry);
  const clients: Client[] = [];
  try {
    for (const [i, one] of options.entries()) clients.push(new Client(one, shared, metrics, disks[i]));
  } catch (error) {
    for (const client of clients) client.stopNow();
    throw error;
  }
  const pace = new Pace(clients.filter(({ isOptional }) => !isOptional));
  if (disks.some((disk) => disk !== undefined)) pace.start();
  const observer = setInterval(() => {
    for (const client of clients) client.observe();
  }, OBSERVE_PERIOD_MS);
  observer.unref();
  const stopNow = (): void => {
    clearInterval(observer);
    pace.stop();
    for (const client of clients) client.stopNow();
  };
  return {
    consume: (batch) => consume(batch, clients, shared, pace),
    idle: () => clients.every((client) => client.isOptional || client.isIdle),
    stopNow,
    drain: async (deadlineMs) => {
      const endMs = shared.clock.nowMs() + deadlineMs;
      const draining = clients.map((client) => ({ client, drained: drained(client) }));
      const drainedOf = (optional: boolean): Promise<unknown> =>
        Promise.all(draining.filter(({ client }) => client.isOptional === optional).map(({ drained }) => drained));
      await within(drainedOf(false), deadlineMs, shared.clock);
      await within(drainedOf(true), Math.min(OPTIONAL_DRAIN_MS, endMs - shared.clock.nowMs()), shared.clock);
      stopNow();
    },
  };
}

/** One with a disk is stopped when it is done, for one that takes its place may wait for what it has there. */
async function drained(client: Client): Promise<void> {
  await client.drain();
  if (client.hasDisk) client.stopNow();
}

function consume(batch: EntryBatch, clients: readonly Client[], limit: ClientsShared, pace: Pace): Promise<void> | void {
  if (batch.liveCount === 0) return;
  const grouping = groupEntries(batch, limit);
  const waits: Promise<void>[] = [];
  for (const client of clients) {
    const wait = client.take(batch, grouping);
    if (wait !== undefined) waits.push(wait);
  }
  if (waits.length === 0) return;
  pace.heldUp();
  return Promise.all(waits).then(() => {});
}
