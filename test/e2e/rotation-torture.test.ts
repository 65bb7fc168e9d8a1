// Rotations of every kind, in any order, once or twice, while the remote is up, slow or down and the agent is killed at random. No line
// is lost while its bytes exist; what was deleted before it was confirmed is in the loss ledger to the byte; lines are repeated at most
// where they had been taken since the positions were last written before a kill. Small in `npm test`, `npm run faults -- rotation` at
// full size.

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { seededRandom } from "../../lib/runtime/clock.ts";
import { AgentUnderTest } from "./agent-under-test.ts";
import { Arrivals, numberedLine } from "./arrivals.ts";
import { evidenceOf } from "./evidence.ts";
import { faultSetting, report } from "./fault-settings.ts";
import { sleep, until } from "./processes.ts";
import { KINDS, TortureWriter } from "./torture-writer.ts";

const ROTATIONS = faultSetting("rotations", 50);
const KILLS = faultSetting("kills", 2);
const SEED = faultSetting("seed", 7);

/** Collecting and writing positions takes this long at most; what is confirmed meanwhile is not in them. */
const SYNC_TAKES_MS = 2_000;
const LINE_BYTES_MOST = 120;

const folder = mkdtempSync(join(tmpdir(), "skald-rotation-"));
let agent: AgentUnderTest;
let arrivals: Arrivals;

