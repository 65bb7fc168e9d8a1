import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { pause, Rig, type RigOptions } from "./harness.ts";

let rig: Rig;
afterEach(() => rig.close());

async function open(files: Record<string, string | Buffer>, options: RigOptions = {}): Promise<Rig> {
  rig = new Rig(options);
  for (const [name, content] of Object.entries(files)) {
    if (name.includes("/")) mkdirSync(rig.path(name.slice(0, name.lastIndexOf("/"))), { recursive: true });
    writeFileSync(rig.path(name), content);
  }
  await rig.start();
  return rig;
}

for (const [name, content, lines] of [
  ["lines end at a line feed", "a\nb\n", ["a", "b"]],
  ["a carriage return stays", "a\r\nb\r\n", ["a\r", "b\r"]],
  ["empty lines are entries", "\na\n\n\nb\n", ["", "a", "", "", "b"]],
  ["a last line without line feed waits", "a\nb", ["a"]],
  ["NULs at the start are skipped", `${"\0".repeat(64)}after\nnext\n`, ["after", "next"]],
  ["NULs of several blocks are skipped", `${"\0".repeat(700_000)}after\nnext\n`, ["after", "next"]],
  ["NULs within a line stay", "a\n\0b\n", ["a", "\0b"]],
  [
    "malformed UTF-8 is replaced",
    Buffer.from([0x61, 0xff, 0xfe, 0x80, 0x62, 0x0a, 0xc3, 0x0a, 0x6f, 0x0a]),
    ["a\ufffd\ufffd\ufffdb", "\ufffd", "o"],
  ],
  ["a byte order mark of UTF-8 stays", "\ufeffa\n", ["\ufeffa"]],
  ["a line longer than a block", `${"x".repeat(700_000)}\nshort\n`, ["x".repeat(700_000), "short"]],
  ["lines as long as a block", `${"x".repeat(262_143)}\n${"y".repeat(262_144)}\nz\n`, ["x".repeat(262_143), "y".repeat(262_144), "z"]],
] as const) {
  test(`reading: ${name}`, async () => {
    await open({ "a.log": content as string });
    await rig.until(() => rig.lines().length >= lines.length, "all lines");
    await pause(50);
    expect(rig.lines()).toEqual(lines);
  });
}

test("reading: a path without wildcards is named and noted as it is written, each of its files read once", async () => {
  await open({ "logs/app.log": "a\n" }, { glob: "logs/..//logs/app.log" });
  const written = `${rig.folder}/logs/..//logs/app.log`;
  await rig.untilLines(1);
  renameSync(rig.path("logs/app.log"), rig.path("logs/app.log.1"));
  writeFileSync(rig.path("logs/app.log"), "b\n");
  await rig.untilLines(2);
  await rig.stop();
  appendFileSync(rig.path("logs/app.log"), "c\n");
  renameSync(rig.path("logs/app.log"), rig.path("logs/app.log.2"));
  writeFileSync(rig.path("logs/app.log"), "d\n");
  await rig.start();
  await rig.untilLines(4);
  await pause(400);
  expect(rig.lines()).toEqual(["a", "b", "c", "d"]);
  expect(new Set([...rig.sent, ...rig.sink.acknowledged].map((sent) => sent.filename))).toEqual(new Set([written]));
  await rig.until(() => rig.positions.get(written) === "2", "the position");
});

test("reading: how far files are read is a metric from the start, of an empty one and of one that has not grown too", async () => {
  rig = new Rig();
  writeFileSync(rig.path("a.log"), "one\n");
  writeFileSync(rig.path("empty.log"), "");
  await rig.start();
  await rig.untilLines(1);
  await rig.stop();
  await rig.start();
  await rig.until(() => rig.target.details().length === 2, "both files");
  const { values } = await rig.registry.getSingleMetric("promtail_read_bytes_total")!.get();
  const read = Object.fromEntries(values.map(({ labels, value }) => [labels.path, value]));
  expect(read).toEqual({ [rig.path("a.log")]: 4, [rig.path("empty.log")]: 0 });
});

test("reading: lines are stamped in strictly increasing order", async () => {
  await open({ "a.log": "x\n".repeat(20_000) });
  await rig.until(() => rig.lines().length === 20_000, "all lines");
  const times = rig.sink.acknowledged.map((sent) => sent.time);
  expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
});

test("reading: a line that arrives in pieces is one entry", async () => {
  await open({ "a.log": "" });
  for (const piece of ["a", "b", "c\nd", "e\n"]) {
    appendFileSync(rig.path("a.log"), piece);
    await pause(40);
  }
  await rig.until(() => rig.lines().length === 2, "both lines");
  expect(rig.lines()).toEqual(["abc", "de"]);
});

