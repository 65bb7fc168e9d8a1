// The remote goes away while 50 files are written to and rotate. When it is back, everything is there; meanwhile the agent has stayed
// small. In `npm test` for a few seconds; `npm run faults -- outage` for as long as one likes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { AgentUnderTest } from "./agent-under-test.ts";
import { Arrivals } from "./arrivals.ts";
import { faultSetting, report } from "./fault-settings.ts";
import { LoadWriters } from "./load-writers.ts";
import { sleep, until, usageOf } from "./processes.ts";

const FILES = faultSetting("files", 50);
const RATE = faultSetting("rate", 20_000);
const AWAY_S = faultSetting("seconds", 3);
const LINES_PER_FILE = faultSetting("lines-per-file", AWAY_S > 60 ? 12_000 : 800);
const BEFORE_S = Math.min(10, AWAY_S / 3);
const RSS_MB_MAX = 150;
const SAMPLE_MS = 500;

const folder = mkdtempSync(join(tmpdir(), "skald-outage-"));
let agent: AgentUnderTest;
let arrivals: Arrivals;
let writers: LoadWriters;
let sampler: NodeJS.Timeout | undefined;

afterAll(async () => {
  clearInterval(sampler);
  writers?.close();
  await agent?.stop();
  arrivals?.close();
  if (process.env.SKALD_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
});

test(`the remote is away for ${AWAY_S} s under ${RATE} lines/s over ${FILES} rotating files`, {
  timeout: 300_000 + AWAY_S * 3_000,
}, async () => {
  arrivals = await Arrivals.open();
  agent = await AgentUnderTest.prepare({ folder, url: arrivals.url, pattern: "*.log" });
  writers = new LoadWriters({ folder: agent.logs, files: FILES, linesPerFile: LINES_PER_FILE });
  const { pid } = await agent.start();
  let highestMb = 0;
  let mostDescriptors = 0;
  sampler = setInterval(() => {
    const { rssMb, descriptorCount } = usageOf(pid);
    highestMb = Math.max(highestMb, rssMb);
    mostDescriptors = Math.max(mostDescriptors, descriptorCount);
  }, SAMPLE_MS);

  writers.start(RATE);
  await sleep(BEFORE_S * 1000);
  arrivals.state = "down";
  await sleep(AWAY_S * 1000);
  const before = { ...usageOf(pid), lines: arrivals.lineCount, written: writers.written, ms: performance.now() };
  writers.stop();
  arrivals.state = "up";
  await until("caught up", () => arrivals.lineCount >= writers.written, 120_000 + AWAY_S * 1000);
  const after = usageOf(pid);
  const caughtUp = arrivals.lineCount - before.lines;
  const wallS = (performance.now() - before.ms) / 1000;
  await until("every line", () => writers.files.every(({ writer, written }) => arrivals.countOf(writer) === written), 30_000);
  clearInterval(sampler);

  const linesPerCpuS = caughtUp / (after.cpuSeconds - before.cpuSeconds);
  report("outage", {
    away_s: AWAY_S,
    lines_written: writers.written,
    rotated_files: writers.files.reduce((sum, file) => sum + file.generation, 0),
    backlog_lines: before.written - before.lines,
    caught_up_in_s: wallS.toFixed(1),
    lines_per_cpu_s: Math.round(linesPerCpuS),
    peak_rss_mb: Math.round(Math.max(highestMb, after.peakRssMb)),
    most_descriptors: mostDescriptors,
    repeated: arrivals.repeatedCount,
  });
  expect(arrivals.repeatedCount, "repeated lines").toBe(0);
  expect(arrivals.strangeLines).toEqual([]);
  expect(await agent.metric("promtail_file_losses_total"), "losses").toBe(0);
  for (const { writer } of writers.files) expect(arrivals.disorderOf(writer), `order of writer ${writer}`).toBe(0);
  expect(highestMb).toBeLessThan(RSS_MB_MAX);
  // A few seconds' backlog says nothing about speed.
  if (AWAY_S >= 60) expect(linesPerCpuS).toBeGreaterThan(200_000);
});
