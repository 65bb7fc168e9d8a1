// What nobody would give an agent on purpose: each a clear error or a counted loss, in bounded memory, and nothing else is lost. Small
// here, `npm run faults -- input` at full size.

import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { AgentUnderTest } from "./agent-under-test.ts";
import { Arrivals, numberedLine } from "./arrivals.ts";
import { faultSetting, report } from "./fault-settings.ts";
import { startSkald, until, usageOf } from "./processes.ts";

const LINE_MB = faultSetting("line-mb", 48);
const FILES = faultSetting("matching-files", 1_100);
/** What the agent may open; it keeps to half of it for files. */
const DESCRIPTOR_LIMIT = 1_024;
const WITH_FEW_DESCRIPTORS = ["sh", "-c", `ulimit -n ${DESCRIPTOR_LIMIT} && exec "$@"`, "sh"];
const RSS_MB_MAX = 260;
/** Names and positions of so many files take memory, too. */
const RSS_KB_PER_FILE = 6;
const WRITER = 1;

let folder = "";
let arrivals: Arrivals;
let agent: AgentUnderTest;
let cleanUp: (() => void) | undefined;

afterEach(async () => {
  await agent?.stop();
  arrivals?.close();
  cleanUp?.();
  cleanUp = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function prepare(settings: { readonly syncPeriod?: string; readonly reconcile?: string } = {}): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "skald-input-"));
  arrivals = await Arrivals.open();
  agent = await AgentUnderTest.prepare({ folder, url: arrivals.url, pattern: "**/*.log", ...settings });
}

test(`a line of ${LINE_MB} MB without an end is cut and counted, and other files are read`, {
  timeout: 60_000 + LINE_MB * 500,
}, async () => {
  await prepare();
  const long = join(agent.logs, "long.log");
  const block = Buffer.alloc(1024 * 1024, "x");
  const fd = openSync(long, "w");
  for (let i = 0; i < LINE_MB; i++) writeSync(fd, block);
  closeSync(fd);
  writeFileSync(join(agent.logs, "other.log"), numberedLine(WRITER, 1, ""));
  const { pid } = await agent.start();
  await until("the other file", () => arrivals.has(WRITER, 1));
  await until("the cut", async () => (await agent.metric("promtail_file_long_lines_total")) >= 1, 30_000 + LINE_MB * 100);
  appendFileSync(long, `\n${numberedLine(WRITER, 2, "")}`);
  await until("the line behind it", () => arrivals.has(WRITER, 2), 30_000 + LINE_MB * 100);
  const { peakRssMb } = usageOf(pid);
  report("long line", {
    line_mb: LINE_MB,
    peak_rss_mb: Math.round(peakRssMb),
    lost_bytes: await agent.metric("promtail_file_lost_bytes_total"),
  });
  const kept = arrivals.strangeLines.map((line) => line.slice(0, 3));
  expect(kept).toEqual(["xxx"]);
  expect(readFileSync(agent.logPath, "utf8")).toContain("reason=line_too_long");
  expect(await agent.metric("promtail_file_lost_bytes_total")).toBe((LINE_MB - 16) * 1024 * 1024 + "\n".length);
  expect(peakRssMb).toBeLessThan(RSS_MB_MAX);
});

test(`${FILES} matching files are all followed, with a bounded number of descriptors`, { timeout: 120_000 + FILES * 10 }, async () => {
  await prepare({ syncPeriod: "2s", reconcile: "10s" });
  const pathOf = (i: number): string => join(agent.logs, String(i % 100), `${i}.log`);
  for (let i = 0; i < 100; i++) mkdirSync(join(agent.logs, String(i)), { recursive: true });
  for (let i = 0; i < FILES; i++) writeFileSync(pathOf(i), numberedLine(WRITER, i, "first"));
  const { pid } = await agent.start(WITH_FEW_DESCRIPTORS);
  await until("the first line of each", () => arrivals.countOf(WRITER) === FILES, 60_000 + FILES * 3);
  for (let i = 0; i < FILES; i++) appendFileSync(pathOf(i), numberedLine(WRITER, FILES + i, "second"));
  await until("the second line of each", () => arrivals.countOf(WRITER) === 2 * FILES, 60_000 + FILES * 5);
  const { peakRssMb, descriptorCount, cpuSeconds } = usageOf(pid);
  report("many files", {
    files: FILES,
    peak_rss_mb: Math.round(peakRssMb),
    descriptors: descriptorCount,
    cpu_s: cpuSeconds,
    repeated: arrivals.repeatedCount,
  });
  expect(arrivals.repeatedCount).toBe(0);
  expect(descriptorCount).toBeLessThan(DESCRIPTOR_LIMIT * 0.6);
  expect(peakRssMb).toBeLessThan(RSS_MB_MAX + (FILES * RSS_KB_PER_FILE) / 1024);
});

