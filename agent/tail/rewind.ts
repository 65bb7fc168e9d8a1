// A client that a reload has taken away gives up what it could not send by its deadline. Those entries are read once more, for the
// clients there are now: else the file's position would stay before them until the next start. What was read behind them may be on its
// way already, and comes twice.

import { fstatSync } from "node:fs";
import { matchesFingerprint, traceAt } from "./file-identity.ts";
import type { FileTail } from "./file-tail.ts";
import type { FollowContext } from "./follow-context.ts";
import { reportLoss } from "./loss-ledger.ts";
import { locate } from "./whereabouts.ts";

/** Goes back to what is acknowledged. False: the file is gone. What was replaced in place is a loss. */
export function rewind(tail: FileTail, context: FollowContext): boolean {
  const { byId, clock, log } = context;
  const offset = tail.ledger.committed();
  const fields = { file: tail.name, at: tail.path, from_byte: offset, to_byte: tail.offset };
  const fd = openAgain(tail, offset);
  if (fd === undefined) {
    tail.ledger.discard();
    if (tail.rotated) return false;
    reportReplaced(tail, offset, context);
    tail.settle();
    return true;
  }
  log.info(fields, "former clients have given up entries of a file, reading them again");
  tail.sizeBytes = Math.max(tail.sizeBytes, fstatSync(fd).size);
  tail.ledger.discard();
  tail.restart({ offset, trace: traceAt(fd, offset) });
  tail.lookAhead();
  tail.changedMs = clock.nowMs();
  tail.finished = false;
  if (!byId.has(tail.idKey)) byId.set(tail.idKey, tail);
  return true;
}

/** The file's descriptor, if up to `offset` it has the content that was acknowledged. */
function openAgain(tail: FileTail, offset: number): number | undefined {
  tail.path = locate(tail) ?? tail.path;
  if (tail.file === undefined) return undefined;
  const { fd } = tail.file;
  if (matchesFingerprint(fd, fstatSync(fd).size, tail.trace.fingerprint(offset, tail.ledger.committedMark()))) return fd;
  if (tail.finished) tail.close();
  return undefined;
}

function reportReplaced(tail: FileTail, offset: number, { metrics, log }: FollowContext): void {
  const text = "former clients have given up entries of a file that was replaced since";
  reportLoss({ reason: "truncated", path: tail.name, fromByte: offset, toByte: tail.offset, text }, metrics, log);
}
