import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parseSelector } from "../../lib/logql/index.ts";
import { manualClock, seededRandom } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";
import { openStorage, type Storage, type StorageOptions } from "../../server/storage.ts";
import { FaultDisk } from "../lib/runtime/fault-disk.ts";
import { ALL_TIME, type ModelEntry, pushOf, readAll } from "./storage-entries.ts";

const NOW_SEC = 1_700_000_000;
const NS = 1_000_000_000n;

const folders: string[] = [];
const storages: Storage[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const storage of storages.splice(0)) await storage.close().catch(() => {});
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "skald-storage-"));
  folders.push(folder);
  return folder;
}

const clock = manualClock(NOW_SEC * 1000);

interface Opened {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly logged: string[];
  count(metric: string): Promise<number>;
}

async function open(folder: string, options: Partial<StorageOptions> = {}): Promise<Opened> {
  const registry = new Registry();
  const logged: string[] = [];
  const storage = await openStorage({
    walFolder: join(folder, "wal"),
    storeFolder: join(folder, "chunks"),
    idleMs: 1e12,
    maxAgeMs: 1e12,
    flushOnClose: false,
    clock,
    log: createLog({ level: "debug", write: (line) => logged.push(line) }),
    registry,
    ...options,
  });
  storages.push(storage);
  return {
    storage,
    registry,
    logged,
    count: async (metric) => (await registry.getSingleMetric(metric)!.get()).values.reduce((sum, { value }) => sum + value, 0),
  };
}

const entry = (line: string, labels: Record<string, string> = { app: "a" }, sec = NOW_SEC): ModelEntry => ({ labels, sec, nanos: 0, line });
const put = (storage: Storage, ...entries: ModelEntry[]): Promise<void> => storage.append("t", pushOf(entries));
const linesOf = async (storage: Storage, tenant = "t"): Promise<string[]> =>
  (await readAll(storage, tenant)).map(({ line }) => line).sort();
const blocksIn = (folder: string): string[] =>
  readdirSync(join(folder, "chunks"), { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".skb"));
const walFiles = (folder: string): string[] => readdirSync(join(folder, "wal"));

const SERVICES = [
  entry("1", { app: "a", env: "prod" }, 100),
  entry("2", { app: "b", env: "prod" }, 200),
  entry("3", { app: "b", env: "dev" }, 300),
  entry("4", { other: "x" }, 400),
];

describe("selecting", () => {
  for (const flushed of [false, true]) {
    const where = flushed ? "from blocks" : "from the head";
    for (const [selector, want] of [
      ["{}", ["1", "2", "3", "4"]],
      ['{app="b"}', ["2", "3"]],
      ['{app="b", env="prod"}', ["2"]],
      ['{app="b", env!="prod"}', ["3"]],
      ['{app=~"a|b"}', ["1", "2", "3"]],
      ['{app=~"."}', ["1", "2", "3"]],
      ['{app=~""}', ["4"]],
      ['{app=""}', ["4"]],
      ['{app!=""}', ["1", "2", "3"]],
      ['{env!~"pr.*"}', ["3", "4"]],
      ['{env=~"pro"}', []],
      ['{app="nobody"}', []],
    ] as const)
      test(`${selector} ${where}`, async () => {
        const { storage } = await open(newFolder());
        await put(storage, ...SERVICES);
        if (flushed) await storage.flush();
        const matchers = parseSelector(selector);
        const selected = await storage.select("t", matchers, ALL_TIME);
        const reader = storage.openReader();
        const lines: string[] = [];
        for (const { pages } of selected) {
          for (const ref of pages)
            lines.push(
              Buffer.from((await reader.open(ref)).bytes)
                .toString()
                .trim(),
            );
        }
        expect(lines.sort()).toEqual(want);
        expect(await storage.streams("t", matchers, ALL_TIME)).toHaveLength(want.length);
      });

    test(`a range ${where} takes pages that meet it, bounds included`, async () => {
      const { storage } = await open(newFolder());
      await put(storage, ...SERVICES);
      if (flushed) await storage.flush();
      const streamsIn = async (startNs: bigint, endNs: bigint): Promise<number> =>
        (await storage.select("t", [], { startNs, endNs })).length;
      expect(await streamsIn(200n * NS, 300n * NS)).toBe(2);
      expect(await streamsIn(101n * NS, 199n * NS)).toBe(0);
      expect((await storage.streams("t", [], { startNs: 400n * NS, endNs: 500n * NS })).map(String)).toEqual(['{other="x"}']);
    });
  }

  test("a stream in block, frozen and living head is one stream", async () => {
    const { storage } = await open(newFolder());
    await put(storage, entry("1"));
    await storage.flush();
    await put(storage, entry("2"));
    const selected = await storage.select("t", [], ALL_TIME);
    expect(selected).toHaveLength(1);
    expect(selected[0]!.pages).toHaveLength(2);
  });

  test("tenants do not see each other", async () => {
    const { storage } = await open(newFolder());
    await put(storage, entry("mine"));
    await storage.append("u/ü", pushOf([entry("yours")]));
    await storage.flush();
    expect(await linesOf(storage)).toEqual(["mine"]);
    expect(await linesOf(storage, "u/ü")).toEqual(["yours"]);
    expect(await linesOf(storage, "nobody")).toEqual([]);
    expect(storage.tenants()).toEqual(["t", "u/ü"]);
  });

  test("a view taken while more is appended shows what was there", async () => {
    const { storage } = await open(newFolder());
    await put(storage, entry("1"));
    const before = await storage.select("t", [], ALL_TIME);
    await put(storage, entry("2"));
    const page = await storage.openReader().open(before[0]!.pages[0]!);
    expect(page.stats.entryCount).toBe(1);
    expect(await linesOf(storage)).toEqual(["1", "2"]);
  });
});

