// A delete request: lines of a tenant that a query selects, in a span of time, are to go. Shape, pieces and statuses: Loki's
// /loki/api/v1/delete (reference §1.13).

/** As it is kept on disk. Both times inclusive. */
export interface DeleteRequest {
  readonly id: string;
  readonly tenant: string;
  /** A selector, and ops behind it: lines that pass all of them go. */
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Length of the pieces that it is carried out in; 0: in one. */
  readonly intervalMs: number;
  readonly createdMs: number;
  /** How many pieces have been carried out, the oldest first. */
  readonly piecesDone: number;
  /** Whether lines of its first pieces may be gone although none counts as carried out: a run may have failed on its way. */
  readonly isBegun?: boolean;
}

export interface Piece {
  readonly startMs: number;
  readonly endMs: number;
}

/** Pieces begin at multiples of the interval; each takes in the first millisecond of the next one. */
export function pieceCount({ startMs, endMs, intervalMs }: DeleteRequest): number {
  return intervalMs === 0 ? 1 : Math.max(1, Math.ceil((endMs - floorTo(startMs, intervalMs)) / intervalMs));
}

export function pieceOf({ startMs, endMs, intervalMs }: DeleteRequest, piece: number): Piece {
  if (intervalMs === 0) return { startMs, endMs };
  const from = floorTo(startMs, intervalMs) + piece * intervalMs;
  return { startMs: Math.max(startMs, from), endMs: Math.min(endMs, from + intervalMs) };
}

/** The part that is not carried out yet; undefined when all of it is. */
export function pendingPart(request: DeleteRequest): Piece | undefined {
  if (isProcessed(request)) return undefined;
  return { startMs: pieceOf(request, request.piecesDone).startMs, endMs: request.endMs };
}

export function isProcessed(request: DeleteRequest): boolean {
  return request.piecesDone >= pieceCount(request);
}

/** Whether some of its lines may be gone. */
export function isPartlyDone({ piecesDone, isBegun = false }: DeleteRequest): boolean {
  return piecesDone > 0 || isBegun;
}

export function statusOf(request: DeleteRequest): string {
  if (isProcessed(request)) return "processed";
  if (request.piecesDone === 0) return "received";
  return `${Math.trunc((request.piecesDone / pieceCount(request)) * 100)}% Complete`;
}

/** What is left of a request whose pending pieces were cancelled: those that are carried out. */
export function cutToDone(request: DeleteRequest): DeleteRequest {
  return { ...request, endMs: pieceOf(request, request.piecesDone - 1).endMs };
}

function floorTo(ms: number, intervalMs: number): number {
  return Math.floor(ms / intervalMs) * intervalMs;
}
