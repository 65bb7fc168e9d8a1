import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeRecords } from "../../../agent/spool/record.ts";
import { Segments } from "../../../agent/spool/segments.ts";
import { type Disk, systemDisk } from "../../../lib/runtime/disk.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { batchOf } from "./harness.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-segments-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const damages: number[] = [];
const open = (disk: Disk, from = 0): Promise<Segments> =>
  Segments.open({ disk, folder, segmentBytes: 1, onDamage: (_, __, lostBytes) => damages.push(lostBytes) }, from);
const record = (line: string): Buffer[] => encodeRecords(batchOf(line), Buffer.allocUnsafe).map(({ bytes }) => bytes);
const names = (): string[] => readdirSync(folder).sort();

/** A disk whose removals end when they are told to, by name. */
class SlowRemovals {
  readonly removed: string[] = [];
  readonly #gates: (() => void)[] = [];
  readonly disk: Disk = {
    ...systemDisk,
    remove: async (path) => {
      this.removed.push(basename(path));
      await new Promise<void>((pass) => this.#gates.push(pass));
      await systemDisk.remove(path);
    },
  };
  async next(): Promise<void> {
    while (this.#gates.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    this.#gates.shift()!();
  }
}

/** Each record in a segment of its own. */
async function written(count: number): Promise<void> {
  const segments = await open(systemDisk);
  for (let i = 0; i < count; i++) await segments.write(record(`line ${i}`));
  await segments.closeOpen();
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("segments are removed in their order, whoever asks for it", async () => {
  await written(4);
  const all = names();
  const slow = new SlowRemovals();
  const segments = await open(slow.disk);
  const ends = all.slice(1).map((name) => Number.parseInt(name, 10));
  const removals = [segments.removeBefore(ends[0]!), segments.removeBefore(ends[1]!), segments.removeBefore(ends[2]!)];
  await turns();
  expect(slow.removed).toEqual(all.slice(0, 1));
  for (let i = 0; i < 3; i++) await slow.next();
  await Promise.all(removals);
  expect(slow.removed).toEqual(all.slice(0, 3));
  expect(names()).toEqual(all.slice(3));
});

test("a segment that cannot be removed keeps those behind it", async () => {
  await written(3);
  const all = names();
  const disk = new FaultDisk(() => 0.5);
  const segments = await open(disk);
  disk.failAfter(0);
  const removals = [segments.removeBefore(Number.parseInt(all[1]!, 10)), segments.removeBefore(Number.parseInt(all[1]!, 10))];
  expect((await Promise.allSettled(removals)).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  expect(names()).toEqual(all.slice(1));
});

test("of a full queue the oldest segment goes, and no other because it went by itself meanwhile", async () => {
  await written(3);
  const all = names();
  const slow = new SlowRemovals();
  const segments = await open(slow.disk);
  const removal = segments.removeBefore(Number.parseInt(all[1]!, 10));
  await turns();
  const dropped = segments.removalsDone().then(() => segments.dropFirst(0));
  await turns();
  expect(slow.removed).toEqual(all.slice(0, 1));
  await slow.next();
  await removal;
  await slow.next();
  expect(await dropped).toBe(1);
  expect(names()).toEqual(all.slice(2));
});

test("what a crash has torn is cut off before anything is written behind it, and is no damage when that is gone", async () => {
  await written(1);
  const [first] = names();
  const whole = statSync(join(folder, first!)).size;
  const torn = await systemDisk.open(join(folder, first!));
  await torn.write([record("torn")[0]!.subarray(0, 20)], whole);
  await torn.close();
  const segments = await open(systemDisk);
  await segments.write(record("behind"));
  await segments.write(record("last"));
  await segments.closeOpen();
  expect(statSync(join(folder, first!)).size).toBe(whole);
  rmSync(join(folder, names()[1]!));
  const again = await open(systemDisk);
  let count = 0;
  for (let next = await again.next(0); next !== undefined; next = await again.next(next.end)) count++;
  expect([count, damages]).toEqual([2, []]);
});

test("a write that fails and cannot be taken back is taken back before anything is written behind it", async () => {
  const disk = new FaultDisk(() => 0.9);
  const segments = await open(disk);
  await segments.write(record("first"));
  await segments.closeOpen();
  const one = await Segments.open({ disk, folder, segmentBytes: 1_000, onDamage: () => {} }, 0);
  await one.write(record("second"));
  const last = join(folder, names().at(-1)!);
  const whole = statSync(last).size;
  disk.failAfter(0, 1);
  await expect(one.write(record("fails, and so does taking it back"))).rejects.toThrow("EIO");
  expect(statSync(last).size).toBeGreaterThan(whole);
  await one.write(record("third"));
  expect(statSync(last).size).toBe(whole);
});
