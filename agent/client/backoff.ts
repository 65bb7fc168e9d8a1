import type { BackoffOptions } from "./client-options.ts";

/** What a server may ask us to wait at most. */
const RETRY_AFTER_MS_MAX = 10 * 60_000;

/**
 * How long to wait after the n-th failed send (n from 1): a random time in [min·2^(n-1), min·2^n), both ends capped at max. These are
 * Promtail's windows. What the server asks for (`Retry-After`) counts instead, but is never less than min.
 */
export function backoffMs(n: number, options: BackoffOptions, random: () => number, retryAfterMs?: number): number {
  const { minMs, maxMs } = options;
  if (retryAfterMs !== undefined) return Math.max(minMs, Math.min(retryAfterMs, RETRY_AFTER_MS_MAX));
  const from = Math.min(maxMs, minMs * 2 ** (n - 1));
  const to = Math.min(maxMs, minMs * 2 ** n);
  return from + random() * (to - from);
}

/** `Retry-After` of a response: seconds, or a date. Undefined when absent or senseless. */
export function parseRetryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
