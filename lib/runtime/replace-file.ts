// The one small file that is replaced: written aside, synced, renamed, and the folder synced, so that a reader or a power cut sees
// the old content or the new one, never a part.

import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * @param content whole, or in pieces that are made as they are written
 * @throws the file system's error; the old content is then still in place
 */
export async function replaceFile(path: string, content: string | Uint8Array | Iterable<string>, mode = 0o600): Promise<void> {
  const aside = `${path}.tmp-${process.pid}`;
  try {
    const file = await open(aside, "w", mode);
    try {
      const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
      // Each goes on behind the one before.
      for (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    throw cause;
  }
  await syncFolder(dirname(path));
}

/** Makes names created, renamed or removed in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
