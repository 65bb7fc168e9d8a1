// Which delete requests are to be carried out now, and in what portions.

import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Limits } from "../config/limits.ts";
import { type DeleteRequest, isProcessed, pieceCount, pieceOf } from "../deletes/delete-request.ts";
import { type CompiledDelete, compileDelete } from "../deletes/stream-deletes.ts";
import type { TimeRange } from "../page.ts";

/** Pieces of a tenant's requests that one pass over its blocks carries out. */
export interface Batch {
  readonly deletes: readonly CompiledDelete[];
  /** By request, how many of its pieces are carried out afterwards. */
  readonly piecesDone: ReadonlyMap<string, number>;
  /** Requests of which nothing is left then. */
  readonly finished: readonly string[];
  /** All of their time. */
  readonly range: TimeRange;
  readonly seconds: readonly [fromSec: number, toSec: number];
}

/**
 * The oldest pieces of requests that can no longer be cancelled.
 *
 * @param requests of one tenant
 * @returns undefined when nothing is due
 */
export function nextBatch(
  requests: readonly DeleteRequest[],
  cancelPeriodMs: number,
  nowMs: number,
  piecesMax: number,
  log: Log,
): Batch | undefined {
  const due = requests.filter((request) => isDue(request, cancelPeriodMs, nowMs)).sort((a, b) => a.createdMs - b.createdMs);
  const deletes: CompiledDelete[] = [];
  const piecesDone = new Map<string, number>();
  const finished: string[] = [];
  let [startMs, endMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let room = Math.max(1, piecesMax);
  for (const request of due) {
    if (room === 0) break;
    const last = Math.min(pieceCount(request), request.piecesDone + room);
    const part = { startMs: pieceOf(request, request.piecesDone).startMs, endMs: pieceOf(request, last - 1).endMs };
    try {
      deletes.push(compileDelete(request.query, part));
    } catch (error) {
      log.error({ request: request.id, query: request.query, error: messageOf(error) }, "a delete request cannot be understood; cancel it");
      continue;
    }
    room -= last - request.piecesDone;
    piecesDone.set(request.id, last);
    if (last === pieceCount(request)) finished.push(request.id);
    startMs = Math.min(startMs, part.startMs);
    endMs = Math.max(endMs, part.endMs);
  }
  if (deletes.length === 0) return undefined;
  return {
    deletes,
    piecesDone,
    finished,
    range: { startNs: BigInt(startMs) * 1_000_000n, endNs: BigInt(endMs) * 1_000_000n },
    seconds: [Math.floor(startMs / 1000), Math.ceil(endMs / 1000)],
  };
}

/** Requests that are due, of all tenants whose requests are carried out at all. */
export function pendingOf(
  requests: readonly DeleteRequest[],
  cancelPeriodMs: number,
  nowMs: number,
  limitsOf: (tenant: string) => Limits,
): { pendingRequests: number; oldestPendingSeconds: number } {
  const due = requests.filter(
    (request) => isDue(request, cancelPeriodMs, nowMs) && limitsOf(request.tenant).deletion_mode === "filter-and-delete",
  );
  const oldestMs = Math.min(nowMs, ...due.map(({ createdMs }) => createdMs + cancelPeriodMs));
  return { pendingRequests: due.length, oldestPendingSeconds: (nowMs - oldestMs) / 1000 };
}

function isDue(request: DeleteRequest, cancelPeriodMs: number, nowMs: number): boolean {
  return !isProcessed(request) && request.createdMs + cancelPeriodMs <= nowMs;
}
