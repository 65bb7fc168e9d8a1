import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FileHolder, OpenFiles } from "../../../agent/tail/open-files.ts";

let folder: string;
let files: OpenFiles;
const holders: FileHolder[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-open-files-"));
  files = new OpenFiles(3);
});
afterEach(() => {
  for (const holder of holders.splice(0)) files.close(holder);
  rmSync(folder, { recursive: true });
});

function open(name: string, how: { readonly rotated?: boolean; readonly reading?: boolean; readonly deleted?: boolean } = {}): FileHolder {
  const path = join(folder, name);
  writeFileSync(path, name);
  const holder = { file: undefined, rotated: how.rotated ?? false, reading: how.reading ?? false };
  files.adopt(holder, openSync(path, "r"));
  if (how.deleted === true) rmSync(path);
  holders.push(holder);
  return holder;
}

const isOpen = ({ file }: FileHolder): boolean => file !== undefined;
const [rotated, deleted, reading] = [{ rotated: true }, { rotated: true, deleted: true }, { reading: true }];

for (const [what, before, expected] of [
  ["the least recently used goes first", [{}, {}, {}], [false, true, true]],
  ["a file that is being read stays", [reading, {}, {}], [true, false, true]],
  ["a file at its path goes before one that has left it", [rotated, {}, rotated], [true, false, true]],
  ["of files that have left their path the last to be read goes", [rotated, rotated, rotated], [true, true, false]],
  ["a file without a name stays", [rotated, deleted, deleted], [false, true, true]],
  ["nothing but files without a name: more are open than wanted", [deleted, deleted, deleted], [true, true, true]],
] as const)
  test(`past the limit: ${what}`, () => {
    const opened = before.map((how, i) => open(`${i}`, how));
    expect(isOpen(open("new", rotated))).toBe(true);
    expect(opened.map(isOpen)).toEqual(expected);
  });

test("past the limit: use counts, not the order of opening", () => {
  const opened = [open("a"), open("b"), open("c")];
  files.touch(opened[0]!);
  open("d");
  expect(opened.map(isOpen)).toEqual([true, false, true]);
});
