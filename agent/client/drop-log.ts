// What the client has to say about trouble, at most once a minute per kind: a remote that is away must not fill the agent's own log,
// which may be one of the files it reads.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";

const PERIOD_MS = 60_000;

export interface DropLog {
  dropped(tenant: string, reason: string, entryCount: number, text: string): void;
  retrying(tenant: string, text: string, attempt: number): void;
  /** Says what is still unsaid. */
  close(): void;
}

interface Told {
  atMs: number;
  unsaidCount: number;
  say: (count: number) => void;
}

export function createDropLog(log: Log, clock: Clock, fields: object): DropLog {
  const told = new Map<string, Told>();
  const limited = (key: string, count: number, say: (count: number) => void): void => {
    const nowMs = clock.nowMs();
    const before = told.get(key);
    if (before !== undefined && nowMs - before.atMs < PERIOD_MS) {
      before.unsaidCount += count;
      before.say = say;
      return;
    }
    say(count + (before?.unsaidCount ?? 0));
    told.set(key, { atMs: nowMs, unsaidCount: 0, say });
  };
  return {
    dropped: (tenant, reason, entryCount, text) =>
      limited(`${reason} ${tenant}`, entryCount, (entries) =>
        log.error({ ...fields, tenant, reason, entries, error: text }, "entries dropped"),
      ),
    retrying: (tenant, text, attempt) =>
      limited(`retry ${tenant}`, 1, (failures) =>
        log.warn({ ...fields, tenant, attempt, failures, error: text }, "could not send a batch, trying again"),
      ),
    close: () => {
      for (const [key, { unsaidCount, say }] of told) if (unsaidCount > 0 && !key.startsWith("retry ")) say(unsaidCount);
      told.clear();
    },
  };
}
