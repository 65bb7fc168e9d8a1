import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SpoolFull } from "../../../agent/spool/spool.ts";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { batchOf, SpoolRun } from "./harness.ts";

let run: SpoolRun;
beforeEach(() => {
  run = new SpoolRun();
});
afterEach(() => run.close());

const folder = (): string => join(run.folder, "job");
const segments = (): string[] =>
  readdirSync(folder())
    .filter((name) => name.endsWith(".spool"))
    .sort();
const long = (number: number): string => `${number} ${"x".repeat(50_000)}`;
const numbers = (lines: readonly string[]): number[] => lines.map((line) => Number.parseInt(line, 10));
/** Acknowledgements that come later count no more. */
const kill = (): Promise<void> => run.spool!.close();

describe("an append", () => {
  test("is handed on in order, and counted out when it is acknowledged", async () => {
    const spool = await run.open();
    expect(await Promise.all([spool.append(batchOf("a", "b")), spool.append(batchOf("c"))])).toEqual([true, true]);
    await spool.append(batchOf("d"));
    await run.until(() => run.taker.lines.length === 4);
    expect(run.taker.lines).toEqual(["a", "b", "c", "d"]);
    expect(await run.metric("skald_spool_entries_in_total")).toBe(4);
    expect(await run.metric("skald_spool_entries_out_total")).toBe(0);
    run.taker.acknowledge();
    expect(await run.metric("skald_spool_entries_out_total")).toBe(4);
  });

  test("makes no folder before there is something to keep", async () => {
    const spool = await run.open();
    expect(readdirSync(run.folder)).toEqual([]);
    expect(await spool.append(batchOf())).toBe(true);
    expect(readdirSync(run.folder)).toEqual([]);
    expect(spool.isOpen).toBe(false);
  });

  test("may change its batch as soon as it is called", async () => {
    const spool = await run.open();
    const batch = batchOf("before");
    const kept = spool.append(batch);
    batch.bytes.fill(0);
    await kept;
    await run.until(() => run.taker.lines.length === 1);
    expect(run.taker.lines).toEqual(["before"]);
  });

  test("is on disk when it resolves", async () => {
    const disk = new FaultDisk(() => 0);
    const spool = await run.open({ disk });
    await spool.append(batchOf("kept"));
    await disk.crash();
    await kill();
    await run.open();
    await run.until(() => run.taker.lines.length === 1);
    expect(run.taker.lines).toEqual(["kept"]);
  });
});

describe("a restart", () => {
  test("hands on what was not acknowledged, and nothing else", async () => {
    const spool = await run.open();
    for (let i = 0; i < 5; i++) await spool.append(batchOf(String(i)));
    await run.until(() => run.taker.batches.length === 5);
    run.taker.acknowledge(3);
    await kill();
    await run.open();
    await run.until(() => run.taker.lines.length === 2);
    expect(run.taker.lines).toEqual(["3", "4"]);
  });

  test("begins before the first gap of acknowledgements", async () => {
    const spool = await run.open();
    for (let i = 0; i < 3; i++) await spool.append(batchOf(String(i)));
    await run.until(() => run.taker.batches.length === 3);
    run.taker.batches[2]!.tickets[0]!.release();
    run.taker.batches[0]!.tickets[0]!.release();
    await kill();
    await run.open();
    await run.until(() => run.taker.lines.length === 2);
    expect(run.taker.lines).toEqual(["1", "2"]);
  });

  test("goes on with positions where it stopped when everything was acknowledged and removed", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024 });
    for (let i = 0; i < 8; i++) {
      await spool.append(batchOf(long(i)));
      await run.until(() => run.taker.batches.length === 1);
      run.taker.acknowledge();
    }
    await kill();
    const before = segments().at(-1)!;
    const again = await run.open({ bytesMax: 1024 * 1024 });
    await again.append(batchOf("after"));
    await run.until(() => run.taker.lines.length === 1);
    expect(run.taker.lines).toEqual(["after"]);
    expect(segments().at(-1)! > before).toBe(true);
  });

  test("a torn record at the end is left out in silence", async () => {
    const spool = await run.open();
    await spool.append(batchOf("whole"));
    await kill();
    const file = join(folder(), segments()[0]!);
    const content = readFileSync(file);
    appendFileSync(file, content.subarray(4, content.length - 1));
    const again = await run.open();
    await again.append(batchOf("next"));
    await run.until(() => run.taker.lines.length === 2);
    expect(run.taker.lines).toEqual(["whole", "next"]);
    expect(run.logged).toEqual([]);
  });

  test("a damaged position is the beginning", async () => {
    const spool = await run.open();
    await spool.append(batchOf("again"));
    await run.until(() => run.taker.lines.length === 1);
    run.taker.acknowledge();
    await kill();
    writeFileSync(join(folder(), "position"), Buffer.alloc(32, 0xff));
    await run.open();
    await run.until(() => run.taker.lines.length === 1);
    expect(run.taker.lines).toEqual(["again"]);
  });
});