test("reading: a line beyond the bound is cut and counted, the next is whole", async () => {
  await open({ "a.log": `first\n${"x".repeat(2_000_000)}` }, { reading: { lineBytesMax: 1_000_000 } });
  await rig.until(() => rig.lines().length === 2, "the cut line");
  appendFileSync(rig.path("a.log"), `${"y".repeat(500_000)}\nlast\n`);
  await rig.until(() => rig.lines().length === 3, "the last line");
  expect(rig.lines()).toEqual(["first", "x".repeat(1_000_000), "last"]);
  expect(await rig.metric("promtail_file_lost_bytes_total")).toBeGreaterThanOrEqual(1_500_000);
});

test("folder: a file that appears is read from its start within a second", async () => {
  await open({ "a.log": "a\n" });
  await rig.untilLines(1);
  writeFileSync(rig.path("b.log"), "b\n");
  await rig.until(() => rig.lines().length === 2, "the new file's line", 1_000);
});

test("folder: a file in a folder that appears is found", async () => {
  await open({ "a.log": "a\n" }, { glob: "**/*.log" });
  await rig.untilLines(1);
  mkdirSync(rig.path("x/y"), { recursive: true });
  writeFileSync(rig.path("x/y/b.log"), "b\n");
  await rig.untilLines(2);
  expect(rig.lines()).toEqual(["a", "b"]);
});

test("folder: what is excluded is not read", async () => {
  await open({ "a.log": "a\n", "b.log": "b\n" }, { exclude: "b*" });
  await rig.untilLines(1);
  writeFileSync(rig.path("b2.log"), "b2\n");
  await pause(400);
  expect(rig.lines()).toEqual(["a"]);
});

test("folder: a file whose name is written like a pattern is itself", async () => {
  await open({ "a[1].log": "x\n" }, { glob: "a[1].log" });
  await rig.untilLines(1);
});

test("folder: the position of a deleted file goes", async () => {
  await open({ "a.log": "a\n", "b.log": "b\n" });
  await rig.untilLines(2);
  rmSync(rig.path("b.log"));
  await rig.until(() => rig.positions.get(rig.path("b.log")) === undefined && rig.positions.get(rig.path("a.log")) === "2", "positions");
});

test("state: details tell offset, size and lag", async () => {
  await open({ "a.log": "aaa\nrest" });
  await rig.untilLines(1);
  expect(rig.target.details()).toMatchObject([{ path: rig.path("a.log"), offset: 4, sizeBytes: 8, lagBytes: 4, state: "following" }]);
  expect(rig.target.ready).toBe(true);
});

test("state: a target without files is not ready", async () => {
  await open({});
  expect(rig.target.ready).toBe(false);
});

test("descriptors: many files are followed with few of them", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `f${i}.log`);
  await open(Object.fromEntries(names.map((name) => [name, `${name} first\n`])), { openFilesMax: 5 });
  await rig.untilLines(40);
  expect(rig.pool.openFiles.count).toBeLessThanOrEqual(6);
  for (const name of names) appendFileSync(rig.path(name), `${name} second\n`);
  await rig.untilLines(80);
  expect(rig.lines()).toHaveLength(80);
});

test("budget: reading stops at the bound and goes on after it", async () => {
  const text = "0123456789012345678\n".repeat(50_000);
  await open({ "a.log": text }, { remote: "down", inFlightBytesMax: 100_000, roomLines: 1e9 });
  await pause(300);
  expect(rig.pool.budget.usedBytes).toBeLessThan(100_000 + 270_000);
  rig.sink.recover();
  await rig.until(() => rig.lines().length === 50_000, "all lines");
  await rig.until(() => rig.pool.budget.usedBytes === 0, "an empty budget");
});

test("rename: a file renamed within the pattern is not read again, and is followed under its new name", async () => {
  await open({ "a.log": "a1\na2\n" });
  await rig.untilLines(2);
  renameSync(rig.path("a.log"), rig.path("z.log"));
  await pause(300);
  appendFileSync(rig.path("z.log"), "a3\n");
  await rig.untilLines(3);
  expect(rig.lines()).toEqual(["a1", "a2", "a3"]);
  expect(rig.sink.acknowledged[2]!.filename).toBe(rig.path("z.log"));
  await rig.until(() => rig.positions.get(rig.path("z.log")) === "9", "the new name's position");
  expect(rig.positions.get(rig.path("a.log"))).toBeUndefined();
});
