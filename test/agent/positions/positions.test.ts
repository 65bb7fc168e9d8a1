import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FileRecord } from "../../../agent/file-records.ts";
import { openPositions, type PositionSource, type Positions, type PositionsOptions } from "../../../agent/positions.ts";
import { compareNaturally, parsePositions, printPositions } from "../../../agent/positions-file.ts";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { silentLog } from "../../silent-log.ts";

describe("file format", () => {
  for (const [name, positions, text] of [
    ["an offset is quoted", { "/var/log/a.log": "12" }, 'positions:\n  /var/log/a.log: "12"\n'],
    ["a cursor of the journal is not", { "journal-x": "s=1;i=2f" }, "positions:\n  journal-x: s=1;i=2f\n"],
    ["nothing is an empty map", {}, "positions: {}\n"],
    [
      "keys are in natural order",
      { "/f10": "1", "/f2": "1", "/a": "1", "cursor-z": "1" },
      'positions:\n  /a: "1"\n  /f2: "1"\n  /f10: "1"\n  cursor-z: "1"\n',
    ],
    ["a colon within a key needs no quotes", { "/a:b": "1" }, 'positions:\n  /a:b: "1"\n'],
    ["what would end a key is quoted", { "/a: b #c": "1" }, "positions:\n  '/a: b #c': \"1\"\n"],
    ["an apostrophe is doubled", { "'q'": "1" }, "positions:\n  '''q''': \"1\"\n"],
    ["other characters are plain", { "/größe 日.log": "1" }, 'positions:\n  /größe 日.log: "1"\n'],
    ["what would read as another type is quoted", { no: "1", "1.5": "true" }, 'positions:\n  "1.5": "true"\n  "no": "1"\n'],
    ["control characters are escaped", { "/a\nb": "1" }, 'positions:\n  "/a\\nb": "1"\n'],
    ["a long key is written as such", { [`/${"x".repeat(130)}`]: "7" }, `positions:\n  ? /${"x".repeat(130)}\n  : "7"\n`],
  ] as const) {
    test(name, () => {
      const map = new Map(Object.entries(positions));
      expect(printPositions(map)).toBe(text);
      expect(parsePositions(text, "p.yaml")).toEqual(map);
    });
  }

  for (const [name, text, want] of [
    ["unquoted numbers are read", "positions:\n  /a: 4\n", { "/a": "4" }],
    [
      "what is written without quotes is a text all the same",
      "positions:\n  /a: true\n  /b: 010\n  /c: 1.50\n  /d: +4\n  /e:\n  5: 1_0\n",
      { "5": "1_0", "/a": "true", "/b": "010", "/c": "1.50", "/d": "+4", "/e": "" },
    ],
    ["an empty file is empty", "", {}],
    ["a map without entries is empty", "positions:\n", {}],
    ["quoted keys are read", "positions:\n  \"/a\": '4'\n", { "/a": "4" }],
  ] as const) {
    test(name, () => expect(Object.fromEntries(parsePositions(text, "p.yaml"))).toEqual(want));
  }

  for (const [name, text] of [
    ["what is not YAML is refused", "positions: [broken\n"],
    ["NULs are refused", "\0\0\0\0"],
    ["another key is refused", "other: 1\n"],
    ["a list is refused", "positions: [1]\n"],
    ["a number is refused", "5\n"],
    ["a position that is a map is refused", "positions:\n  /a: {b: 1}\n"],
    ["a key twice is refused", 'positions:\n  /a: "1"\n  /a: "2"\n'],
  ] as const) {
    test(name, () => expect(() => parsePositions(text, "p.yaml")).toThrow(/p\.yaml/));
  }

  for (const [a, b] of [
    ["a2", "a10"],
    ["a", "a1"],
    ["1", "a"],
    ["/x/2/b", "/x/10/a"],
    ["/a.log", "/b.log"],
    ["/a-1", "/a.1"],
    ["/var/log/app-9.log", "/var/log/app-10.log"],
    ["/1009", "/1010"],
    ["/a/\u{1f600}2", "/a/\u{1f600}10"],
    ["/a/\u{1f600}", "/a/\u{1f601}"],
  ] as const) {
    test(`order: ${a} before ${b}`, () => {
      expect(compareNaturally(a, b)).toBeLessThan(0);
      expect(compareNaturally(b, a)).toBeGreaterThan(0);
    });
  }
});

