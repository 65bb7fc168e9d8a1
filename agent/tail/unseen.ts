// Generations that came to a path and left it between two looks: nobody has seen them there, so they are told by their names and times.

import { closeSync } from "node:fs";
import { digest } from "../file-records.ts";
import { HEAD_BYTES_MAX, idKey, matchesFingerprint, openIfSame, readAt } from "./file-identity.ts";
import { FileTail, FROM_START } from "./file-tail.ts";
import type { FollowContext } from "./follow-context.ts";
import { CLOCK_TICK_MS, type FoundFile, findUnseen } from "./generations.ts";
import type { ResumedFile } from "./resume.ts";

export interface Sighting {
  readonly name: string;
  /** Where links lead now, and where they led when a file was last seen at the path. */
  readonly leadsTo: string;
  readonly ledTo: string | undefined;
  /** When a file was last seen at the path. */
  readonly seenMs: number;
  /** The file that is at the path now. */
  readonly currentKey: string;
  /** A file whose content is being replaced: parts of it in a copy are no generation of their own. */
  readonly replaced: FileTail | undefined;
  /** Files of the path that are known. */
  readonly chain: readonly FileTail[];
}

/** Opens them, the oldest first. */
export function openUnseen(sighting: Sighting, context: FollowContext): ResumedFile[] {
  const { byId, isMatched, setting, clock, log, metrics } = context;
  const { name, leadsTo, ledTo, seenMs, currentKey } = sighting;
  const isKnown = (id: { readonly dev: string; readonly ino: string }): boolean => byId.has(idKey(id)) || idKey(id) === currentKey;
  const opened: ResumedFile[] = [];
  for (const file of findUnseen([name, leadsTo], ledTo, seenMs - CLOCK_TICK_MS, isKnown)) {
    if (isMatched(file.path)) continue;
    const fd = openIfSame(file.path, file.id);
    if (fd === undefined) continue;
    if (hasBeenRead(file, fd, sighting)) {
      closeSync(fd);
      continue;
    }
    log.info({ file: name, found: file.path }, "found a generation that was rotated away before it was seen");
    metrics.rotations.inc({ kind: "unseen" });
    opened.push({ tail: new FileTail(setting, name, file.path, file.id, file.sizeBytes, FROM_START(), clock.nowMs()), fd });
  }
  return opened;
}

/** A file that was read to its end and is only waiting for the answer (another may have its inode by now), or a copy of what is known. */
function hasBeenRead(file: FoundFile, fd: number, { chain, replaced }: Sighting): boolean {
  const isWaiting = chain.some(
    ({ idKey: key, trace, offset }) =>
      key === idKey(file.id) && matchesFingerprint(fd, file.sizeBytes, trace.fingerprint(offset, trace.markDigest())),
  );
  if (isWaiting || replaced?.file === undefined) return isWaiting;
  const { headBytes, headDigest } = replaced.trace;
  if (headBytes > 0 && file.sizeBytes < replaced.offset && digest(readAt(fd, 0, headBytes)) === headDigest) return true;
  // Copied, and not truncated yet: that comes next.
  const head = readAt(fd, 0, Math.min(HEAD_BYTES_MAX, file.sizeBytes));
  return head.length > 0 && readAt(replaced.file.fd, 0, head.length).equals(head);
}