describe("repetitions", () => {
  for (const [name, lines, want] of [
    ["an entry equal to the one before it is left out", [entry("x"), entry("x")], 1],
    ["the same line at another time is kept", [entry("x"), entry("x", { app: "a" }, NOW_SEC + 1)], 2],
    ["another line at the same time is kept", [entry("x"), entry("y")], 2],
    ["other metadata is another entry", [entry("x"), { ...entry("x"), metadata: [["a", "1"]] }], 2],
    [
      "equal metadata is the same entry",
      [
        { ...entry("x"), metadata: [["a", "1"]] },
        { ...entry("x"), metadata: [["a", "1"]] },
      ],
      1,
    ],
  ] as const)
    test(name, async () => {
      const one = await open(newFolder());
      await put(one.storage, ...lines);
      expect((await readAll(one.storage, "t")).length, "in one push").toBe(want);
      const two = await open(newFolder());
      for (const line of lines) await put(two.storage, line);
      expect((await readAll(two.storage, "t")).length, "in two pushes").toBe(want);
    });
});

describe("flushing", () => {
  test("moves everything to blocks and leaves no WAL", async () => {
    const folder = newFolder();
    const { storage } = await open(folder);
    await put(storage, ...SERVICES);
    expect(walFiles(folder)).toHaveLength(1);
    await storage.flush();
    expect(walFiles(folder)).toEqual([]);
    expect(blocksIn(folder)).toHaveLength(1);
    expect(storage.sizes()).toMatchObject({ streams: 0, blocks: 1 });
    expect(await linesOf(storage)).toEqual(["1", "2", "3", "4"]);
  });

  test("of nothing makes no block", async () => {
    const folder = newFolder();
    await (await open(folder)).storage.flush();
    expect(blocksIn(folder)).toEqual([]);
  });

  test("at no moment is an entry missing or there twice", async () => {
    const { storage } = await open(newFolder());
    const lines = Array.from({ length: 40 }, (_, i) => `line ${i}`.padEnd(10_000, "x"));
    for (const line of lines) await put(storage, entry(line, { app: `a${lines.indexOf(line) % 7}` }));
    let isDone = false;
    const flushed = storage.flush().then(() => {
      isDone = true;
    });
    let looks = 0;
    while (!isDone) {
      expect(await linesOf(storage)).toEqual([...lines].sort());
      looks++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await flushed;
    expect(looks).toBeGreaterThan(3);
  });

  test("what is appended meanwhile stays, and is there after a restart", async () => {
    const folder = newFolder();
    const { storage } = await open(folder);
    await put(storage, entry("before"));
    const flushed = storage.flush();
    await Promise.all(Array.from({ length: 20 }, (_, i) => put(storage, entry(`meanwhile ${i}`))));
    await flushed;
    expect(await linesOf(storage)).toHaveLength(21);
    await storage.close();
    expect(await linesOf((await open(folder)).storage)).toHaveLength(21);
  });

  test("happens by itself when the head is full", async () => {
    const { storage, count } = await open(newFolder(), { flushBytes: 50_000 });
    const random = seededRandom(1);
    for (let i = 0; i < 30; i++) await put(storage, entry(Array.from({ length: 1000 }, () => random().toString(36)).join(" ")));
    await vi.waitFor(() => expect(storage.sizes().blocks).toBeGreaterThan(0));
    expect(await count("loki_ingester_chunks_flushed_total")).toBeGreaterThan(0);
    expect(await linesOf(storage)).toHaveLength(30);
  });

  for (const [name, options, advanceMs, want] of [
    ["happens when nothing was appended for long", { idleMs: 60_000 }, 70_000, 1],
    ["happens when the oldest entry is old", { maxAgeMs: 60_000 }, 70_000, 1],
    ["waits until it is time", { idleMs: 60_000, maxAgeMs: 60_000 }, 50_000, 0],
  ] as const)
    test(name, async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      const { storage } = await open(newFolder(), options);
      await put(storage, entry("x"));
      await clock.advance(advanceMs);
      vi.advanceTimersByTime(10_000);
      // Writing takes as long as the machine likes; what must not happen is waited for a little.
      for (let i = 0; i < (want > 0 ? 500 : 10) && storage.sizes().blocks < Math.max(want, 1); i++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      expect(storage.sizes().blocks).toBe(want);
    });

  test("that fails keeps everything, says so, and succeeds when it can", async () => {
    const disk = new FaultDisk(seededRandom(9));
    const folder = newFolder();
    const { storage, logged, count } = await open(folder, { disk });
    await put(storage, ...SERVICES);
    disk.isFull = true;
    await expect(storage.flush()).rejects.toThrow(/flush failed/);
    expect(await linesOf(storage)).toEqual(["1", "2", "3", "4"]);
    expect(await count("loki_ingester_chunks_flush_failures_total")).toBe(1);
    expect(logged.join("")).toMatch(/level=error.*ENOSPC/);
    disk.isFull = false;
    await storage.flush();
    expect(storage.sizes()).toMatchObject({ streams: 0, blocks: 1 });
    expect(blocksIn(folder)).toHaveLength(1);
    expect(await linesOf(storage)).toEqual(["1", "2", "3", "4"]);
  });

  test("at the end, when asked for", async () => {
    const folder = newFolder();
    const { storage } = await open(folder, { flushOnClose: true });
    await put(storage, entry("x"));
    await storage.close();
    expect(blocksIn(folder)).toHaveLength(1);
    expect(walFiles(folder)).toEqual([]);
  });

  test("statistics speak of blocks", async () => {
    const { storage } = await open(newFolder());
    await put(storage, ...SERVICES);
    await storage.flush();
    expect(await storage.stats("t", [], ALL_TIME)).toMatchObject({ streams: 4, chunks: 4, entries: 4, bytes: 4 });
    expect(await storage.stats("t", parseSelector('{app="b"}'), ALL_TIME)).toMatchObject({ streams: 2, entries: 2 });
  });
});

describe("figures", () => {
  test("of the head, the WAL and the blocks follow what happens", async () => {
    const folder = newFolder();
    const disk = new FaultDisk(seededRandom(2));
    const { storage, count } = await open(folder, { disk });
    await put(storage, ...SERVICES);
    expect(await count("loki_ingester_memory_streams")).toBe(4);
    expect(await count("loki_ingester_memory_chunks")).toBe(4);
    expect(await count("loki_ingester_streams_created_total")).toBe(4);
    expect(await count("loki_ingester_wal_bytes_in_use")).toBe(statSync(join(folder, "wal", walFiles(folder)[0]!)).size);
    disk.isFull = true;
    await expect(put(storage, entry("no"))).rejects.toThrow(/ENOSPC/);
    disk.isFull = false;
    expect(await count("loki_ingester_wal_disk_full_failures_total")).toBe(1);
    await storage.flush();
    expect(await count("loki_ingester_memory_streams")).toBe(0);
    expect(await count("loki_ingester_streams_removed_total")).toBe(4);
    expect(await count("loki_ingester_chunks_flushed_total")).toBe(4);
    expect(await count("loki_ingester_wal_bytes_in_use")).toBe(0);
    expect(await count("skald_store_bytes")).toBe(statSync(join(folder, "chunks", blocksIn(folder)[0]!)).size);
  });
});

describe("starting", () => {
  test("without closing first, as after a kill, everything acknowledged is there", async () => {
    const folder = newFolder();
    const { storage } = await open(folder);
    await put(storage, ...SERVICES);
    await storage.flush();
    await put(storage, entry("5"));
    expect(await linesOf((await open(folder)).storage)).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("a block that is gone is named and counted, the rest serves", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await put(first.storage, entry("lost"));
    await first.storage.flush();
    const [lost] = blocksIn(folder);
    await put(first.storage, entry("kept"));
    await first.storage.flush();
    await first.storage.close();
    rmSync(join(folder, "chunks", lost!));
    const { storage, logged, count } = await open(folder);
    expect(await linesOf(storage)).toEqual(["kept"]);
    expect(await count("skald_store_missing_blocks_total")).toBe(1);
    expect(logged.join("")).toContain(lost);
  });

  test("a block whose index is damaged is named and counted, the rest serves", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await put(first.storage, entry("lost"));
    await first.storage.flush();
    const damaged = join(folder, "chunks", blocksIn(folder)[0]!);
    await put(first.storage, entry("kept"));
    await first.storage.flush();
    await first.storage.close();
    const content = readFileSync(damaged);
    content[content.length - 40] = content[content.length - 40]! ^ 1;
    writeFileSync(damaged, content);
    const { storage, count } = await open(folder);
    expect(await linesOf(storage)).toEqual(["kept"]);
    expect(await count("skald_store_missing_blocks_total")).toBe(1);
  });

  test("a block that was not noted before a crash is removed: the WAL has it", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await put(first.storage, ...SERVICES);
    const wal = walFiles(folder)[0]!;
    copyFileSync(join(folder, "wal", wal), join(folder, "kept.wal"));
    await first.storage.flush();
    await first.storage.close();
    copyFileSync(join(folder, "kept.wal"), join(folder, "wal", wal));
    writeFileSync(join(folder, "chunks", "catalog"), "SKC1");
    const { storage, logged } = await open(folder);
    expect(await linesOf(storage)).toEqual(["1", "2", "3", "4"]);
    expect(blocksIn(folder)).toEqual([]);
    expect(logged.join("")).toMatch(/level=info.*removed/);
  });

  test("with the catalogue lost, blocks are taken in again, not removed", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await put(first.storage, ...SERVICES);
    await first.storage.append("u/ü", pushOf([entry("yours")]));
    await first.storage.flush();
    await put(first.storage, entry("in the WAL"));
    await first.storage.close();
    rmSync(join(folder, "chunks", "catalog"));
    const { storage, logged } = await open(folder);
    expect(await linesOf(storage)).toEqual(["1", "2", "3", "4", "in the WAL"]);
    expect(await linesOf(storage, "u/ü")).toEqual(["yours"]);
    expect(logged.join("")).toMatch(/level=warn.*put into the catalogue/);
    await storage.close();
    expect(await linesOf((await open(folder)).storage, "u/ü")).toEqual(["yours"]);
  });

  for (const [name, key, level] of [
    ["with another name", "x.skb", "warn"],
    ["with a block's name", "00001700000000-0000000101-0123456789ab.skb", "error"],
  ] as const)
    test(`an unreadable object ${name} that nobody knows is left where it is`, async () => {
      const folder = newFolder();
      const path = join(folder, "chunks", "t", "blocks", key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "no block");
      const { logged } = await open(folder);
      expect(readFileSync(path, "utf8")).toBe("no block");
      expect(logged.find((line) => line.includes(key))).toContain(`level=${level}`);
    });

  test("a block of a flush that was made twice is removed, though the WAL is gone", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await put(first.storage, ...SERVICES);
    await first.storage.flush();
    const block = blocksIn(folder)[0]!;
    copyFileSync(join(folder, "chunks", block), join(folder, "chunks", block.replace(/[0-9a-f]+\.skb$/, "00ff.skb")));
    await first.storage.close();
    expect(await linesOf((await open(folder)).storage)).toEqual(["1", "2", "3", "4"]);
    expect(blocksIn(folder)).toEqual([block]);
  });

  test("damage at the end of the WAL is counted", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await put(first.storage, entry("whole"));
    await first.storage.close();
    const path = join(folder, "wal", walFiles(folder)[0]!);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from("torn")]));
    const { storage, count } = await open(folder);
    expect(await linesOf(storage)).toEqual(["whole"]);
    expect(await count("loki_ingester_wal_corruptions_total")).toBe(1);
  });
});
