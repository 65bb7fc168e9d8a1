// Texts to compress and to search: runs, repeats near and far, log lines, noise.

import type { Random } from "./random.ts";

/** About `bytes` bytes made of noise, runs, copies of what came before, and log-like lines. */
export function mixedText(random: Random, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; ) {
    const room = bytes - at;
    const kind = random.below(5);
    let piece: Uint8Array;
    if (kind === 0) piece = random.bytes(1 + random.below(40));
    else if (kind === 1) piece = new Uint8Array(1 + random.below(random.pick([20, 300]))).fill(random.pick([0, 32, 97, 255]));
    else if (kind === 2 && at > 0) {
      const from = at - 1 - random.below(Math.min(at, random.pick([20, 5_000, 1 << 20])));
      piece = Uint8Array.from({ length: 1 + random.below(200) }, (_, i) => out[from + (i % (at - from))]!);
    } else piece = Buffer.from(logLine(random));
    out.set(piece.subarray(0, room), at);
    at += Math.min(room, piece.length);
  }
  return out;
}

export function logLine(random: Random): string {
  const level = random.pick(["info", "warn", "error"]);
  const trace = Buffer.from(random.bytes(16)).toString("hex");
  return `{"ts":"2025-10-09T09:22:19.${String(random.below(1000)).padStart(3, "0")}Z","level":"${level}","trace_id":"${trace}","path":"/api/v${random.below(4)}/users/${random.below(100_000)}","msg":"slow query ${random.below(10_000)}"}\n`;
}

/** A text cut short, with bytes changed, or bytes behind it. */
export function damage(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  const kind = random.below(4);
  if (kind === 0) return copy.subarray(0, random.below(copy.length + 1));
  if (kind === 1) return Buffer.concat([copy, random.bytes(1 + random.below(5))]);
  for (let n = 1 + random.below(4); n > 0 && copy.length > 0; n--)
    copy[random.below(copy.length)] = random.pick([random.below(256), 0, 255]);
  return copy;
}
