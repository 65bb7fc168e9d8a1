/**
 * Settles with `work`, or resolves with undefined when the signal aborts first. Leaves nothing behind on the signal, however often it is
 * called, which a `Promise.race` with the abort of a long-lived signal would. What goes wrong with the work after the abort is nobody's.
 */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    const leave = (): void => signal.removeEventListener("abort", stop);
    work.then(
      (value) => {
        leave();
        resolve(value);
      },
      (error: unknown) => {
        leave();
        reject(error);
      },
    );
  });
}
