// Where a file went when it left its path. Rotation renames it beside its old place (app.log.1, app.log-20240131, app-2024.log,
// 0.log.20240131-120000) or copies it there and truncates the original; twice rotated while nobody looked, there is a generation in
// between that was never seen at the path. All of them are found again by looking at the neighbours.

import { closeSync, fstatSync, openSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import { compareNaturally } from "../positions-file.ts";
import { type FileId, type Fingerprint, idKey, matchesFingerprint } from "./file-identity.ts";

/** Neighbours looked at in a folder of any size; those with the file's own name in theirs come first. */
const NEIGHBOURS_MAX = 2_000;
const SCANS_MAX = 4;

/** Files are stamped by the kernel's coarse clock, which lags the precise one by up to a tick. */
export const CLOCK_TICK_MS = 20;

export interface FoundFile {
  readonly path: string;
  readonly id: FileId;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly bornMs: number;
}

/**
 * The file of this identity among the neighbours of `paths`, checked by its content, open for reading.
 *
 * @param paths where it was: its matched path, and where links led
 * @param seenMs when it was seen last: of a file that was empty then, its inode alone would tell nothing
 */
export function findByIdentity(
  paths: readonly string[],
  id: FileId,
  print: Fingerprint,
  seenMs: number,
): { readonly file: FoundFile; readonly fd: number } | undefined {
  const key = idKey(id);
  for (let scan = 0; scan < SCANS_MAX; scan++) {
    const before = foldersChanged(paths);
    for (const candidate of neighbours(paths, () => true)) {
      const file = statFile(candidate);
      if (file === undefined || idKey(file.id) !== key) continue;
      if (print.headBytes === 0 && file.bornMs > seenMs + CLOCK_TICK_MS) return undefined;
      const fd = openIfMatching(file, print);
      if (fd !== undefined) return { file, fd };
    }
    // Renamed on while the folder was being gone through, it may have been missed.
    if (foldersChanged(paths) === before) return undefined;
  }
  return undefined;
}

/** When names in the folders changed last. */
export function foldersChanged(paths: readonly string[]): string {
  return foldersOf(paths)
    .map((folder) => statSync(folder, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n)
    .join();
}

/**
 * Whether a file may have come to the folders of `paths`, or changed its name there, after a time (ms since 1970). If not, a thousand
 * generations that lie there need not be looked at.
 */
export function namesChangedSince(paths: readonly string[], afterMs: number): boolean {
  return foldersOf(paths).some((folder) => (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0) > afterMs);
}

function foldersOf(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => resolve(dirname(path))))];
}

/** A copy of the file's former content (copy and truncate): another file of the family that goes on where the fingerprint ends. */
export function findCopy(
  paths: readonly string[],
  print: Fingerprint,
  isKnown: (id: FileId) => boolean,
): { readonly file: FoundFile; readonly fd: number } | undefined {
  // Without anything read there is nothing to know a copy by.
  if (print.headBytes === 0) return undefined;
  const family = familyOf(paths);
  const found = [...neighbours(paths, family)]
    .map(statFile)
    .filter((file): file is FoundFile => file !== undefined && file.sizeBytes >= print.offset && !isKnown(file.id))
    .sort((a, b) => b.modifiedMs - a.modifiedMs);
  for (const file of found) {
    const fd = openIfMatching(file, print);
    if (fd !== undefined) return { file, fd };
  }
  return undefined;
}

/**
 * Generations of a path that came and went between two looks: of its family, not known, written to after `afterMs`; oldest first.
 *
 * @param paths the path, and where links lead now
 * @param ledTo where links led at the last look: of dated or numbered files a link leads to one after the other (app-1.log, app-2.log …)
 *   those between the two are of the family
 */
export function findUnseen(
  paths: readonly [name: string, target: string],
  ledTo: string | undefined,
  afterMs: number,
  isKnown: (id: FileId) => boolean,
): FoundFile[] {
  if (!namesChangedSince(paths, afterMs)) return [];
  const inFamily = familyOf(paths);
  const isBetween = ledTo === undefined || paths[0] === paths[1] ? () => false : between(ledTo, paths[1]);
  return (
    [...neighbours(paths, (name) => inFamily(name) || isBetween(name))]
      .filter((path) => !isCompressed(path))
      .map(statFile)
      .filter((file): file is FoundFile => file !== undefined && file.modifiedMs > afterMs && !isKnown(file.id))
      // What a link leads to may have been made before the look at which it still led elsewhere.
      .filter((file) => isBetween(basename(file.path)) || wasMadeAfter(file, afterMs))
      .sort((a, b) => a.modifiedMs - b.modifiedMs || a.bornMs - b.bornMs || byName(a, b, isBetween))
  );
}