describe("store", () => {
  let folder: string;
  let path: string;
  let open: Positions | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "skald-positions-"));
    path = join(folder, "positions.yaml");
    open = undefined;
  });
  afterEach(async () => {
    chmodSync(folder, 0o755);
    await open?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async (options: Partial<PositionsOptions> = {}): Promise<Positions> => {
    open = await openPositions({
      path,
      syncPeriodMs: 1e6,
      ignoreInvalidYaml: false,
      readOnly: false,
      clock: manualClock(1e12),
      log: silentLog,
      ...options,
    });
    return open;
  };
  const record = (over: Partial<FileRecord> = {}): FileRecord => ({
    owner: "o",
    path: join(folder, "a.log"),
    name: join(folder, "a.log"),
    dev: "1",
    ino: "18446744073709551615",
    headBytes: 4,
    headDigest: "h",
    offset: 4,
    markDigest: "m",
    sizeBytes: 9,
    rotated: false,
    seenMs: 1e12,
    ...over,
  });
  const source = (records: FileRecord[], settled = false): PositionSource => ({
    records: () => records,
    positions: () => records.filter((one) => !one.rotated).map((one) => [one.name, String(one.offset)] as const),
    settled: () => settled,
  });

  test("what is set is written with mode 0600 and read again", async () => {
    writeFileSync(join(folder, "a.log"), "x");
    const positions = await start();
    positions.set(join(folder, "a.log"), "12");
    positions.set("cursor-x", "170");
    await positions.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await start()).get("cursor-x")).toBe("170");
    expect(open!.get(join(folder, "a.log"))).toBe("12");
  });

  test("positions of files that are gone go, cursors and journals stay", async () => {
    writeFileSync(path, 'positions:\n  /gone.log: "5"\n  cursor-abc: "17"\n  journal-x: s=1\n');
    const positions = await start();
    await positions.sync();
    expect(readFileSync(path, "utf8")).toBe('positions:\n  cursor-abc: "17"\n  journal-x: s=1\n');
  });

  test("a file that is not YAML stops the start, saying what to do", async () => {
    writeFileSync(path, "positions: [broken\n");
    await expect(start()).rejects.toThrow(/invalid yaml positions file.*ignore-invalid-yaml/s);
  });

  test("a file that is not YAML is ignored when told so", async () => {
    writeFileSync(path, "positions: [broken\n");
    const positions = await start({ ignoreInvalidYaml: true });
    positions.set("cursor-x", "1");
    await positions.sync();
    expect(readFileSync(path, "utf8")).toBe('positions:\n  cursor-x: "1"\n');
  });

  test("nothing is written when read-only", async () => {
    const positions = await start({ readOnly: true });
    positions.set("cursor-x", "1");
    await positions.close();
    expect(existsSync(path)).toBe(false);
  });

  test("a source's records come back after a restart, with inodes beyond 2^53", async () => {
    const positions = await start();
    positions.addSource(source([record(), record({ ino: "5", rotated: true, path: join(folder, "a.log.1") })]));
    await positions.close();
    expect((await start()).records()).toEqual([record(), record({ ino: "5", rotated: true, path: join(folder, "a.log.1") })]);
    expect(open!.get(join(folder, "a.log"))).toBe("4");
  });

  test("records of many files come back, each found by its name", async () => {
    const names = Array.from({ length: 1_000 }, (_, i) => join(folder, `${i}.log`));
    const positions = await start();
    positions.addSource(source(names.map((name) => record({ name, path: name }))));
    await positions.close();
    const reopened = await start();
    expect(reopened.records()).toHaveLength(1_000);
    for (const name of names) expect(reopened.recordsOf(name)).toEqual([record({ name, path: name })]);
    reopened.claim(reopened.recordsOf(names[0]!)[0]!);
    expect(reopened.recordsOf(names[0]!)).toEqual([]);
  });

  test("a key a source no longer lists goes", async () => {
    const records = [record()];
    const positions = await start();
    positions.addSource(source(records));
    await positions.sync();
    records.pop();
    await positions.sync();
    expect(readFileSync(path, "utf8")).toBe("positions: {}\n");
  });

  test("of two sources with one file the smaller position is written", async () => {
    const positions = await start();
    positions.addSource(source([record({ offset: 9 })]));
    positions.addSource(source([record({ offset: 4, owner: "p" })]));
    await positions.sync();
    expect(positions.get(join(folder, "a.log"))).toBe("4");
  });

  test("of two sources with one cursor the last one's is written, also when the former has ended", async () => {
    const positions = await start();
    let ended = false;
    const cursor = (value: string, settled: () => boolean): PositionSource => ({
      records: () => [],
      positions: () => [["cursor-j", value]],
      settled,
    });
    positions.addSource(cursor("s=9", () => ended));
    positions.addSource(cursor("s=1", () => false));
    await positions.sync();
    expect(positions.get("cursor-j")).toBe("s=1");
    ended = true;
    await positions.sync();
    expect(positions.get("cursor-j")).toBe("s=1");
  });

  test("what a removed source had stays", async () => {
    const positions = await start();
    const one = source([record()]);
    positions.addSource(one);
    positions.removeSource(one);
    expect(positions.get(join(folder, "a.log"))).toBe("4");
    expect(positions.records()).toEqual([record()]);
    positions.claim(positions.records()[0]!);
    expect(positions.records()).toEqual([]);
  });

  for (const [name, synced] of [
    ["that were asked before", true],
    ["that were never asked", false],
  ] as const) {
    test(`of two sources with one file, ${name}, the smaller position stays when one ends, and goes with the other`, async () => {
      const positions = await start();
      const file = join(folder, "a.log");
      const [one, records] = [source([record({ offset: 9 })]), [record({ offset: 4, owner: "p" })]];
      positions.addSource(one);
      positions.addSource(source(records));
      if (synced) await positions.sync();
      positions.removeSource(one);
      expect(positions.get(file)).toBe("4");
      await positions.sync();
      records.pop();
      await positions.sync();
      expect(positions.get(file)).toBeUndefined();
    });
  }

  test("records of files that nobody has seen for a minute are forgotten when their folders are gone, but for those of earlier runs", async () => {
    const clock = manualClock(1e12);
    const positions = await start({ clock });
    const at = (name: string, over: Partial<FileRecord> = {}): FileRecord =>
      record({ path: join(folder, name), name: join(folder, name), ...over });
    const one = source([
      at("a.log"),
      at("gone/deleted.log"),
      at("gone/seen.log", { seenMs: 1e12 + 30_000 }),
      at("gone/renamed.log", { path: join(folder, "renamed.log") }),
      at("gone/earlier.log", { seenMs: 1e12 - 1 }),
    ]);
    positions.addSource(one);
    positions.removeSource(one);
    await clock.advance(60_000);
    await positions.sync();
    const left = positions.records().map(({ name }) => name.slice(folder.length + 1));
    expect(left).toEqual(["a.log", "gone/seen.log", "gone/renamed.log", "gone/earlier.log"]);
  });

  test("positions somebody else has written count more than the sidecar", async () => {
    writeFileSync(join(folder, "a.log"), "x");
    const positions = await start();
    positions.addSource(source([record()]));
    await positions.close();
    writeFileSync(path, `positions:\n  ${join(folder, "a.log")}: "2"\n`);
    expect((await start()).records()).toEqual([]);
    expect(open!.get(join(folder, "a.log"))).toBe("2");
  });

  for (const [name, hasEnded, trusted] of [
    ["by a kill before it was replaced: the records count", false, true],
    ["after the end, by somebody who means it: it counts", true, false],
  ] as const) {
    test(`positions as they were before, ${name}`, async () => {
      const file = join(folder, "a.log");
      writeFileSync(file, "x");
      const records = [record()];
      const positions = await start();
      positions.addSource(source(records));
      await positions.sync();
      const before = readFileSync(path, "utf8");
      records[0] = record({ offset: 9 });
      await positions.sync();
      const killed = readFileSync(`${path}.identity`, "utf8");
      await positions.close();
      if (!hasEnded) writeFileSync(`${path}.identity`, killed);
      writeFileSync(path, before);
      expect((await start()).records()).toEqual(trusted ? [record({ offset: 9 })] : []);
      expect(open!.get(file)).toBe("4");
    });
  }

  test("a position whose file has left the path is not that of the next file there, also after a kill before it was taken out", async () => {
    const file = join(folder, "a.log");
    writeFileSync(file, "x");
    const records = [record()];
    const positions = await start();
    positions.addSource(source(records));
    await positions.sync();
    const before = readFileSync(path, "utf8");
    records.pop();
    records.push(record({ rotated: true, path: `${file}.1` }));
    await positions.sync();
    expect(readFileSync(path, "utf8")).not.toContain("a.log");
    // The sidecar is written first.
    writeFileSync(path, before);
    expect((await start()).records()).toEqual(records);
    expect(open!.get(file)).toBeUndefined();
  });

  test("a position goes when who has taken up its record lists it no longer", async () => {
    const file = join(folder, "a.log");
    writeFileSync(file, "x");
    const first = await start();
    first.addSource(source([record()]));
    await first.close();
    const positions = await start();
    expect(positions.get(file)).toBe("4");
    const moved = record({ rotated: true, path: `${file}.1` });
    positions.claim(positions.records()[0]!);
    positions.addSource({ records: () => [moved], positions: () => [], settled: () => false });
    await positions.sync();
    expect(readFileSync(path, "utf8")).not.toContain("a.log");
  });

  test("positions and records are of one moment, whatever is done while files are looked for", async () => {
    const [one, two] = [join(folder, "a.log"), join(folder, "b.log")];
    writeFileSync(two, "x");
    const positions = await start();
    // Nobody lists it, so that it is looked for.
    positions.set(two, "7");
    let moved = false;
    positions.addSource({
      records: () => [record(moved ? { rotated: true, path: `${one}.1` } : {})],
      positions: () => {
        setImmediate(() => {
          moved = true;
        });
        return moved ? [] : [[one, "4"] as const];
      },
      settled: () => false,
    });
    await positions.sync();
    const noted = readFileSync(`${path}.identity`, "utf8").includes('"rotated":true');
    expect(readFileSync(path, "utf8").includes("a.log")).toBe(!noted);
  });

  test("positions that are removed after the end do not come back", async () => {
    writeFileSync(join(folder, "a.log"), "x");
    const positions = await start();
    positions.addSource(source([record()]));
    await positions.close();
    rmSync(path);
    expect((await start()).records()).toEqual([]);
  });

  for (const [name, damage] of [
    ["is missing", (file: string) => rmSync(file)],
    ["is cut", (file: string) => writeFileSync(file, readFileSync(file, "utf8").slice(0, -20))],
    ["is empty", (file: string) => writeFileSync(file, "")],
    ["is of another format", (file: string) => writeFileSync(file, '{"format":"x"}\n')],
    [
      "has a record with a negative offset",
      (file: string) => writeFileSync(file, readFileSync(file, "utf8").replace('"offset":4', '"offset":-4')),
    ],
  ] as const) {
    test(`a sidecar that ${name} leaves the positions by path`, async () => {
      writeFileSync(join(folder, "a.log"), "x");
      const positions = await start();
      positions.addSource(source([record()]));
      await positions.close();
      damage(`${path}.identity`);
      expect((await start()).records()).toEqual([]);
      expect(open!.get(join(folder, "a.log"))).toBe("4");
    });
  }

  test("a write that fails is counted, and made good by the next", async () => {
    const registry = new Registry();
    const blocked = join(folder, "blocked");
    path = join(blocked, "positions.yaml");
    writeFileSync(blocked, "a file where a folder should be");
    const positions = await openPositions({
      path: join(folder, "later", "positions.yaml"),
      syncPeriodMs: 1e6,
      ignoreInvalidYaml: false,
      readOnly: false,
      clock: manualClock(1e12),
      log: silentLog,
      registry,
    });
    open = positions;
    writeFileSync(join(folder, "later"), "in the way");
    positions.set("cursor-x", "1");
    await positions.sync();
    const failures = await registry.getSingleMetric("promtail_positions_write_failures_total")!.get();
    expect(failures.values[0]!.value).toBe(1);
    rmSync(join(folder, "later"));
    await positions.sync();
    expect(readFileSync(join(folder, "later", "positions.yaml"), "utf8")).toBe('positions:\n  cursor-x: "1"\n');
  });

  test("a sync can be asked for before its time", async () => {
    const positions = await start();
    positions.set("cursor-x", "1");
    positions.syncSoon();
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(readFileSync(path, "utf8")).toContain("cursor-x");
  });

  test("an unchanged state is not written again", async () => {
    const positions = await start();
    let seenMs = 1e12;
    positions.addSource({ ...source([]), records: () => [record({ seenMs: seenMs++ })], positions: () => [[join(folder, "a.log"), "4"]] });
    await positions.sync();
    const before = statSync(`${path}.identity`).ino;
    await positions.sync();
    expect(statSync(`${path}.identity`).ino).toBe(before);
  });
});
