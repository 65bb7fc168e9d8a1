// The tree checks itself: who imports whom, how long files are, what must not be left in them.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** DESIGN: what each part may import of ours. A part may always import itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "lib/runtime": [],
  "lib/kernels": [],
  "lib/text": ["lib/runtime", "lib/kernels", "lib/wire"],
  "lib/wire": ["lib/runtime", "lib/kernels", "lib/text"],
  "lib/logql": ["lib/runtime", "lib/kernels", "lib/text", "lib/wire"],
  pipelines: ["lib"],
  agent: ["pipelines", "lib"],
  server: ["lib"],
  cli: ["agent", "server", "lib"],
};

/** Files may be this long; the exceptions are what hand-written parsers and tables grow to, and may only shrink. */
const LINES_MAX = 450;
const LONGER: Readonly<Record<string, number>> = {};

interface Source {
  readonly path: string;
  readonly text: string;
}

const sources = ["agent", "pipelines", "server", "cli", "lib"].flatMap((folder) => listSources(join(ROOT, folder)));

function listSources(folder: string): Source[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "assembly" ? [] : listSources(path);
    return /\.m?ts$/.test(entry.name) ? [{ path: relative(ROOT, path), text: readFileSync(path, "utf8") }] : [];
  });
}

function partOf(path: string): string {
  const [top = "", room = ""] = path.split("/");
  return top === "lib" ? `lib/${room}` : top;
}

function importsOf({ path, text }: Source): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) => relative(ROOT, resolve(ROOT, dirname(path), match[1]!)));
}

describe("tree", () => {
  test("there are sources to check", () => expect(sources.length).toBeGreaterThan(20));

  test("each part imports only what it may", () => {
    const wrong = sources.flatMap((source) => {
      const part = partOf(source.path);
      const allowed = MAY_IMPORT[part] ?? [];
      return importsOf(source)
        .filter(
          (target) =>
            partOf(target) !== part && !allowed.some((prefix) => partOf(target) === prefix || partOf(target).startsWith(`${prefix}/`)),
        )
        .map((target) => `${source.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test("a file is a page or two", () => {
    const long = sources
      .filter(({ path, text }) => text.split("\n").length > (LONGER[path] ?? LINES_MAX))
      .map(({ path, text }) => `${path}: ${text.split("\n").length} lines`);
    expect(long).toEqual([]);
  });

  test("nothing is left that was meant to go", () => {
    const leftovers = sources
      .filter(({ text }) => /\bconsole\.log\b|\bdebugger\b|\bTODO(?!\(#)|\bFIXME\b|\bXXX\b/.test(text))
      .map(({ path }) => path);
    expect(leftovers).toEqual([]);
  });

  test("no drawer called utils", () => {
    expect(sources.filter(({ path }) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.ts$)/.test(path)).map(({ path }) => path)).toEqual([]);
  });
});
