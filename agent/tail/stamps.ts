/** Writes the time of reading into a batch's columns: strictly increasing over all lines, so that lines keep their order. */
export type Stamper = (sec: Int32Array, nanos: Int32Array, count: number) => void;

export function createStamper(nowMs: () => number = Date.now): Stamper {
  let lastSec = 0;
  let lastNanos = -1;
  return (sec, nanos, count) => {
    const ms = nowMs();
    let s = Math.floor(ms / 1000);
    let n = Math.round((ms - s * 1000) * 1e6);
    if (s < lastSec || (s === lastSec && n <= lastNanos)) {
      s = lastSec;
      n = lastNanos + 1;
    }
    for (let i = 0; i < count; i++) {
      if (n >= 1_000_000_000) {
        s++;
        n -= 1_000_000_000;
      }
      sec[i] = s;
      nanos[i] = n++;
    }
    lastSec = s;
    lastNanos = n - 1;
  };
}