describe("damage in the middle", () => {
  test("costs the record it is in, is counted and told", async () => {
    const spool = await run.open();
    for (let i = 0; i < 4; i++) await spool.append(batchOf(`line ${i}`));
    await kill();
    const file = join(folder(), segments()[0]!);
    const content = readFileSync(file);
    const at = content.indexOf("line 1");
    content[at]! ^= 1;
    writeFileSync(file, content);
    await run.open();
    await run.until(() => run.taker.lines.length === 3);
    expect(run.taker.lines).toEqual(["line 0", "line 2", "line 3"]);
    expect(await run.metric("skald_spool_damaged_bytes_total")).toBe((content.length - 4) / 4);
    expect(run.logged.join("")).toContain("damaged");
    run.taker.acknowledge();
    await kill();
    await run.open();
    expect(run.taker.lines).toEqual([]);
  });

  test("of a whole segment leaves the next ones readable", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024 });
    for (let i = 0; i < 6; i++) await spool.append(batchOf(long(i)));
    await kill();
    const [first, second] = segments();
    writeFileSync(join(folder(), first!), Buffer.alloc(readFileSync(join(folder(), first!)).length));
    await run.open({ bytesMax: 1024 * 1024 });
    await run.until(() => run.taker.lines.length === 3);
    expect(numbers(run.taker.lines)).toEqual([3, 4, 5]);
    expect(second).toBeDefined();
  });
});

describe("segments", () => {
  test("are removed when all in them is acknowledged", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024 });
    for (let i = 0; i < 9; i++) await spool.append(batchOf(long(i)));
    await run.until(() => run.taker.batches.length === 9);
    expect(segments()).toHaveLength(3);
    run.taker.acknowledge(4);
    await run.until(() => segments().length === 2);
    run.taker.acknowledge();
    await run.until(() => segments().length === 1);
    expect(await run.metric("skald_spool_segments")).toBe(1);
    expect(await run.metric("skald_spool_bytes")).toBe(readFileSync(join(folder(), segments()[0]!)).length);
  });

  test("are read from the files when the reader is far behind", async () => {
    const spool = await run.open();
    let goOn = (): void => {};
    run.taker.room = new Promise((resolve) => {
      goOn = resolve;
    });
    const lines = Array.from({ length: 120 }, (_, i) => long(i));
    for (const line of lines) await spool.append(batchOf(line));
    expect(run.taker.lines).toHaveLength(1);
    goOn();
    await run.until(() => run.taker.lines.length === 120);
    expect(numbers(run.taker.lines)).toEqual(lines.map((_, i) => i));
  });
});

describe("a full spool", () => {
  test("refuses, and takes again when there is room", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024 });
    let kept = 0;
    const append = async (): Promise<boolean> => {
      await spool.append(batchOf(long(kept)));
      kept++;
      return true;
    };
    await expect(
      (async () => {
        for (;;) await append();
      })(),
    ).rejects.toThrow(SpoolFull);
    expect(kept).toBe(20);
    expect(await run.metric("skald_spool_refused_entries_total")).toBe(1);
    await run.until(() => run.taker.lines.length === kept);
    expect(numbers(run.taker.lines)).toEqual(Array.from({ length: kept }, (_, i) => i));
    run.taker.acknowledge(5);
    await run.until(() => segments().length < 7);
    expect(await append()).toBe(true);
  });

  test("drops the oldest that were not read, by count", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024, onFull: "drop_oldest" });
    let goOn = (): void => {};
    run.taker.room = new Promise((resolve) => {
      goOn = resolve;
    });
    for (let i = 0; i < 40; i++) expect(await spool.append(batchOf(long(i)))).toBe(true);
    goOn();
    await run.until(() => run.taker.lines.at(-1)?.startsWith("39 ") === true);
    const got = numbers(run.taker.lines);
    expect(got).toEqual([0, ...Array.from({ length: got.length - 1 }, (_, i) => 41 - got.length + i)]);
    expect(await run.metric("logentry_dropped_lines_total")).toBe(40 - got.length);
    expect(run.logged.join("")).toContain("oldest entries dropped");
    run.taker.acknowledge();
    expect(await run.metric("skald_spool_entries_out_total")).toBe(got.length);
  });

  test("keeps to its size when much comes at once", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024, onFull: "drop_oldest" });
    let goOn = (): void => {};
    run.taker.room = new Promise((resolve) => {
      goOn = resolve;
    });
    await Promise.all(Array.from({ length: 60 }, (_, i) => spool.append(batchOf(long(i)))));
    const onDisk = segments().reduce((sum, name) => sum + readFileSync(join(folder(), name)).length, 0);
    expect(onDisk).toBeLessThanOrEqual(1024 * 1024);
    goOn();
    await run.until(() => run.taker.lines.at(-1)?.startsWith("59 ") === true);
    expect((await run.metric("logentry_dropped_lines_total")) + run.taker.lines.length).toBe(60);
  });

  test("never takes what it could never hold", async () => {
    const spool = await run.open({ bytesMax: 1024 * 1024, onFull: "drop_oldest" });
    await expect(spool.append(batchOf("x".repeat(2 * 1024 * 1024)))).rejects.toThrow("more than spool.max_bytes");
  });
});