/** Of files of one tick of the clock: what links lead to counts up, what is renamed again and again counts down. */
function byName(a: FoundFile, b: FoundFile, isBetween: (name: string) => boolean): number {
  const [one, other] = [basename(a.path), basename(b.path)];
  return isBetween(one) ? compareNaturally(one, other) : compareNaturally(other, one);
}

/** Some file systems do not note when files were made, which is 0: it may be. */
function wasMadeAfter({ bornMs }: FoundFile, afterMs: number): boolean {
  return bornMs > afterMs || bornMs === 0;
}

/** Names of the same form as both, but for their numbers, and between them in order. */
function between(first: string, last: string): (name: string) => boolean {
  const form = (path: string): string => basename(path).replace(/\d+/g, "0");
  if (form(first) !== form(last) || dirname(first) !== dirname(last)) return () => false;
  const [low, high] = [basename(first), basename(last)].sort(compareNaturally) as [string, string];
  return (name) => form(name) === form(low) && compareNaturally(low, name) < 0 && compareNaturally(name, high) < 0;
}

/** Compressed generations of a path, oldest first. */
export function compressedFamily(paths: readonly string[]): FoundFile[] {
  const inFamily = familyOf(paths);
  return [...neighbours(paths, (name) => isCompressed(name) && inFamily(name.slice(0, name.lastIndexOf("."))))]
    .map(statFile)
    .filter((file): file is FoundFile => file !== undefined)
    .sort((a, b) => a.modifiedMs - b.modifiedMs || a.bornMs - b.bornMs || byName(a, b, () => false));
}

export function isCompressed(path: string): boolean {
  return /\.(gz|z|bz2|xz|zst|lz4|zip|Z)$/.test(path);
}

/** Names that rotation gives: the file's name (or its stem, before the extension) with a number or date behind it. */
export function familyOf(paths: readonly string[]): (name: string) => boolean {
  const families = paths.map((path) => {
    const name = basename(path);
    const extension = extname(name);
    const stem = extension === "" ? name : name.slice(0, -extension.length);
    const serial = "[-._]?\\d[\\dT:._-]*(?:\\.(?:old|bak|save))?";
    return {
      stem,
      patterns: [
        new RegExp(`^${escapeRegExp(name)}(?:${serial}|[-._](?:old|bak|save|prev))$`),
        new RegExp(`^${escapeRegExp(stem)}[-._]${serial}${escapeRegExp(extension)}$`),
      ],
    };
  });
  return (name) => families.some(({ stem, patterns }) => name.startsWith(stem) && patterns.some((pattern) => pattern.test(name)));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Files in the folders of `paths`, those of the family first. */
function* neighbours(paths: readonly string[], accepts: (name: string) => boolean): Generator<string> {
  const inFamily = familyOf(paths);
  const far: string[] = [];
  for (const folder of foldersOf(paths)) {
    for (const name of namesIn(folder)) {
      if (!accepts(name)) continue;
      const path = folder === "/" ? `/${name}` : `${folder}/${name}`;
      if (inFamily(name)) yield path;
      else if (far.length < NEIGHBOURS_MAX) far.push(path);
    }
  }
  yield* far;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function statFile(path: string): FoundFile | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return undefined;
  return {
    path,
    id: { dev: String(stat.dev), ino: String(stat.ino) },
    sizeBytes: Number(stat.size),
    modifiedMs: Number(stat.mtimeNs) / 1e6,
    bornMs: Number(stat.birthtimeNs) / 1e6,
  };
}

function openIfMatching(file: FoundFile, print: Fingerprint): number | undefined {
  let fd: number;
  try {
    fd = openSync(file.path, "r");
  } catch {
    return undefined;
  }
  const stat = fstatSync(fd, { bigint: true });
  const same = String(stat.dev) === file.id.dev && String(stat.ino) === file.id.ino;
  if (same && matchesFingerprint(fd, Number(stat.size), print)) return fd;
  closeSync(fd);
  return undefined;
}