afterAll(async () => {
  await agent?.stop();
  arrivals?.close();
  if (process.env.SKALD_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
});

test(`${ROTATIONS} rotations, ${KILLS} kills (seed ${SEED})`, { timeout: 120_000 + ROTATIONS * 400 + KILLS * 20_000 }, async () => {
  const random = seededRandom(SEED);
  arrivals = await Arrivals.open();
  agent = await AgentUnderTest.prepare({ folder, url: arrivals.url, pattern: "{*.log,followed.txt*}" });
  const writers = KINDS.map((kind, number) => new TortureWriter(agent.logs, kind, number));
  await agent.start();
  // Before the first agent has written anything down, nobody after it could know of a file that has left its path.
  await until("positions written", () => notedAtMs() > 0);
  let mayRepeat = 0;
  let killed = 0;

  for (let rotated = 0; rotated < ROTATIONS; ) {
    if (random() < 0.05) arrivals.state = random() < 0.6 ? "up" : random() < 0.5 ? "slow" : "down";
    if (killed < KILLS && random() < (KILLS - killed) / (ROTATIONS - rotated)) {
      killed++;
      await agent.stop();
      mayRepeat += arrivals.takenSince(notedAtMs() - SYNC_TAKES_MS);
      for (let i = Math.floor(random() * 5); i > 0; i--) rotated += await rotate(pick(writers, random), random, false);
      await agent.start();
      continue;
    }
    const writer = pick(writers, random);
    rotated += await rotate(writer, random, true);
    writer.prune((n) => arrivals.has(writer.number, n));
    await sleep(random() * 25);
  }

  arrivals.state = "up";
  const expected = (writer: TortureWriter): number => writer.written - lostLines(writer).length;
  await until(
    "every line that can be read",
    () => writers.every((writer) => writer.kind === "recreate" || arrivals.countOf(writer.number) === writer.written),
    15_000 + KILLS * 1_000,
  ).catch((error: unknown) => {
    throw new Error(
      `${String(error)}\n${writers
        .filter((writer) => writer.kind !== "recreate")
        .map(missing)
        .join("\n")}`,
    );
  });
  const recreated = writers.find(({ kind }) => kind === "recreate")!;
  await until("the last lines of the file that is made anew", () => arrivals.has(recreated.number, recreated.written));

  const losses = ledger();
  const lost = lostLines(recreated);
  report("rotation", {
    seed: SEED,
    rotations: writers.reduce((sum, { generations }) => sum + generations.length - 1, 0),
    kills: killed,
    lines: writers.reduce((sum, { written }) => sum + written, 0),
    repeated: arrivals.repeatedCount,
    may_repeat: mayRepeat,
    lost_lines_of_deleted_files: lost.length,
    ledger_entries: losses.length,
  });
  expect(arrivals.strangeLines).toEqual([]);
  expect(expected(recreated)).toBe(arrivals.countOf(recreated.number));
  expect(arrivals.repeatedCount, "repeated lines").toBeLessThanOrEqual(mayRepeat);
  expect(
    losses.filter(({ path }) => path !== recreated.path),
    "losses of what was not deleted",
  ).toEqual([]);
  checkLedger(recreated, losses, mayRepeat);
  if (killed === 0) for (const { number, kind } of writers) expect(arrivals.disorderOf(number), `order of ${kind}`).toBe(0);
});

function pick(writers: readonly TortureWriter[], random: () => number): TortureWriter {
  return writers[Math.floor(random() * writers.length)]!;
}

/** Returns how many rotations it were. */
async function rotate(writer: TortureWriter, random: () => number, agentRuns: boolean): Promise<number> {
  const inPlace = writer.kind === "copytruncate" || writer.kind === "copypacked";
  // Deleted while nobody has seen what was written: that nobody can know. Nor whose a copy is of what nobody has seen.
  if (!agentRuns && (writer.kind === "recreate" || (inPlace && !isNoted(writer)))) return 0;
  const times = random() < 0.2 ? 2 : 1;
  for (let i = 0; i < times; i++) {
    writer.write(1 + Math.floor(random() * 150));
    if (agentRuns && (inPlace || writer.kind === "recreate")) await until("the file noted with its size", () => isNoted(writer));
    writer.rotate(random() < 0.1 ? 3 : 0);
  }
  writer.write(Math.floor(random() * 50));
  return times;
}

function isNoted(writer: TortureWriter): boolean {
  const { ino, size } = statSync(writer.path);
  return (
    size > 0 &&
    noted().some((record) => record.name === writer.path && record.ino === String(ino) && record.sizeBytes === size && record.headBytes > 0)
  );
}

interface Noted {
  readonly name: string;
  readonly ino: string;
  readonly sizeBytes: number;
  readonly headBytes: number;
}

function noted(): Noted[] {
  const path = `${agent.positionsPath}.identity`;
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").trimEnd().split("\n").slice(1);
  return lines.map((line) => JSON.parse(line) as Noted);
}

function notedAtMs(): number {
  return statSync(`${agent.positionsPath}.identity`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function lostLines(writer: TortureWriter): number[] {
  const lost: number[] = [];
  for (let n = 1; n <= writer.written; n++) if (!arrivals.has(writer.number, n)) lost.push(n);
  return lost;
}

function missing(writer: TortureWriter): string {
  const lost = lostLines(writer);
  if (lost.length === 0) return `${writer.kind}: nothing`;
  const generation = writer.generations.findIndex(({ firstLine, lastLine }) => firstLine <= lost[0]! && lost[0]! <= lastLine);
  const { firstLine, lastLine } = writer.generations[generation]!;
  const what = `${writer.kind}: ${lost.length} lines, ${lost[0]}..${lost.at(-1)}; the first is of generation ${generation} (${firstLine}..${lastLine})`;
  return `${what}\n${evidenceOf(agent.logs, numberedLine(writer.number, lost[0]!, "").trimEnd(), writer.path, folder)}`;
}

interface LedgerEntry {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Losses as the agent's log tells them. One that the run before has told, too, is the same: that run was killed before it was noted. Two of a
 * run are two, also where the files happened to be equally long.
 */
function ledger(): LedgerEntry[] {
  const runs = readFileSync(agent.logPath, "utf8").split('msg="listening on HTTP"');
  const told = runs.map((run) =>
    Array.from(run.matchAll(/ file=(\S+) reason=\S+ from_byte=(\d+) to_byte=(\d+) /g), ([text, path, from, to]) => ({
      text,
      entry: { path: path!, from: Number(from), to: Number(to) },
    })),
  );
  return told.flatMap((losses, run) =>
    losses.filter(({ text }) => told[run - 1]?.some((before) => before.text === text) !== true).map(({ entry }) => entry),
  );
}

/** Each missing byte is in an entry that ends where its file ended; what is told beyond that had been taken, but not been noted yet. */
function checkLedger(writer: TortureWriter, losses: readonly LedgerEntry[], mayRepeat: number): void {
  const open = [...losses];
  let toldBytes = 0;
  let lostBytes = 0;
  for (const generation of writer.generations) {
    const lost = lostLines(writer).filter((n) => generation.firstLine <= n && n <= generation.lastLine);
    if (lost.length === 0) continue;
    expect(generation.destroyed, `line ${lost[0]} was lost with a file that was deleted`).toBe(true);
    const size = writer.sizeOf(generation);
    const { from } = writer.bytesOf(generation, lost[0]!);
    const at = open.findIndex((entry) => entry.to === size && entry.from <= from);
    expect(at, `lines ${lost[0]}..${lost.at(-1)}, bytes ${from} to ${size}, are in the ledger`).toBeGreaterThanOrEqual(0);
    const [entry] = open.splice(at, 1);
    toldBytes += entry!.to - entry!.from;
    for (const n of lost) {
      const bytes = writer.bytesOf(generation, n);
      lostBytes += bytes.to - bytes.from;
    }
  }
  for (const { from, to } of open) toldBytes += to - from;
  expect(toldBytes - lostBytes, "bytes told as lost that had been taken").toBeLessThanOrEqual(mayRepeat * LINE_BYTES_MOST);
}
