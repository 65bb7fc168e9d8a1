import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Disk, systemDisk } from "../../../../lib/runtime/disk.ts";
import { openSampleQueue, type QueuedRecord, type SampleQueue } from "../../../../server/ruler/remote-write/sample-queue.ts";
import { silentLog } from "../../../silent-log.ts";

let folder: string;
let dropped: string[];
let corruptions: number;
const open: SampleQueue[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-samples-"));
  dropped = [];
  corruptions = 0;
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((queue) => queue.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function openQueue(options: { bytesMax?: number; ageMaxMs?: number; disk?: Disk } = {}): Promise<SampleQueue> {
  const queue = await openSampleQueue({
    folder,
    disk: options.disk ?? systemDisk,
    log: silentLog,
    bytesMax: options.bytesMax ?? 100 << 20,
    ageMaxMs: options.ageMaxMs ?? 1e9,
    onDropped: (samples, reason) => dropped.push(`${samples} ${reason}`),
    onCorruption: () => corruptions++,
  });
  open.push(queue);
  return queue;
}

const record = (text: string, samples = 1, newestMs = 1000): QueuedRecord => ({ samples, newestMs, timeseries: Buffer.from(text) });
const MEGABYTE = "x".repeat(1 << 20);

/** Takes everything there is, and says what it was. */
async function takeAll(queue: SampleQueue, samplesMax = 2): Promise<string[]> {
  const taken: string[] = [];
  for (let batch = await queue.peek(samplesMax); batch !== undefined; batch = await queue.peek(samplesMax)) {
    taken.push(batch.records.map(({ timeseries }) => Buffer.from(timeseries).toString().slice(0, 5)).join("+"));
    await queue.advance(batch);
  }
  return taken;
}

test("records come out in order, as many as a batch may have", async () => {
  const queue = await openQueue();
  await queue.append([record("a"), record("b")]);
  await queue.append([record("c", 5), record("d")]);
  expect(queue.samples).toBe(8);
  expect(await takeAll(queue)).toEqual(["a+b", "c", "d"]);
  expect(queue.samples).toBe(0);
});

test("what was not taken is there after a restart, what was taken is not", async () => {
  const first = await openQueue();
  await first.append([record("a"), record("b"), record("c")]);
  await first.advance((await first.peek(1))!);
  const second = await openQueue();
  expect(second.samples).toBe(2);
  await second.append([record("d")]);
  expect(await takeAll(second)).toEqual(["b+c", "d"]);
  expect((await openQueue()).samples).toBe(0);
});

test("segments that are taken are removed", async () => {
  const queue = await openQueue();
  for (const name of ["a", "b", "c"]) await queue.append([record(name + MEGABYTE)]);
  expect(readdirSync(folder).filter((name) => name.endsWith(".samples"))).toHaveLength(3);
  expect(await takeAll(queue)).toEqual(["axxxx", "bxxxx", "cxxxx"]);
  expect(readdirSync(folder).filter((name) => name.endsWith(".samples"))).toEqual(["0000000003.samples"]);
});

test("past its bytes the oldest give way", async () => {
  const queue = await openQueue({ bytesMax: (5 << 20) / 2 });
  for (const name of ["a", "b", "c"]) await queue.append([record(name + MEGABYTE, 7)]);
  await queue.trim(0);
  expect(dropped).toEqual(["7 too_many"]);
  expect(await takeAll(queue)).toEqual(["bxxxx", "cxxxx"]);
});

test("past their age they give way, however few, and the queue goes on", async () => {
  const queue = await openQueue({ ageMaxMs: 500 });
  await queue.append([record("a", 2, 1000)]);
  await queue.trim(1500);
  expect(dropped).toEqual([]);
  await queue.trim(1501);
  expect(dropped).toEqual(["2 too_old"]);
  await queue.append([record("b")]);
  expect(await takeAll(queue)).toEqual(["b"]);
});

test("a batch that gave way while it was sent is not counted as sent", async () => {
  const queue = await openQueue({ ageMaxMs: 500 });
  await queue.append([record("a")]);
  const batch = (await queue.peek(1))!;
  await queue.trim(9999);
  expect(await queue.advance(batch)).toBe(false);
});

test("a torn end is left out, counted, and not written behind", async () => {
  const first = await openQueue();
  await first.append([record("a"), record("b")]);
  await first.close();
  const path = join(folder, "0000000001.samples");
  truncateSync(path, readFileSync(path).length - 1);
  const second = await openQueue();
  await second.append([record("c")]);
  expect(await takeAll(second)).toEqual(["a", "c"]);
  expect(corruptions).toBe(1);
});

for (const [name, damage] of [
  ["a flipped bit", (bytes: Buffer) => (bytes[20] = bytes[20]! ^ 1)],
  ["a length out of bounds", (bytes: Buffer) => bytes.writeUInt32LE(0xffffffff, 4)],
  ["another beginning", (bytes: Buffer) => bytes.write("XXXX")],
] as const) {
  test(`${name} costs the segment from there on`, async () => {
    const first = await openQueue();
    await first.append([record("a"), record("b")]);
    await first.close();
    const path = join(folder, "0000000001.samples");
    const bytes = readFileSync(path);
    damage(bytes);
    writeFileSync(path, bytes);
    const second = await openQueue();
    await second.append([record("c")]);
    expect(await takeAll(second)).toEqual(["c"]);
    expect(corruptions).toBe(1);
  });
}

test("a damaged position sends everything again", async () => {
  const first = await openQueue();
  await first.append([record("a"), record("b")]);
  await first.advance((await first.peek(1))!);
  writeFileSync(join(folder, "position.json"), "{");
  expect(await takeAll(await openQueue())).toEqual(["a+b"]);
});

test("a foreign file is left alone", async () => {
  appendFileSync(join(folder, "notes.txt"), "x");
  expect((await openQueue()).samples).toBe(0);
  expect(readdirSync(folder)).toContain("notes.txt");
});

test("a disk that fails refuses the append and takes the next", async () => {
  let fails = false;
  const disk: Disk = {
    ...systemDisk,
    async create(path) {
      const file = await systemDisk.create(path);
      return {
        ...file,
        sync: () => (fails ? Promise.reject(new Error("ENOSPC")) : file.sync()),
      };
    },
  };
  const queue = await openQueue({ disk });
  await queue.append([record("a")]);
  fails = true;
  await expect(queue.append([record("b")])).rejects.toThrow("ENOSPC");
  fails = false;
  await queue.append([record("c")]);
  expect(await takeAll(queue)).toEqual(["a", "c"]);
});
