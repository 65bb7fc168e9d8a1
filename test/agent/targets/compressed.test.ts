import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { numbered, pause, Rig } from "../tail/harness.ts";

let rig: Rig;
afterEach(() => rig.close());

const open = async (format: string, files: Record<string, Buffer>, initialDelayMs = 0, positions = ""): Promise<void> => {
  rig = new Rig({ glob: "*.packed", reading: { decompression: { format, initialDelayMs } } });
  for (const [name, content] of Object.entries(files)) writeFileSync(rig.path(name), content);
  if (positions !== "") writeFileSync(rig.positionsPath, positions.replaceAll("$dir", rig.folder));
  await rig.start();
};

const BZ2 = Buffer.from("QlpoOTFBWSZTWacUK3cAAALBgAAQAgGEgCAAIYAMAjj1G4u5IpwoSFOKFbuA", "base64");

for (const [name, format, content, lines] of [
  ["gzip", "gz", gzipSync("one\ntwo\n"), ["one", "two"]],
  ["zlib", "z", deflateSync("one\ntwo\n"), ["one", "two"]],
  ["two members of gzip", "gz", Buffer.concat([gzipSync("one\n"), gzipSync("two\n")]), ["one", "two"]],
  ["a last line without line feed", "gz", gzipSync("one\ntwo"), ["one", "two"]],
  ["line ends with a carriage return", "gz", gzipSync("one\r\n\r\nt\rwo\r\r\nthree\r"), ["one", "", "t\rwo\r", "three"]],
  ["a line across pieces", "gz", gzipSync(`a\n${"x".repeat(200_000)}\nb\n`), ["a", "x".repeat(200_000), "b"]],
  ["more lines than a batch has", "gz", gzipSync(numbered("l", 30_000).text), numbered("l", 30_000).list],
] as const) {
  test(`decompression: ${name}`, async () => {
    await open(format, { "a.packed": content });
    await rig.until(() => rig.lines().length >= lines.length, "all lines");
    await pause(50);
    expect(rig.lines()).toEqual(lines);
    await rig.until(() => rig.positions.get(rig.path("a.packed")) === String(lines.length), "the position in lines");
  });
}

test("decompression: an unknown format is refused", async () => {
  rig = new Rig({ reading: { decompression: { format: "rar", initialDelayMs: 0 } } });
  await expect(rig.start()).rejects.toThrow(/"rar", expected one of gz, z, bz2/);
  await rig.positions.close();
  rig = new Rig();
  await rig.start();
});

for (const [position, lines] of [
  ['"2"', ["three"]],
  ["+2", ["three"]],
  ["0x2", ["one", "two", "three"]],
  ["q", ["one", "two", "three"]],
] as const) {
  test(`decompression: of Promtail's position ${position}, ${lines.length} lines are left`, async () => {
    await open("gz", { "a.packed": gzipSync("one\ntwo\nthree\n") }, 0, `positions:\n  $dir/a.packed: ${position}\n`);
    await rig.until(() => rig.lines().at(-1) === "three", "the last line");
    expect(rig.lines()).toEqual(lines);
  });
}

test("decompression: a file is not read again after a restart, nor when it is renamed", async () => {
  await open("gz", { "a.packed": gzipSync("one\ntwo\n") });
  await rig.untilLines(2);
  await rig.stop();
  renameSync(rig.path("a.packed"), rig.path("b.packed"));
  writeFileSync(rig.path("a.packed"), gzipSync("three\n"));
  await rig.start();
  await rig.untilLines(3);
  renameSync(rig.path("a.packed"), rig.path("c.packed"));
  await pause(1_300);
  expect(rig.lines()).toEqual(["one", "two", "three"]);
});

const untilNoted = (text: string): Promise<void> =>
  rig.until(() => existsSync(rig.positionsPath) && readFileSync(rig.positionsPath, "utf8").includes(text), `${text} in the positions file`);

const NEW = ["three", "four", "five"];
const replace = (): void => {
  writeFileSync(rig.path("new"), gzipSync(`${NEW.join("\n")}\n`));
  renameSync(rig.path("new"), rig.path("a.packed"));
};

for (const [name, change] of [
  ["another file takes the place of one that was renamed within the pattern", () => renameSync(rig.path("a.packed"), rig.path("b.packed"))],
  ["another file takes the place of one that was renamed away", () => renameSync(rig.path("a.packed"), rig.path("a.old"))],
  ["another file takes the place of one that was deleted", () => rmSync(rig.path("a.packed"))],
] as const) {
  for (const how of ["while it runs", "while it is stopped", "and it is killed at once"] as const) {
    test(`decompression: ${name}, ${how}: it is read whole`, async () => {
      await open("gz", { "a.packed": gzipSync("one\ntwo\n") });
      await rig.untilLines(2);
      await untilNoted('"2"');
      if (how === "while it is stopped") await rig.stop();
      change();
      replace();
      if (how === "and it is killed at once") await rig.kill();
      if (how !== "while it runs") await rig.start();
      await rig.untilLines(5);
      expect(rig.lines()).toEqual(["one", "two", ...NEW]);
    });
  }
}

