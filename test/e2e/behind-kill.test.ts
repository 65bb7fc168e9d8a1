// Two required endpoints, of which one is away while files are written to, rotate and are deleted, and the agent is killed with SIGKILL
// again and again. The other gets everything meanwhile; when the one is back, it gets everything too, from the agent's own disk.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { AgentUnderTest } from "./agent-under-test.ts";
import { Arrivals } from "./arrivals.ts";
import { faultSetting, report } from "./fault-settings.ts";
import { LoadWriters } from "./load-writers.ts";
import { sleep, until } from "./processes.ts";

const KILLS = faultSetting("kills", 2);
const FILES = 6;
const RATE = faultSetting("rate", 20_000);
const LINES_PER_FILE = 2_000;
const LINE_BYTES = 100;
const BATCH_BYTES = 65_536;
/** Lines that a client of this batch size may have in memory: sixteen batches, and those of them that are on their way twice. */
const MEMORY_LINES = (16 * BATCH_BYTES) / LINE_BYTES;
/** Batches in flight, and as many whose answer was not noted yet. */
const IN_FLIGHT_LINES = (8 * BATCH_BYTES) / LINE_BYTES;

const folder = mkdtempSync(join(tmpdir(), "skald-behind-"));
let agent: AgentUnderTest;
let healthy: Arrivals;
let behind: Arrivals;
let writers: LoadWriters;

afterAll(async () => {
  writers?.close();
  await agent?.stop();
  healthy?.close();
  behind?.close();
  if (process.env.SKALD_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
});

const hasAll = (arrivals: Arrivals): boolean => writers.files.every(({ writer, written }) => arrivals.countOf(writer) === written);

test(`an endpoint that is away holds up nobody and loses nothing, over ${KILLS} kills`, { timeout: 120_000 + KILLS * 20_000 }, async () => {
  healthy = await Arrivals.open();
  behind = await Arrivals.open();
  behind.state = "down";
  agent = await AgentUnderTest.prepare({
    folder,
    url: healthy.url,
    otherUrls: [behind.url],
    pattern: "*.log",
    batchBytes: BATCH_BYTES,
  });
  writers = new LoadWriters({ folder: agent.logs, files: FILES, linesPerFile: LINES_PER_FILE });
  await agent.start();

  let repeatable = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    writers.start(RATE);
    await sleep(1_500);
    // Whatever was taken since positions were written last may come again.
    repeatable += MEMORY_LINES + healthy.takenSince(Date.now() - 1_000);
    await agent.stop();
    writers.stop();
    await agent.start();
    await until("what was written in the one that is there", () => hasAll(healthy), 60_000);
  }
  // Far more than there is room for in memory, and nobody has waited for the other.
  expect(writers.written).toBeGreaterThan(2 * MEMORY_LINES);
  expect(behind.lineCount).toBe(0);

  // What all have confirmed, or have on disk, is nobody's in the files any more.
  await until("nothing on its way", async () => (await agent.metric("promtail_in_flight_bytes")) === 0);
  await until("everything on disk", async () => (await agent.metric("skald_backlog_batches")) > 0);
  for (const name of readdirSync(agent.logs)) if (!name.endsWith(".log")) rmSync(join(agent.logs, name));
  await sleep(500);
  await agent.stop();
  await agent.start();
  behind.state = "up";
  await until("half of it in the one that was away", () => behind.lineCount > writers.written / 2, 60_000);
  await agent.stop();
  await agent.start();
  await until("all of it", () => hasAll(behind), 60_000);
  const backlogs = join(folder, "positions.yaml.backlog");
  await until("nothing on disk", () => readdirSync(backlogs, { recursive: true }).every((name) => !String(name).endsWith(".spool")));

  report("behind", { lines: writers.written, healthy_repeated: healthy.repeatedCount, behind_repeated: behind.repeatedCount });
  expect(healthy.strangeLines.concat(behind.strangeLines)).toEqual([]);
  expect(healthy.repeatedCount, "repeated at the one that was there").toBeLessThanOrEqual(repeatable);
  expect(behind.repeatedCount, "repeated at the other").toBeLessThanOrEqual(repeatable + IN_FLIGHT_LINES);
  for (const { writer } of writers.files) {
    expect(healthy.disorderOf(writer), `order of writer ${writer}`).toBe(0);
    expect(behind.disorderOf(writer), `order of writer ${writer} at the other`).toBe(0);
  }
  // The next lines go directly.
  const before = await agent.metric("skald_backlog_entries_in_total");
  writers.start(RATE);
  await sleep(300);
  writers.stop();
  await until("the last lines in both", () => hasAll(healthy) && hasAll(behind));
  expect(await agent.metric("skald_backlog_entries_in_total")).toBe(before);
});
