// One suite, held against every object store.

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openFsStore } from "../../../server/store/fs-store.ts";
import { createMemoryStore } from "../../../server/store/memory-store.ts";
import { isObjectKey, type ObjectStore, StoreError } from "../../../server/store/object-store.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skald-store-"));
  folders.push(folder);
  return folder;
}

const STORES: readonly (readonly [name: string, open: () => Promise<ObjectStore>])[] = [
  ["memory", async () => createMemoryStore()],
  ["file system", async () => openFsStore(await newFolder())],
];

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

for (const [name, open] of STORES) {
  describe(`object store: ${name}`, () => {
    const holds = (text: string, check: (store: ObjectStore) => Promise<void>): void => test(text, async () => check(await open()));

    holds("what was put is there, its parts joined", async (store) => {
      await store.put("t/blocks/a", [bytes(1, 2), bytes(), bytes(3)]);
      expect([...(await store.get("t/blocks/a", 0, 3))]).toEqual([1, 2, 3]);
      expect(await store.size("t/blocks/a")).toBe(3);
    });
    holds("a range is read alone", async (store) => {
      await store.put("a", [bytes(0, 1, 2, 3, 4, 5)]);
      expect([...(await store.get("a", 2, 3))]).toEqual([2, 3, 4]);
    });
    holds("an empty range of an object is empty", async (store) => {
      await store.put("a", [bytes(1)]);
      expect((await store.get("a", 1, 0)).length).toBe(0);
    });
    holds("an empty object is an object", async (store) => {
      await store.put("a", []);
      expect(await store.size("a")).toBe(0);
    });
    holds("a range past the end is refused", async (store) => {
      await store.put("a", [bytes(1, 2, 3)]);
      expect(await code(store.get("a", 2, 2))).toBe("io");
    });
    holds("a taken key is refused and its object stays", async (store) => {
      await store.put("a", [bytes(1)]);
      expect(await code(store.put("a", [bytes(2)]))).toBe("exists");
      expect([...(await store.get("a", 0, 1))]).toEqual([1]);
      expect(await store.list("")).toEqual(["a"]);
    });
    holds("of two puts of one key at once, one wins whole", async (store) => {
      const outcomes = await Promise.all([code(store.put("a", [bytes(1, 1)])), code(store.put("a", [bytes(2, 2)]))]);
      expect([...outcomes].sort()).toEqual(["exists", "no error"]);
      const winner = outcomes[0] === "no error" ? 1 : 2;
      expect([...(await store.get("a", 0, 2))]).toEqual([winner, winner]);
    });
    holds("the store keeps its own copy", async (store) => {
      const part = bytes(1, 2);
      await store.put("a", [part]);
      part.fill(9);
      expect([...(await store.get("a", 0, 2))]).toEqual([1, 2]);
    });
    holds("a missing object is missing to get and size", async (store) => {
      expect(await code(store.get("no/such", 0, 1))).toBe("missing");
      expect(await code(store.size("no/such"))).toBe("missing");
    });
    holds("listing takes a prefix and sorts", async (store) => {
      for (const key of ["b/2", "a/1", "b/1", "c"]) await store.put(key, [bytes(0)]);
      expect(await store.list("")).toEqual(["a/1", "b/1", "b/2", "c"]);
      expect(await store.list("b/")).toEqual(["b/1", "b/2"]);
      expect(await store.list("x")).toEqual([]);
    });
    holds("what was deleted is gone, and may be deleted again", async (store) => {
      await store.put("a/b", [bytes(1)]);
      await store.delete("a/b");
      await store.delete("a/b");
      expect(await code(store.get("a/b", 0, 1))).toBe("missing");
      expect(await store.list("")).toEqual([]);
    });
    holds("a deleted key may be put again", async (store) => {
      await store.put("a", [bytes(1)]);
      await store.delete("a");
      await store.put("a", [bytes(2)]);
      expect([...(await store.get("a", 0, 1))]).toEqual([2]);
    });
    for (const key of ["../up", "/root", "a//b", "a/./b", "", "a\\b", "a b", "a\u0000b"]) {
      holds(`a key that is no plain path is refused: ${JSON.stringify(key)}`, async (store) => {
        await expect(store.put(key, [bytes(1)])).rejects.toThrow();
        expect(await store.list("")).toEqual([]);
      });
    }
  });
}

describe("object keys", () => {
  for (const [key, want] of [
    ["tenant/blocks/01.skb", true],
    ["a%2Fb/blocks/1", true],
    [".", false],
    ["..", false],
    ["a/..", false],
    ["a/b/", false],
  ] as const)
    test(`${key}: ${want}`, () => expect(isObjectKey(key)).toBe(want));
});

describe("file system store", () => {
  test("opens a folder that is not there yet", async () => {
    const store = await openFsStore(join(await newFolder(), "deep", "er"));
    await store.put("a", [bytes(1)]);
    expect(await store.list("")).toEqual(["a"]);
  });
  test("objects survive reopening", async () => {
    const folder = await newFolder();
    await (await openFsStore(folder)).put("t/a", [bytes(7)]);
    expect([...(await (await openFsStore(folder)).get("t/a", 0, 1))]).toEqual([7]);
  });
  test("a put leaves nothing beside its object", async () => {
    const folder = await newFolder();
    const store = await openFsStore(folder);
    await store.put("t/a", [bytes(1)]);
    await code(store.put("t/a", [bytes(2)]));
    expect(await readdir(join(folder, "t"))).toEqual(["a"]);
  });
  test("what a crash left half written is removed at the next start and never listed", async () => {
    const folder = await newFolder();
    const store = await openFsStore(folder);
    await store.put("t/a", [bytes(1)]);
    await writeFile(join(folder, "t", "b.writing-77"), "half");
    expect(await store.list("")).toEqual(["t/a"]);
    await openFsStore(folder);
    expect(await readdir(join(folder, "t"))).toEqual(["a"]);
  });
});
