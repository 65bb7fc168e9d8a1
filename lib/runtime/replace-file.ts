// The one small file that is replaced: written aside, synced, renamed, and the folder synced, so that a reader or a power cut sees
// the old content or the new one, never a part.

import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

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

/** Removes what processes that were killed while they replaced one of these files have left beside it. Without a word where that cannot be done. */
export async function removeHalfWritten(folder: string, files: readonly string[]): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = files.find((one) => name.startsWith(`${one}.tmp-`));
    if (file === undefined || isRunning(Number(name.slice(`${file}.tmp-`.length)))) continue;
    await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
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
