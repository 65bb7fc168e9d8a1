// Time and chance come in as arguments, so that a test of back-off, idle flush or retention is instant and exact.

export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves after `ms` (24 days at most), or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node's timers take no more, 24 days; longer ones would fire at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX));
      signal?.addEventListener("abort", done, { once: true });
    }),
};

/** Milliseconds of a clock that never goes back. The first look at `performance` makes Node load its library of measurements, 3 ms. */
export function steadyMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1000 + nanos / 1e6;
}

/** Wall-clock time as whole seconds and nanoseconds. Strictly increasing between calls, so that lines read one after the other keep their order. */
export function createNanoClock(nowMs: () => number = Date.now): () => readonly [sec: number, nanos: number] {
  let lastSec = 0;
  let lastNanos = -1;
  return () => {
    const ms = nowMs();
    let sec = Math.floor(ms / 1000);
    let nanos = Math.round((ms - sec * 1000) * 1e6);
    if (sec < lastSec || (sec === lastSec && nanos <= lastNanos)) {
      sec = lastSec;
      nanos = lastNanos + 1;
      if (nanos >= 1e9) {
        sec++;
        nanos = 0;
      }
    }
    lastSec = sec;
    lastNanos = nanos;
    return [sec, nanos];
  };
}

/** A clock that stands still until a test moves it. */
export function manualClock(startMs = 0): Clock & { advance(ms: number): Promise<void> } {
  let now = startMs;
  const sleepers: { dueMs: number; wake: () => void }[] = [];
  return {
    nowMs: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        signal?.addEventListener("abort", () => resolve(), { once: true });
        sleepers.push({ dueMs: now + ms, wake: resolve });
      }),
    async advance(ms) {
      now += ms;
      for (const sleeper of sleepers.filter((s) => s.dueMs <= now)) {
        sleepers.splice(sleepers.indexOf(sleeper), 1);
        sleeper.wake();
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** Small, seedable generator of uniform numbers in [0, 1) (mulberry32), for tests and fuzzers. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Waits for work, but no longer than `ms`. Work that has not ended by then goes on; what it throws in time is thrown. */
export async function within(work: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  const abort = new AbortController();
  await Promise.race([work, clock.sleep(Math.max(0, ms), abort.signal)]);
  abort.abort();
}
