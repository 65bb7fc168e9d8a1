import { closeSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unpackGenerations } from "../../../agent/tail/compressed-generation.ts";
import { readAt } from "../../../agent/tail/file-identity.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-packed-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const pathOf = (name: string): string => join(folder, name);

function pack(number: number, text: string): void {
  writeFileSync(pathOf(`app.log.${number}.gz`), gzipSync(text));
  utimesSync(pathOf(`app.log.${number}.gz`), 1_000 - number, 1_000 - number);
}

/** What is found of three generations when, the search begun, `meanwhile` happens. */
async function search(meanwhile: () => void): Promise<string[]> {
  for (const number of [1, 2, 3]) pack(number, `generation ${number}\n`);
  const failed = (path: string, error: unknown): void => expect.fail(`${path}: ${String(error)}`);
  const searching = unpackGenerations([pathOf("app.log")], { records: [], known: [], unseenAfterMs: 0 }, failed);
  meanwhile();
  const found = await searching;
  const texts = found.map(({ fd, sizeBytes }) => readAt(fd, 0, sizeBytes).toString());
  for (const { fd } of found) closeSync(fd);
  return texts;
}

const all = [3, 2, 1].map((number) => `generation ${number}\n`);

test("generations nobody has seen are unpacked, oldest first", async () => {
  expect(await search(() => {})).toEqual(all);
});

test("those that are renamed during the search, too", async () => {
  const shift = (): void => [3, 2, 1].forEach((number) => renameSync(pathOf(`app.log.${number}.gz`), pathOf(`app.log.${number + 1}.gz`)));
  expect(await search(shift)).toEqual(all);
});
