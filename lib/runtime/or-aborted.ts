/**
 * Settles with `work`, or resolves when the signal aborts first. Leaves nothing behind on the signal, however often it is called,
 * which a `Promise.race` with the abort of a long-lived signal would.
 */
export function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done, { once: true });
    work.then(done, (error: unknown) => {
      signal.removeEventListener("abort", done);
      reject(error);
    });
  });
}
