// For a long time at 70 % of what the agent can do: memory and descriptors stay where they are. Only by `npm run faults -- soak`.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { AgentUnderTest } from "./agent-under-test.ts";
import { Arrivals } from "./arrivals.ts";
import { faultSetting, report } from "./fault-settings.ts";
import { LoadWriters } from "./load-writers.ts";
import { sleep, type Usage, until, usageOf } from "./processes.ts";

const MINUTES = faultSetting("minutes", 0);
const FILES = faultSetting("files", 20);
const SHARE = faultSetting("share", 0.7);
const LINES_PER_FILE = 200_000;
const PROBE_LINES = 2_000_000;
const SAMPLE_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), "skald-soak-"));
let agent: AgentUnderTest;
let arrivals: Arrivals;
let writers: LoadWriters;

afterAll(async () => {
  writers?.close();
  await agent?.stop();
  arrivals?.close();
  if (process.env.SKALD_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
});

const reason = MINUTES > 0 ? "" : ' (skipped: it takes minutes, "npm run faults -- soak --minutes=40" runs it)';

test.skipIf(MINUTES === 0)(
  `flat memory and descriptors over ${MINUTES} minutes${reason}`,
  { timeout: 300_000 + MINUTES * 90_000 },
  async () => {
    arrivals = await Arrivals.open();
    agent = await AgentUnderTest.prepare({ folder, url: arrivals.url, pattern: "*.log", syncPeriod: "10s", poll: ["250ms", "250ms"] });
    const arrived = (writer: number, upTo: number): boolean => arrivals.countOf(writer) >= upTo;
    writers = new LoadWriters({ folder: agent.logs, files: FILES, linesPerFile: LINES_PER_FILE, mayDelete: arrived });

    for (const file of writers.files) writers.write(file, PROBE_LINES / FILES);
    const startedMs = performance.now();
    const { pid } = await agent.start();
    await until("the probe read", () => arrivals.lineCount >= PROBE_LINES, 120_000);
    const mostPerS = PROBE_LINES / ((performance.now() - startedMs) / 1000);
    const rate = Math.round(mostPerS * SHARE);

    const samples: (Usage & { readonly lag: number; readonly minute: number })[] = [];
    writers.start(rate);
    const endMs = performance.now() + MINUTES * 60_000;
    const beginMs = performance.now();
    while (performance.now() < endMs) {
      await sleep(SAMPLE_MS);
      const sample = { ...usageOf(pid), lag: writers.written - arrivals.lineCount, minute: (performance.now() - beginMs) / 60_000 };
      samples.push(sample);
      report("soak sample", {
        minute: sample.minute.toFixed(1),
        rss_mb: sample.rssMb.toFixed(1),
        descriptors: sample.descriptorCount,
        lag_lines: sample.lag,
        cpu_s: sample.cpuSeconds.toFixed(1),
      });
    }
    writers.stop();
    await until("every line", () => writers.files.every(({ writer, written }) => arrivals.countOf(writer) === written), 120_000);

    const third = Math.max(1, Math.floor(samples.length / 3));
    const mean = (of: readonly Usage[], pick: (usage: Usage) => number): number => of.reduce((sum, one) => sum + pick(one), 0) / of.length;
    const [early, late] = [samples.slice(0, third), samples.slice(-third)];
    const figures = {
      minutes: MINUTES,
      most_lines_per_s: Math.round(mostPerS),
      lines_per_s: rate,
      lines: writers.written,
      rss_mb_first_third: mean(early, (usage) => usage.rssMb).toFixed(1),
      rss_mb_last_third: mean(late, (usage) => usage.rssMb).toFixed(1),
      peak_rss_mb: Math.round(Math.max(...samples.map(({ peakRssMb }) => peakRssMb))),
      descriptors_first_third: mean(early, (usage) => usage.descriptorCount).toFixed(1),
      descriptors_last_third: mean(late, (usage) => usage.descriptorCount).toFixed(1),
      lines_per_cpu_s: Math.round((writers.written - PROBE_LINES) / (samples.at(-1)!.cpuSeconds - samples[0]!.cpuSeconds)),
      repeated: arrivals.repeatedCount,
    };
    report("soak", figures);
    expect(arrivals.repeatedCount).toBe(0);
    expect(Number(figures.rss_mb_last_third)).toBeLessThan(Number(figures.rss_mb_first_third) * 1.1 + 5);
    expect(Number(figures.descriptors_last_third)).toBeLessThan(Number(figures.descriptors_first_third) + 10);
  },
);
