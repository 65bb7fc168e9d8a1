import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isPartlyDone } from "../../../server/deletes/delete-request.ts";
import { openDeleteStore } from "../../../server/deletes/delete-store.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "skald-deletes-"));
  path = join(folder, "chunks", "deletes");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const asked = { tenant: "t", query: '{a="b"}', startMs: 1000, endMs: 4000, intervalMs: 1000, createdMs: 5000 };

test("requests are there after a restart, with what has been done of them", async () => {
  const store = await openDeleteStore(path);
  const first = await store.add(asked);
  await store.add({ ...asked, tenant: "u" });
  await store.carriedOut("t", new Map([[first.id, 2]]));
  const again = await openDeleteStore(path);
  expect(again.of("t")).toEqual([{ ...asked, id: first.id, piecesDone: 2 }]);
  expect(again.of("u")).toHaveLength(1);
  expect(again.generation("t")).toBe(1);
  expect(again.generation("nobody")).toBe(0);
});

test("a request that is taken back is gone; one in part carried out keeps that part", async () => {
  const store = await openDeleteStore(path);
  const whole = await store.add(asked);
  const part = await store.add(asked);
  await store.carriedOut("t", new Map([[part.id, 1]]));
  await store.cancel("t", whole.id);
  await store.cancel("t", part.id);
  await store.cancel("t", "nobody's");
  expect(store.of("t")).toEqual([{ ...part, endMs: 2000, piecesDone: 1 }]);
});

test("what is begun stays so over a restart, and is written once", async () => {
  const disk = new FaultDisk(() => 0.5);
  const store = await openDeleteStore(path, disk);
  const [whole, part] = [await store.add(asked), await store.add(asked)];
  await store.carriedOut("t", new Map([[part.id, 1]]));
  await store.begin("t", new Set([whole.id, part.id]));
  expect((await openDeleteStore(path)).all().map((request) => [request.isBegun, isPartlyDone(request)])).toEqual([
    [true, true],
    [undefined, true],
  ]);
  const { calls } = disk;
  await store.begin("t", new Set([whole.id, part.id, "nobody's"]));
  await store.begin("u", new Set([whole.id]));
  expect(disk.calls).toBe(calls);
  expect(store.generation("t")).toBe(2);
});

test("from the call on, a request that is taken back is not carried out", async () => {
  const store = await openDeleteStore(path);
  const { id } = await store.add(asked);
  const cancelled = store.cancel("t", id);
  expect(store.toCarryOut("t")).toEqual([]);
  await cancelled;
});

test("changes at the same time are all kept, and listeners hear of each", async () => {
  const store = await openDeleteStore(path);
  const heard: string[] = [];
  store.onChange((tenant) => heard.push(tenant));
  await Promise.all([store.add(asked), store.add(asked), store.add({ ...asked, tenant: "u" })]);
  expect((await openDeleteStore(path)).all()).toHaveLength(3);
  expect(heard).toEqual(["t", "t", "u"]);
});

test("what cannot be written does not count", async () => {
  const disk = new FaultDisk(() => 0.5);
  const store = await openDeleteStore(path, disk);
  await store.add(asked);
  disk.isFull = true;
  await expect(store.add(asked)).rejects.toThrow("no space left");
  expect(store.all()).toHaveLength(1);
  disk.isFull = false;
  await store.add(asked);
  expect((await openDeleteStore(path)).all()).toHaveLength(2);
});

test("pending requests are bounded, and processed ones forgotten when they are many", async () => {
  const requests = Array.from({ length: 1000 }, (_, i) => ({ ...asked, intervalMs: 0, id: `r${i}`, piecesDone: 0 }));
  const store = await openDeleteStore(path);
  await store.add(asked);
  const { crc32 } = await import("node:zlib");
  const text = JSON.stringify({ requests, generations: {} });
  await writeFile(path, `SKD1 ${crc32(text).toString(16).padStart(8, "0")}\n${text}`);
  const full = await openDeleteStore(path);
  await expect(full.add(asked)).rejects.toMatchObject({ status: 429 });
  await full.carriedOut("t", new Map(requests.map(({ id }) => [id, 1])));
  const { id } = await full.add(asked);
  await full.carriedOut("t", new Map([[id, 3]]));
  expect(full.of("t")).toHaveLength(1000);
  expect(full.find("t", "r0")).toBeUndefined();
});

test("a damaged file stops the start", async () => {
  const store = await openDeleteStore(path);
  await store.add(asked);
  const content = await readFile(path);
  content[content.length - 5]! ^= 1;
  await writeFile(path, content);
  await expect(openDeleteStore(path)).rejects.toThrow(`the delete requests in ${path} are damaged`);
});
