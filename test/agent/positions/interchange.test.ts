// Switching between Promtail and this agent, in both directions: each goes on where the other stopped, in the same positions file.

import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { Rig } from "../tail/harness.ts";

let rig: Rig;
afterEach(() => rig.close());

const positionsText = (): string => readFileSync(rig.positionsPath, "utf8").replaceAll(rig.folder, "$dir");
const writePositions = (text: string): void => writeFileSync(rig.positionsPath, text.replaceAll("$dir", rig.folder));

/** What Promtail does with a file of its own or of ours: reads lines behind the position, and notes how far it has come. */
function promtailReads(name: string, lines: number): string[] {
  const entry = new RegExp(`^(  \\$dir/${name}: )"?(\\d+)"?$`, "m");
  const from = Number(entry.exec(positionsText())?.[2] ?? 0);
  const read = readFileSync(rig.path(name), "utf8").slice(from).split("\n").slice(0, lines);
  const to = from + read.join("\n").length + 1;
  writePositions(positionsText().replace(entry, `$1"${to}"`));
  return read;
}

const OTHERS = `  cursor-4f2d: "1700000000"
  cursor-journal: s=1f2e;i=2a;b=9c
  journal-old: s=1
`;

describe("from Promtail", () => {
  for (const [name, position] of [
    ["quoted", '"8"'],
    ["bare", "8"],
    ["in apostrophes", "'8'"],
  ] as const) {
    test(`a position that is ${name} is gone on from, and other keys stay as they are`, async () => {
      rig = new Rig();
      writeFileSync(rig.path("a.log"), "one\ntwo\nthree\n");
      writeFileSync(rig.path("other.txt"), "of a target that is not here\n");
      writePositions(`positions:\n  $dir/a.log: ${position}\n  $dir/other.txt: "5"\n${OTHERS}`);
      await rig.start();
      await rig.untilLines(1);
      await rig.stop();
      expect(rig.lines()).toEqual(["three"]);
      expect(positionsText()).toBe(`positions:\n  $dir/a.log: "14"\n  $dir/other.txt: "5"\n${OTHERS}`);
    });
  }

  for (const [position, lines] of [
    ["+4", ["two", "three"]],
    ['"04"', ["two", "three"]],
    ["010", ["three"]],
    ['"5"', ["two", "three"]],
    ["abc", ["one", "two", "three"]],
    ["true", ["one", "two", "three"]],
    ["4.5", ["one", "two", "three"]],
    ["-4", ["one", "two", "three"]],
    ["0x4", ["one", "two", "three"]],
    ["", ["one", "two", "three"]],
  ] as const) {
    test(`of a position that is ${position === "" ? "empty" : position}, ${lines.length} lines are left`, async () => {
      rig = new Rig();
      writeFileSync(rig.path("a.log"), "one\ntwo\nthree\n");
      writePositions(`positions:\n  $dir/a.log: ${position}\n`);
      await rig.start();
      await rig.until(() => rig.lines().at(-1) === "three", "the last line");
      expect(rig.lines()).toEqual(lines);
    });
  }

  test("nothing but what it has left is read, of a hundred files", async () => {
    rig = new Rig();
    const names = Array.from({ length: 100 }, (_, i) => `${i}.log`);
    for (const name of names) writeFileSync(rig.path(name), `old\nnew ${name}\n`);
    writePositions(`positions:\n${names.map((name) => `  $dir/${name}: "4"\n`).join("")}`);
    await rig.start();
    await rig.untilLines(100);
    await rig.stop();
    expect(rig.lines().sort()).toEqual(names.map((name) => `new ${name}`).sort());
  });
});

describe("to Promtail", () => {
  test("the file is the one it writes itself: a map of texts, nothing beside it in the same file", async () => {
    rig = new Rig();
    writeFileSync(rig.path("a.log"), "one\ntwo\n");
    await rig.start();
    await rig.untilLines(2);
    await rig.stop();
    expect(positionsText()).toBe('positions:\n  $dir/a.log: "8"\n');
    expect(existsSync(`${rig.positionsPath}.identity`)).toBe(true);
  });

  test("a line without its end is left to it", async () => {
    rig = new Rig();
    writeFileSync(rig.path("a.log"), "one\nhal");
    await rig.start();
    await rig.untilLines(1);
    await rig.stop();
    appendFileSync(rig.path("a.log"), "f\n");
    expect(rig.lines()).toEqual(["one"]);
    expect(promtailReads("a.log", 1)).toEqual(["half"]);
  });
});

describe("there and back", () => {
  test("each line is read once", async () => {
    rig = new Rig();
    writeFileSync(rig.path("a.log"), "1\n2\n");
    writePositions("positions:\n");
    await rig.start();
    await rig.untilLines(2);
    await rig.stop();
    appendFileSync(rig.path("a.log"), "3\n4\n5\n");
    const byPromtail = promtailReads("a.log", 2);
    await rig.start();
    await rig.untilLines(3);
    appendFileSync(rig.path("a.log"), "6\n");
    await rig.untilLines(4);
    await rig.stop();
    expect(byPromtail).toEqual(["3", "4"]);
    expect(rig.lines()).toEqual(["1", "2", "5", "6"]);
  });

  test("a file that was replaced while Promtail was at work is not taken for the one before", async () => {
    rig = new Rig();
    writeFileSync(rig.path("a.log"), "old 1\nold 2\nold 3\n");
    await rig.start();
    await rig.untilLines(3);
    await rig.stop();
    renameSync(rig.path("a.log"), rig.path("a.log.1"));
    writeFileSync(rig.path("a.log"), "new 1\n");
    writePositions('positions:\n  $dir/a.log: "6"\n');
    appendFileSync(rig.path("a.log"), "new 2\n");
    await rig.start();
    await rig.untilLines(4);
    await rig.stop();
    expect(rig.lines()).toEqual(["old 1", "old 2", "old 3", "new 2"]);
  });

  test("without the file of identities the path alone decides", async () => {
    rig = new Rig();
    writeFileSync(rig.path("a.log"), "1\n2\n");
    await rig.start();
    await rig.untilLines(2);
    await rig.stop();
    rmSync(`${rig.positionsPath}.identity`);
    appendFileSync(rig.path("a.log"), "3\n");
    await rig.start();
    await rig.untilLines(3);
    expect(rig.lines()).toEqual(["1", "2", "3"]);
  });
});