describe("a disk that fails", () => {
  test("leaves the entries to the caller, says so once, and is tried again later", async () => {
    const disk = new FaultDisk(() => 0.5);
    const clock = manualClock(1_000);
    const spool = await run.open({ disk, clock });
    expect(await spool.append(batchOf("a"))).toBe(true);
    disk.isFull = true;
    expect(await spool.append(batchOf("b"))).toBe(false);
    expect(await spool.append(batchOf("c"))).toBe(false);
    expect(spool.isFailing).toBe(true);
    disk.isFull = false;
    expect(await spool.append(batchOf("too soon"))).toBe(false);
    await clock.advance(5_000);
    expect(await spool.append(batchOf("d"))).toBe(true);
    expect(spool.isFailing).toBe(false);
    await run.until(() => run.taker.lines.length === 2);
    expect(run.taker.lines).toEqual(["a", "d"]);
    expect(run.logged.filter((line) => line.includes("spool's disk fails"))).toHaveLength(1);
    expect(run.logged.filter((line) => line.includes("works again"))).toHaveLength(1);
  });

  test("or a folder that cannot be made is no reason not to start", async () => {
    writeFileSync(join(run.folder, "job"), "a file");
    const spool = await run.open();
    expect(await spool.append(batchOf("a"))).toBe(false);
    expect(run.logged).toHaveLength(1);
    expect(run.logged[0]).toContain("set spool.directory");
  });
});

describe("what was handed on and will not be acknowledged", () => {
  test("is read again when its taker has ended", async () => {
    const spool = await run.open();
    await spool.append(batchOf("a"));
    await spool.append(batchOf("b"));
    await run.until(() => run.taker.batches.length === 2);
    run.taker.acknowledge(1);
    const ended = spool.checkpoint();
    await spool.append(batchOf("c"));
    await run.until(() => run.taker.batches.length === 2);
    ended();
    await run.until(() => run.taker.batches.length === 4);
    expect(run.taker.lines).toEqual(["b", "c", "b", "c"]);
  });

  test("is not, when it was acknowledged meanwhile", async () => {
    const spool = await run.open();
    await spool.append(batchOf("a"));
    await run.until(() => run.taker.batches.length === 1);
    const ended = spool.checkpoint();
    run.taker.acknowledge();
    ended();
    await spool.append(batchOf("b"));
    await run.until(() => run.taker.batches.length === 1);
    expect(run.taker.lines).toEqual(["b"]);
  });
});

test("entries that the pipeline cannot take are dropped and counted, and the next ones are handed on", async () => {
  const spool = await run.open();
  await spool.append(batchOf("a"));
  await run.until(() => run.taker.batches.length === 1);
  run.taker.failure = new Error("stage broke");
  await spool.append(batchOf("b", "c"));
  await run.until(() => run.logged.length === 1);
  run.taker.failure = undefined;
  await spool.append(batchOf("d"));
  await run.until(() => run.taker.batches.length === 2);
  expect(run.taker.lines).toEqual(["a", "d"]);
  expect(await run.metric("logentry_dropped_lines_total")).toBe(2);
  run.taker.acknowledge();
  await kill();
  await run.open();
  expect(run.taker.lines).toEqual([]);
});