test("decompression: a file that is written anew in place is read whole, also if it was first seen with a piece of its head", async () => {
  const gzip = gzipSync("one\ntwo\n");
  await open("gz", { "a.packed": gzip.subarray(0, 10) });
  await rig.until(() => rig.logLines.some((line) => line.includes("could not read compressed file")), "the complaint");
  appendFileSync(rig.path("a.packed"), gzip.subarray(10));
  await rig.untilLines(2);
  await rig.until(() => rig.positions.get(rig.path("a.packed")) === "2", "the position");
  writeFileSync(rig.path("a.packed"), gzipSync(`${NEW.join("\n")}\n`));
  await rig.untilLines(5);
  expect(rig.lines()).toEqual(["one", "two", ...NEW]);
});

test("decompression: a position by path is not that of a file which comes later, nor for a second target", async () => {
  await open("gz", { "a.packed": gzipSync("one\ntwo\n") });
  await rig.untilLines(2);
  await rig.stop();
  renameSync(rig.path("a.packed"), rig.path("b.packed"));
  replace();
  await rig.start();
  await rig.untilLines(5);
  const first = rig.target;
  await rig.openTarget({ job: "second" });
  const ofNew = (): string[] => rig.sink.acknowledged.filter((sent) => sent.filename === rig.path("a.packed")).map((sent) => sent.line);
  await rig.until(() => ofNew().length >= 6, "the new file's lines, once more");
  expect(ofNew()).toEqual([...NEW, ...NEW]);
  await first.stop({ drain: false });
});

test("decompression: a position whose file is not there at the start is not that of a file which comes later", async () => {
  await open("gz", {}, 0, 'positions:\n  $dir/a.packed: "2"\n');
  replace();
  await rig.untilLines(3);
  expect(rig.lines()).toEqual(NEW);
});

test("decompression: a file that was away for a moment is not read again", async () => {
  await open("gz", { "a.packed": gzipSync("one\ntwo\n") });
  await rig.untilLines(2);
  renameSync(rig.path("a.packed"), rig.path("a.old"));
  await rig.until(() => rig.positions.get(rig.path("a.packed")) === undefined, "the file to be missed");
  renameSync(rig.path("a.old"), rig.path("a.packed"));
  await rig.until(() => rig.positions.get(rig.path("a.packed")) === "2", "the position");
  await pause(100);
  expect(rig.lines()).toEqual(["one", "two"]);
});

test("decompression: a file that is cut is read as far as it goes, and on from there when it is whole", async () => {
  const whole = gzipSync(Buffer.from(numbered("line with some text ", 20_000).text), { level: 1 });
  await open("gz", { "a.packed": whole.subarray(0, whole.length / 2) });
  await rig.until(() => rig.logLines.some((line) => line.includes("could not read compressed file")), "the complaint");
  const before = rig.lines().length;
  expect(before).toBeGreaterThan(1_000);
  appendFileSync(rig.path("a.packed"), whole.subarray(whole.length / 2));
  await rig.untilLines(20_000);
  expect(rig.lines()).toEqual(numbered("line with some text ", 20_000).list);
});

test("decompression: a new file is left alone for a while", async () => {
  await open("gz", { "a.packed": gzipSync("one\n") }, 300);
  await pause(150);
  expect(rig.lines()).toEqual([]);
  await rig.untilLines(1);
});

test("decompression: of a file of which nothing was read the position is 0", async () => {
  await open("gz", { "a.packed": Buffer.from("not packed") });
  await untilNoted(`${rig.path("a.packed")}: "0"`);
});

test("decompression: what is not acknowledged is read again after a kill", async () => {
  rig = new Rig({ glob: "*.packed", roomLines: 100, reading: { decompression: { format: "gz", initialDelayMs: 0 } } });
  writeFileSync(rig.path("a.packed"), gzipSync(numbered("l", 30_000).text));
  await rig.start("down");
  await pause(80);
  await rig.kill();
  await rig.start("up");
  await rig.untilLines(30_000);
  expect(rig.lines()).toEqual(numbered("l", 30_000).list);
});

test("decompression: bzip2", async () => {
  await open("bz2", { "a.packed": BZ2 });
  await rig.untilLines(2);
  expect(rig.lines()).toEqual(["one", "two"]);
});
