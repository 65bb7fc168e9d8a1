import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { numbered, pause, Rig } from "./harness.ts";

let rig: Rig;
afterEach(() => rig.close());

const LOG = "app.log";
/** Lines per generation: more than the sink takes while the remote is away. */
const COUNT = 120;

/** Renames each generation to the next number. */
function shift(generations: number): void {
  for (let n = generations; n > 1; n--) renameSync(rig.path(`${LOG}.${n - 1}`), rig.path(`${LOG}.${n}`));
  renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
}

/** Of this process' descriptors. */
function openPaths(): Set<string> {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return new Set(links);
}

describe("few descriptors", () => {
  const generations = 8;
  const lines = Array.from({ length: generations }, (_, g) => numbered(`generation ${g} line `, COUNT));

  async function rotateWhileAway(): Promise<void> {
    rig = new Rig({ openFilesMax: 3, roomLines: 5 });
    writeFileSync(rig.path(LOG), lines[0]!.text);
    await rig.start("down");
    for (let g = 1; g < generations; g++) {
      await pause(40);
      shift(g);
      writeFileSync(rig.path(LOG), lines[g]!.text);
      await rig.until(() => rig.target.details().length === g + 1, "the next generation");
    }
  }

  test("renamed files that were closed while the remote was away are found again, wherever they were renamed to", async () => {
    await rotateWhileAway();
    expect(rig.pool.openFiles.count).toBeLessThanOrEqual(3);
    shift(generations);
    writeFileSync(rig.path(LOG), "after\n");
    rig.sink.recover();
    await rig.untilLines(generations * COUNT + 1);
    expect(rig.lines()).toEqual([...lines.flatMap(({ list }) => list), "after"]);
    expect(await rig.metric("promtail_file_losses_total")).toBe(0);
  });

  test("one that is deleted while it is closed is a loss, and the others are read", async () => {
    await rotateWhileAway();
    const open = openPaths();
    const details = rig.target.details();
    const placeOf = (generation: number): string => rig.path(`${LOG}.${generations - 1 - generation}`);
    const closed = details.findLastIndex(({ state }, g) => state === "rotated" && !open.has(placeOf(g)));
    rmSync(placeOf(closed));
    rig.sink.recover();
    await rig.untilLines((generations - 1) * COUNT);
    await rig.until(() => rig.logLines.some((line) => line.includes("reason=rotated_away")), "the loss");
    expect(rig.lines()).toEqual(lines.filter((_, g) => g !== closed).flatMap(({ list }) => list));
    expect(await rig.metric("promtail_file_lost_bytes_total")).toBe(details[closed]!.sizeBytes);
  });

  test("a file that was closed at its path is read on where it was packed, and nothing comes twice", async () => {
    rig = new Rig({ openFilesMax: 2 });
    writeFileSync(rig.path(LOG), lines[0]!.text);
    await rig.start();
    await rig.untilLines(COUNT);
    for (const other of ["b.log", "c.log", "d.log"]) writeFileSync(rig.path(other), `${other}\n`);
    await rig.untilLines(COUNT + 3);
    expect(openPaths()).not.toContain(rig.path(LOG));
    // Written to, rotated and packed between two looks.
    appendFileSync(rig.path(LOG), "late\n");
    const { atime, mtime } = statSync(rig.path(LOG));
    writeFileSync(rig.path(`${LOG}.1.gz`), gzipSync(readFileSync(rig.path(LOG))));
    utimesSync(rig.path(`${LOG}.1.gz`), atime, mtime);
    writeFileSync(rig.path("next"), "after\n");
    renameSync(rig.path("next"), rig.path(LOG));
    await rig.untilLines(COUNT + 5);
    await pause(60);
    expect(rig.lines().filter((line) => !/^[bcd]/.test(line))).toEqual([...lines[0]!.list, "late", "after"]);
    expect(await rig.metric("promtail_file_losses_total")).toBe(0);
  });

  test("files without a name stay open beyond the limit", async () => {
    await rotateWhileAway();
    rig.sink.recover();
    await rig.untilLines(generations * COUNT);
    rig.sink.remote = "down";
    const more = Array.from({ length: 6 }, (_, g) => numbered(`deleted ${g} line `, COUNT));
    for (const [g, { text }] of more.entries()) {
      rmSync(rig.path(LOG));
      writeFileSync(rig.path(LOG), text);
      await rig.until(
        () => rig.target.details().filter(({ sizeBytes }) => sizeBytes === Buffer.byteLength(text)).length >= g + 1,
        "the next",
      );
      await pause(40);
    }
    expect(rig.pool.openFiles.count).toBeGreaterThan(3);
    rig.sink.recover();
    await rig.untilLines((generations + 6) * COUNT);
    expect(await rig.metric("promtail_file_losses_total")).toBe(0);
  });
});

describe("moved to another folder", () => {
  for (const how of ["the agent running", "and the agent restarted"] as const)
    test(`a file is read on there (${how})`, async () => {
      rig = new Rig({ roomLines: 5 });
      mkdirSync(rig.path("old"));
      writeFileSync(rig.path(LOG), numbered("line ", COUNT).text);
      await rig.start("down");
      await pause(50);
      renameSync(rig.path(LOG), rig.path("old/app.1"));
      writeFileSync(rig.path(LOG), "after\n");
      await rig.until(() => rig.target.details().some(({ at }) => at === rig.path("old/app.1")), "the file in its new folder");
      if (how !== "the agent running") {
        await rig.stop();
        await rig.start();
      }
      rig.sink.recover();
      await rig.untilLines(COUNT + 1);
      expect(rig.linesOnce()).toEqual([...numbered("line ", COUNT).list, "after"]);
    });
});
