// Path patterns as Promtail's glob library takes them: `*` and `?` within a segment (a leading dot included), `[a-z]`, `[^a]`, `{a,b}`,
// and `**` as a whole segment for any number of folders. A path that exists as it is written is itself, whatever characters it has, and
// keeps its way of writing (`//`, `/../`); what patterns find is written plainly.

import { type Dirent, readdirSync, type Stats, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import picomatch from "picomatch";

/** Folders below the pattern's start that are looked into: a guard against links that lead in circles. */
const DEPTH_MAX = 40;

export interface PathGlob {
  readonly pattern: string;
  /** Whether a path (absolute) matches. */
  matches(path: string): boolean;
  /** Whether a match could lie below a folder (absolute). */
  leadsThrough(folder: string): boolean;
  /** All existing regular files that match, in order, and all folders in which a match could appear. */
  list(): { readonly files: string[]; readonly folders: string[] };
}

const OPTIONS = { dot: true, nobrace: true, noextglob: true, nonegate: true, nobracket: false, strictSlashes: true } as const;

/** @throws Error when the pattern is malformed (`[` without `]`, `{` without `}`) */
export function openGlob(pattern: string): PathGlob {
  const absolute = resolve("/", pattern) === pattern ? pattern : resolve(pattern);
  checkBrackets(absolute);
  const asWritten = isAbsolute(pattern) && pattern !== absolute && !SPECIAL.test(pattern) ? pattern : undefined;
  return new SegmentGlob(absolute, asWritten);
}

/** Undefined: nothing is excluded. A relative pattern excludes from relative patterns alone, as in Promtail, which compares what both find. */
export function openExclude(exclude: string, pathGlob: string): PathGlob | undefined {
  return exclude === "" || isAbsolute(exclude) !== isAbsolute(pathGlob) ? undefined : openGlob(exclude);
}

const SPECIAL = /[*?[{\\]/;

class SegmentGlob implements PathGlob {
  readonly pattern: string;
  readonly #asWritten: string | undefined;
  readonly #alternatives: readonly (readonly Segment[])[];

  constructor(pattern: string, asWritten: string | undefined) {
    this.pattern = pattern;
    this.#asWritten = asWritten;
    this.#alternatives = splitSegments(pattern);
  }

  matches(path: string): boolean {
    if (this.#asWritten !== undefined && isFile(this.#asWritten)) return path === this.#asWritten;
    return path === this.pattern || this.#alternatives.some((segments) => matchesAll(segments, namesOf(path)));
  }

  leadsThrough(folder: string): boolean {
    return this.#alternatives.some((segments) => leadsThrough(segments, namesOf(folder)));
  }

  list(): { readonly files: string[]; readonly folders: string[] } {
    const itself = [this.#asWritten, this.pattern].find((path) => path !== undefined && isFile(path));
    if (itself !== undefined) return { files: [itself], folders: [join(itself, "..")] };
    const files = new Set<string>();
    const folders = new Set<string>();
    for (const segments of this.#alternatives) walk("/", segments, 0, { files, folders, depth: 0 });
    return { files: [...files].sort(), folders: [...folders] };
  }
}

/** The path that was asked about last: of each file that comes to a folder, hundreds of targets ask one after the other. */
let asked: { readonly path: string; readonly names: readonly string[] } = { path: "", names: [] };

function namesOf(path: string): readonly string[] {
  if (path !== asked.path) asked = { path, names: path.split("/").filter((name) => name !== "") };
  return asked.names;
}

interface Segment {
  readonly text: string;
  readonly kind: "plain" | "glob" | "any-depth";
  /** What a `glob` matches. */
  readonly regex: RegExp | undefined;
}

const isMatch = ({ text, regex }: Segment, name: string): boolean => name === text || regex?.test(name) === true;

/** Thousands of targets have patterns that begin alike and end alike. */
const SEGMENTS_MAX = 1_000;
const known = new Map<string, Segment>();

function segmentOf(text: string): Segment {
  let segment = known.get(text);
  if (segment !== undefined) return segment;
  if (text === "**") segment = { text, kind: "any-depth", regex: undefined };
  else if (!SPECIAL.test(text)) segment = { text, kind: "plain", regex: undefined };
  // Only the expression, and not picomatch's own matcher: that keeps all that was found out about the pattern, several kilobytes.
  else segment = { text, kind: "glob", regex: regexOf(text) };
  if (known.size >= SEGMENTS_MAX) known.clear();
  known.set(text, segment);
  return segment;
}

function regexOf(text: string): RegExp {
  const alternatives = expandBraces(text.replace(/\[!/g, "[^"), () => true).filter((alternative) => alternative !== "");
  return new RegExp(alternatives.map((alternative) => picomatch.makeRe(alternative, OPTIONS).source).join("|") || "(?!)");
}

/** Splits at slashes outside braces; a brace group with slashes in it makes the rest one pattern per alternative. */
function splitSegments(pattern: string): Segment[][] {
  return expandBraces(pattern, (group) => group.includes("/") || group.includes("**")).map((alternative) =>
    alternative
      .split("/")
      .filter((text) => text !== "")
      .map(segmentOf),
  );
}

/** Whether the segments from `s` on take all names from `n` on. */
function matchesAll(segments: readonly Segment[], names: readonly string[], s = 0, n = 0): boolean {
  const segment = segments[s];
  if (segment === undefined) return n === names.length;
  if (n === names.length) return false;
  if (segment.kind !== "any-depth") return isMatch(segment, names[n]!) && matchesAll(segments, names, s + 1, n + 1);
  if (s === segments.length - 1) return true;
  for (let next = n; next < names.length; next++) if (matchesAll(segments, names, s + 1, next)) return true;
  return false;
}

function leadsThrough(segments: readonly Segment[], names: readonly string[]): boolean {
  for (const [i, name] of names.entries()) {
    const segment = segments[i];
    if (segment?.kind === "any-depth") return true;
    if (segment === undefined || i === segments.length - 1) return false;
    if (!isMatch(segment, name)) return false;
  }
  return true;
}

/** Alternatives of the groups that are wanted: one, several or empty ones, groups within groups. There are no ranges (`{1..3}`). */
function expandBraces(pattern: string, isWanted: (group: string) => boolean, from = 0): string[] {
  const open = openingBrace(pattern, from);
  const group = open < 0 ? undefined : groupAt(pattern, open);
  if (group === undefined) return [pattern];
  const { choices, end } = group;
  if (!isWanted(pattern.slice(open, end))) return expandBraces(pattern, isWanted, end);
  return choices.flatMap((choice) => expandBraces(pattern.slice(0, open) + choice + pattern.slice(end), isWanted, open));
}

function openingBrace(pattern: string, from: number): number {
  for (let i = from; i < pattern.length; i++) {
    if (pattern[i] === "{") return i;
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "[") i = Math.max(i, pattern.indexOf("]", i + 2));
  }
  return -1;
}

function groupAt(pattern: string, open: number): { readonly choices: string[]; readonly end: number } | undefined {
  const choices: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let i = start; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === "\\") i++;
    else if (char === "{") depth++;
    else if (char === "}" && depth > 0) depth--;
    else if (depth === 0 && (char === "," || char === "}")) {
      choices.push(pattern.slice(start, i));
      start = i + 1;
      if (char === "}") return { choices, end: start };
    }
  }
  return undefined;
}

interface Found {
  readonly files: Set<string>;
  readonly folders: Set<string>;
  readonly depth: number;
}

function walk(folder: string, segments: readonly Segment[], at: number, found: Found): void {
  const segment = segments[at];
  if (segment === undefined || found.depth > DEPTH_MAX) return;
  const last = at === segments.length - 1;
  if (segment.kind === "plain" && !last) {
    const next = join(folder, segment.text);
    if (isFolder(next)) walk(next, segments, at + 1, { ...found, depth: found.depth + 1 });
    else found.folders.add(folder);
    return;
  }
  found.folders.add(folder);
  for (const entry of readFolder(folder)) {
    if (segment.kind === "any-depth") {
      const path = join(folder, entry.name);
      // `**` stands for no folder as well.
      if (isFolderEntry(entry, path)) walk(path, segments, at, { ...found, depth: found.depth + 1 });
      else if (last && isFileEntry(entry, path)) found.files.add(path);
    } else if (isMatch(segment, entry.name)) {
      const path = join(folder, entry.name);
      if (last) {
        if (isFileEntry(entry, path)) found.files.add(path);
      } else if (isFolderEntry(entry, path)) walk(path, segments, at + 1, { ...found, depth: found.depth + 1 });
    }
  }
  if (segment.kind === "any-depth" && !last) walk(folder, segments, at + 1, found);
}

/** Folders that were read in this turn of the event loop: hundreds of targets look into the same one when their time comes together. */
const readNow = new Map<string, Dirent[]>();

function readFolder(folder: string): Dirent[] {
  const known = readNow.get(folder);
  if (known !== undefined) return known;
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // It is not there, or not ours to read.
  }
  if (readNow.size === 0) setImmediate(() => readNow.clear());
  readNow.set(folder, entries);
  return entries;
}

function isFolderEntry(entry: Dirent, path: string): boolean {
  return entry.isDirectory() || (entry.isSymbolicLink() && isFolder(path));
}

function isFileEntry(entry: Dirent, path: string): boolean {
  return entry.isFile() || (entry.isSymbolicLink() && isFile(path));
}

export function isFile(path: string): boolean {
  return statOf(path)?.isFile() ?? false;
}

function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // Something in its way is no folder, or not ours to look into.
    return undefined;
  }
}

function checkBrackets(pattern: string): void {
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "[") {
      const close = pattern.indexOf("]", i + 2);
      if (close < 0) throw new Error(`pattern ${pattern} has "[" without "]"; write \\[ for the character itself`);
      i = close;
    } else if (pattern[i] === "{") depth++;
    else if (pattern[i] === "}") depth--;
  }
  if (depth !== 0) throw new Error(`pattern ${pattern} has "{" without "}"; write \\{ for the character itself`);
}
