// A query while it runs: what it has read, and why it should stop.

import { setMaxListeners } from "node:events";
import { type QueryError, queryErrors } from "./errors.ts";
import { noStats, type ScanStats } from "./scan-control.ts";

export interface RunningQuery {
  readonly stats: ScanStats;
  /** Aborts when the client goes away or the time is up. */
  readonly signal: AbortSignal;
  /** @throws QueryError when the query has to stop */
  throwIfStopped(): void;
  /** The promise, or the reason to stop, whichever comes first. */
  guard<T>(promise: Promise<T>): Promise<T>;
  end(): void;
}

/** @param timeoutMs 0: none */
export function startQuery(clientSignal: AbortSignal | undefined, timeoutMs: number): RunningQuery {
  const stop = new AbortController();
  // Every task of the query listens.
  setMaxListeners(0, stop.signal);
  let reason: QueryError | undefined;
  const abort = (error: QueryError): void => {
    reason ??= error;
    stop.abort();
  };
  const onClientGone = (): void => abort(queryErrors.cancelled());
  if (clientSignal?.aborted) onClientGone();
  clientSignal?.addEventListener("abort", onClientGone, { once: true });
  const timer = timeoutMs > 0 ? setTimeout(() => abort(queryErrors.timedOut()), timeoutMs) : undefined;
  timer?.unref();
  const throwIfStopped = (): void => {
    if (reason !== undefined) throw reason;
  };
  return {
    stats: noStats(),
    signal: stop.signal,
    throwIfStopped,
    guard: (promise) =>
      new Promise((resolve, reject) => {
        const stopped = (): void => reject(reason);
        if (stop.signal.aborted) stopped();
        stop.signal.addEventListener("abort", stopped, { once: true });
        promise.then(resolve, reject);
      }),
    end() {
      clearTimeout(timer);
      clientSignal?.removeEventListener("abort", onClientGone);
      // Whatever still scans for this query has no one to read it.
      abort(queryErrors.cancelled());
    },
  };
}
