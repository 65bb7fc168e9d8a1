// Where a file that has left its path is now. Of an open file the kernel says it; one that is not open is looked for by its identity
// among its neighbours.

import { closeSync, fstatSync, readlinkSync } from "node:fs";
import { type FileId, isSame, statFile } from "./file-identity.ts";
import type { FileTail } from "./file-tail.ts";
import { findByIdentity } from "./generations.ts";

/** Between the kernel's answer and a look at that place the file may be renamed again. */
const ASKED_MAX = 4;

/** Makes sure that the file is open, and returns its path; undefined when it has none any more, or is not found (and not open then). */
export function locate(tail: FileTail): string | undefined {
  if (tail.open()) {
    if (fstatSync(tail.file!.fd).nlink === 0) return undefined;
    const path = pathOfOpen(tail.file!.fd, tail.id);
    if (path !== undefined) return path;
  }
  const print = tail.trace.fingerprint(tail.offset, tail.trace.markDigest());
  const found = findByIdentity([tail.name, tail.path], tail.id, print, tail.seenMs);
  if (found === undefined) return undefined;
  if (tail.file === undefined) tail.adoptDescriptor(found.fd);
  else closeSync(found.fd);
  return found.file.path;
}

/** A look through the folder would cost more with each generation that lies there, at each rotation. */
function pathOfOpen(fd: number, id: FileId): string | undefined {
  for (let asked = 0; asked < ASKED_MAX; asked++) {
    let path: string;
    try {
      path = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return undefined;
    }
    const stat = statFile(path);
    if (stat !== undefined && isSame(id, stat)) return path;
  }
  return undefined;
}
