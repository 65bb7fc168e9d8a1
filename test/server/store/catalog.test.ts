import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { BlockMeta, Catalog } from "../../../server/store/catalog.ts";
import { openFileCatalog } from "../../../server/store/file-catalog.ts";
import { silentLog } from "../../silent-log.ts";

const folders: string[] = [];
const opened: Catalog[] = [];
afterEach(async () => {
  for (const catalog of opened.splice(0)) await catalog.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skald-catalog-"));
  folders.push(folder);
  return join(folder, "catalog");
}

async function open(path: string): Promise<Catalog> {
  const catalog = await openFileCatalog(path, silentLog);
  opened.push(catalog);
  return catalog;
}

const block = (key: string, tenant = "t", minSec = 0, maxSec = 10): BlockMeta => ({
  key,
  tenant,
  minSec,
  maxSec,
  entryCount: 1,
  lineBytes: 2,
  objectBytes: 3,
});
const keysOf = (catalog: Catalog): string[] =>
  catalog
    .all()
    .map(({ key }) => key)
    .sort();

/** A catalogue of a few changes; the byte at which each of them ended. */
async function threeChanges(path: string): Promise<number[]> {
  const catalog = await open(path);
  const ends: number[] = [];
  for (const change of [{ add: [block("a"), block("b")] }, { add: [block("c")], remove: ["a"] }, { add: [block("d")] }]) {
    await catalog.change(change);
    ends.push((await stat(path)).size);
  }
  return ends;
}

const STATES = [[], ["a", "b"], ["b", "c"], ["b", "c", "d"]];

describe("catalogue", () => {
  test("begins empty", async () => expect(keysOf(await open(await newPath()))).toEqual([]));

  test("adds and removes several at once", async () => {
    const catalog = await open(await newPath());
    await catalog.change({ add: [block("a"), block("b")] });
    await catalog.change({ add: [block("c")], remove: ["a", "b"] });
    expect(keysOf(catalog)).toEqual(["c"]);
  });

  test("knows its blocks, as they were given, after reopening", async () => {
    const path = await newPath();
    const meta = { ...block("k", "tenant ü", -5, 7), entryCount: 11, lineBytes: 2 ** 40, objectBytes: 13 };
    await (await open(path)).change({ add: [meta] });
    expect((await open(path)).all()).toEqual([meta]);
  });

  for (const [name, from, to, want] of [
    ["both bounds are inclusive at the start", 20, 25, ["b"]],
    ["both bounds are inclusive at the end", 5, 10, ["a", "b"]],
    ["a range between blocks meets none", 21, 29, []],
    ["a range over all meets all", -100, 100, ["a", "b"]],
  ] as const)
    test(`blocks by time: ${name}`, async () => {
      const catalog = await open(await newPath());
      await catalog.change({ add: [block("a", "t", 0, 5), block("b", "t", 10, 20), block("other", "u", 0, 100)] });
      expect(
        catalog
          .blocks("t", from, to)
          .map(({ key }) => key)
          .sort(),
      ).toEqual(want);
    });

  test("tenants are those that have a block", async () => {
    const catalog = await open(await newPath());
    await catalog.change({ add: [block("a", "t"), block("b", "u")] });
    await catalog.change({ remove: ["a"] });
    expect(catalog.tenants()).toEqual(["u"]);
  });

  test("changes made at once are all kept, in their order", async () => {
    const path = await newPath();
    const catalog = await open(path);
    await Promise.all(Array.from({ length: 20 }, (_, i) => catalog.change({ add: [block(`k${i}`)], remove: i > 0 ? [`k${i - 1}`] : [] })));
    expect(keysOf(catalog)).toEqual(["k19"]);
    expect(keysOf(await open(path))).toEqual(["k19"]);
  });

  test("cut off at any byte, it holds the changes that were whole", async () => {
    const path = await newPath();
    const ends = await threeChanges(path);
    const content = await readFile(path);
    for (let length = 0; length <= content.length; length++) {
      await writeFile(path, content.subarray(0, length));
      const catalog = await openFileCatalog(path, silentLog);
      const whole = ends.filter((end) => end <= length).length;
      expect(keysOf(catalog), `cut at ${length}`).toEqual(STATES[whole]);
      await catalog.change({ add: [block("later")] });
      await catalog.close();
      const again = await openFileCatalog(path, silentLog);
      expect(keysOf(again), `cut at ${length}, then written`).toEqual([...STATES[whole]!, "later"].sort());
      await again.close();
    }
  });

  test("cut off at any byte and filled up with zeros, it holds the changes that were whole", async () => {
    const path = await newPath();
    const ends = await threeChanges(path);
    const content = await readFile(path);
    // Only the last record can be unfinished: earlier ones were synced before it was begun.
    for (let length = ends[1]!; length < content.length; length++) {
      await writeFile(path, Buffer.concat([content.subarray(0, length), Buffer.alloc(content.length - length)]));
      const whole = ends.filter((end) => end <= length).length;
      const catalog = await openFileCatalog(path, silentLog);
      expect(keysOf(catalog), `cut at ${length}`).toEqual(STATES[whole]);
      await catalog.close();
    }
  });

  test("zeros behind the last record, as a file system may leave them, are a torn tail", async () => {
    const path = await newPath();
    await threeChanges(path);
    await appendFile(path, Buffer.alloc(4096));
    expect(keysOf(await open(path))).toEqual(STATES[3]);
  });

  test("a flipped bit is never taken for a shorter history", async () => {
    const path = await newPath();
    const ends = await threeChanges(path);
    const content = await readFile(path);
    // Damage in the last record cannot be told from a torn write; anywhere before it must not hide what follows.
    for (let at = 0; at < ends[1]!; at++) {
      for (const bit of [0, 5, 7]) {
        const damaged = Buffer.from(content);
        damaged[at] = damaged[at]! ^ (1 << bit);
        await writeFile(path, damaged);
        await expect(openFileCatalog(path, silentLog), `bit ${bit} of byte ${at}`).rejects.toThrow(path);
        expect((await readFile(path)).equals(damaged), `the file is left as it was, bit ${bit} of byte ${at}`).toBe(true);
      }
    }
  });

  test("a file that is something else is refused and left alone", async () => {
    const path = await newPath();
    await writeFile(path, "apiVersion: v1\n");
    await expect(openFileCatalog(path, silentLog)).rejects.toThrow(/no.* catalogue/);
    expect(await readFile(path, "utf8")).toBe("apiVersion: v1\n");
  });

  test("is written anew when most of it speaks of removed blocks", async () => {
    const path = await newPath();
    const catalog = await open(path);
    const many = Array.from({ length: 1500 }, (_, i) => block(`k${i}`));
    await catalog.change({ add: many });
    const large = (await stat(path)).size;
    await catalog.change({ add: [block("kept")], remove: many.map(({ key }) => key), walFrom: 9 });
    expect((await stat(path)).size).toBeLessThan(large / 10);
    await catalog.change({ add: [block("after")] });
    expect(keysOf(await open(path))).toEqual(["after", "kept"]);
  });

  test("a record shortened from outside while open is noticed at the next start, not before", async () => {
    const path = await newPath();
    const ends = await threeChanges(path);
    await truncate(path, ends[1]! + 3);
    expect(keysOf(await open(path))).toEqual(STATES[2]);
  });
});
