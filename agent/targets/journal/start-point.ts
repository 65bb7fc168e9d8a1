// Where reading the journal begins: behind the saved cursor, unless it is older than `max_age`, unreadable or absent.

import { parseGoDurationMs } from "../../../lib/text/duration.ts";

const MAX_AGE_DEFAULT = "7h";

/** journalctl is asked to begin at the cursor's own entry, which is then left out, and not behind it: asked to begin behind an entry that is no longer there it leaves out another one. */
export type StartPoint = { readonly kind: "cursor"; readonly cursor: string } | { readonly kind: "since"; readonly sinceMs: number };

export function startPointOf(cursor: string | undefined, nowMs: number, maxAgeMs: number): StartPoint {
  const sinceMs = Math.max(0, nowMs - maxAgeMs);
  if (cursor === undefined || cursor === "") return { kind: "since", sinceMs };
  const timeMs = cursorTimeMs(cursor);
  return timeMs !== undefined && timeMs < sinceMs ? { kind: "since", sinceMs } : { kind: "cursor", cursor };
}

/** When the cursor's entry was written (`…;t=<microseconds, hexadecimal>;…`); undefined when it does not say. */
export function cursorTimeMs(cursor: string): number | undefined {
  const match = /(?:^|;)t=([0-9a-f]{1,13})(?:;|$)/.exec(cursor);
  return match === null ? undefined : Number.parseInt(match[1]!, 16) / 1000;
}

/** `max_age`. @throws Error */
export function readMaxAgeMs(text: string): number {
  try {
    return parseGoDurationMs(text === "" ? MAX_AGE_DEFAULT : text);
  } catch (error) {
    throw new Error(`max_age: ${(error as Error).message}; it is a duration such as 12h`);
  }
}