test("a positions file cut in half stops the start and is named; cut identities are gone without", { timeout: 60_000 }, async () => {
  await prepare();
  writeFileSync(join(agent.logs, "a.log"), numberedLine(WRITER, 1, ""));
  await agent.start();
  await until(
    "the position on disk",
    () =>
      statSync(agent.positionsPath, { throwIfNoEntry: false }) !== undefined &&
      readFileSync(agent.positionsPath, "utf8").includes("a.log: "),
  );
  await until("the line", () => arrivals.has(WRITER, 1));
  await agent.stop("SIGTERM");
  const text = readFileSync(agent.positionsPath, "utf8");

  truncateSync(agent.positionsPath, text.length - 3);
  const refused = startSkald(["agent", `-config.file=${join(folder, "agent.yaml")}`], join(folder, "refused.log"));
  await until("the agent refusing to start", () => !refused.running());
  expect(refused.output()).toContain(agent.positionsPath);
  expect(refused.output()).toContain("-positions.ignore-invalid-yaml");

  writeFileSync(agent.positionsPath, text);
  truncateSync(`${agent.positionsPath}.identity`, 150);
  appendFileSync(join(agent.logs, "a.log"), numberedLine(WRITER, 2, ""));
  await agent.start();
  await until("the next line", () => arrivals.has(WRITER, 2));
  expect(readFileSync(agent.logPath, "utf8")).toContain("file identities are damaged, going by paths");
  expect(arrivals.repeatedCount).toBe(0);
});

const mounted = mountSmall();

test.skipIf(mounted === undefined)(
  `a full disk under the positions file is told and counted, and lines go on${mounted === undefined ? " (skipped: a small file system cannot be mounted here)" : ""}`,
  { timeout: 60_000 },
  async () => {
    await prepare();
    const place = mounted!;
    cleanUp = () => void spawnSync("umount", [place]);
    const config = readFileSync(join(folder, "agent.yaml"), "utf8").replaceAll(agent.positionsPath, join(place, "positions.yaml"));
    writeFileSync(join(folder, "agent.yaml"), config);
    writeFileSync(join(agent.logs, "a.log"), numberedLine(WRITER, 1, ""));
    await agent.start();
    await until("positions", () => statSync(join(place, "positions.yaml"), { throwIfNoEntry: false }) !== undefined);
    expect(fill(join(place, "ballast"))).toBe("ENOSPC");
    for (let i = 0; i < 50; i++) writeFileSync(join(agent.logs, `more-${"x".repeat(150)}-${i}.log`), numberedLine(WRITER, 100 + i, ""));
    await until("lines in spite of it", () => arrivals.has(WRITER, 149));
    await until("the failures to be counted", async () => (await agent.metric("promtail_positions_write_failures_total")) > 0);
    expect(readFileSync(agent.logPath, "utf8")).toContain("could not write positions; they stay in memory and the next sync tries again");
    rmSync(join(place, "ballast"));
    await until("positions again", () => readFileSync(join(place, "positions.yaml"), "utf8").includes("-49.log"));
  },
);

/** A file system of 64 KiB, where that is allowed. */
function mountSmall(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const place = mkdtempSync(join(tmpdir(), "skald-small-"));
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "skald-test", place]).status === 0 ? place : undefined;
}

function fill(path: string): string | undefined {
  const fd = openSync(path, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    closeSync(fd);
  }
}
