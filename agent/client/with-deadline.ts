import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";

/**
 * Runs a request that ends when the caller gives up or the time is over.
 *
 * @param ask gets the signal to end by
 * @throws Error `no answer within … ms`, or what `ask` throws
 */
export async function withDeadline<T>(timeoutMs: number, signal: AbortSignal, ask: (within: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  let late = false;
  const timer = setTimeout(
    () => {
      late = true;
      abort.abort();
    },
    Math.min(timeoutMs, TIMER_MS_MAX),
  );
  const giveUp = (): void => abort.abort();
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    return await ask(abort.signal);
  } catch (error) {
    if (late) throw new Error(`no answer within ${timeoutMs} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
