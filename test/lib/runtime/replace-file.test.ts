import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeHalfWritten, replaceFile } from "../../../lib/runtime/replace-file.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-replace-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const goneProcess = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

test("the content is replaced whole, and nothing is left beside it", async () => {
  const file = join(folder, "f");
  await replaceFile(file, "one");
  await replaceFile(file, ["tw", "o"]);
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(readdirSync(folder)).toEqual(["f"]);
});

test("what a killed process has left is removed; a running one's and other files stay", async () => {
  const gone = goneProcess();
  const stays = ["f", `f.tmp-${process.ppid}`, "f.tmp-x", "f.tmp-", `g.tmp-${gone}`, `f.tmp-${gone}.txt`];
  for (const name of [...stays, `f.tmp-${gone}`]) writeFileSync(join(folder, name), "");
  await removeHalfWritten(folder, ["e", "f"]);
  expect(readdirSync(folder).sort()).toEqual(stays.sort());
});

test("a folder that is not there is no fault", async () => {
  await removeHalfWritten(join(folder, "nowhere"), ["f"]);
});
