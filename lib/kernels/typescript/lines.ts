// Line ends, in plain TypeScript. See kernels.ts for the contract.

export function splitLines(bytes: Uint8Array, from: number, to: number, starts: Int32Array, ends: Int32Array): number {
  // A view up to `to` keeps a search for the last, unfinished line from running on.
  const block = to === bytes.length ? bytes : bytes.subarray(0, to);
  const most = Math.min(starts.length, ends.length);
  let count = 0;
  let start = from;
  while (count < most && start < to) {
    const end = block.indexOf(10, start);
    if (end < 0) break;
    starts[count] = start;
    ends[count++] = end;
    start = end + 1;
  }
  return count;
}
