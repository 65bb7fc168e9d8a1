// The journal's source with a journalctl of the test's own: a script that notes its arguments and plays what the test has written.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { journalSchema } from "../../../../agent/config/rare-blocks.ts";
import { openPositions, type Positions } from "../../../../agent/positions.ts";
import { openJournal } from "../../../../agent/targets/journal/open-journal.ts";
import type { Source } from "../../../../agent/targets/source.ts";
import { systemClock } from "../../../../lib/runtime/clock.ts";
import { silentLog } from "../../../silent-log.ts";
import { SourceHarness } from "../harness.ts";

const NOW_US = Date.now() * 1000;
const cursorOf = (n: number): string => `s=a;i=${n.toString(16)};t=${(NOW_US + n).toString(16)};x=${n}`;
const entry = (n: number, fields = `MESSAGE=line ${n}`): string =>
  `__CURSOR=${cursorOf(n)}\n__REALTIME_TIMESTAMP=${NOW_US + n}\n${fields}\n\n`;
const entriesFrom = (first: number, last: number): string => Array.from({ length: last - first + 1 }, (_, i) => entry(first + i)).join("");

let folder: string;
let positions: Positions;
let source: Source | undefined;
let harness: SourceHarness;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "journal-"));
});
afterEach(async () => {
  await source?.stop({ drain: false });
  await harness?.intake.stop();
  await positions?.close();
  source = undefined;
  rmSync(folder, { recursive: true });
});

/** What the n-th start of journalctl does, in shell; after the last it does that again. */
function plays(...scripts: string[]): void {
  const cases = scripts.map((script, i) => `${i === scripts.length - 1 ? "*" : i + 1}) ${script} ;;`).join("\n");
  const text = `#!/bin/sh\necho "$@" >> ${folder}/starts\ncase $(wc -l < ${folder}/starts | tr -d ' ') in\n${cases}\nesac\n`;
  writeFileSync(join(folder, "journalctl"), text);
  chmodSync(join(folder, "journalctl"), 0o755);
}
/** Writes text and then follows until it is ended. */
const shows = (text: string): string => {
  const file = join(folder, `output-${Math.random()}`);
  writeFileSync(file, text);
  return `cat ${file}; exec sleep 60`;
};
const starts = (): string[] =>
  existsSync(join(folder, "starts")) ? readFileSync(join(folder, "starts"), "utf8").trimEnd().split("\n") : [];

async function start(config: Record<string, unknown> = {}, saved = "", lineBytesMax = 0): Promise<void> {
  writeFileSync(join(folder, "positions.yaml"), saved);
  positions = await openPositions({
    path: join(folder, "positions.yaml"),
    syncPeriodMs: 60_000,
    ignoreInvalidYaml: false,
    readOnly: false,
    clock: systemClock,
    log: silentLog,
  });
  harness = new SourceHarness({ positions, lineBytesMax });
  const block = journalSchema().parse({ labels: { job: "j" }, ...config });
  source = await openJournal(block, harness.context, join(folder, "journalctl"));
}
const has = (count: number): Promise<void> => harness.until(() => harness.lines.length === count);
const logged = (): string => harness.logged.join("");
async function savedPosition(): Promise<string> {
  await positions.sync();
  return readFileSync(join(folder, "positions.yaml"), "utf8");
}
const metric = (name: string): Promise<number> => harness.metric(`promtail_journal_target_${name}`);

describe("position", () => {
  test("follows acknowledgements, not reading", async () => {
    plays(shows(entriesFrom(1, 3)));
    await start();
    await has(3);
    expect(await savedPosition()).not.toContain("cursor-job");
    harness.acknowledge();
    expect(await savedPosition()).toBe(`positions:\n  cursor-job: ${cursorOf(3)}\n`);
  });

  test("is where the next start goes on, without the entry it names", async () => {
    plays(shows(entriesFrom(3, 5)));
    await start({}, `positions:\n  cursor-job: ${cursorOf(3)}\n`);
    await has(2);
    expect(harness.lines).toEqual(["line 4", "line 5"]);
    expect(starts()[0]).toContain(`--cursor=${cursorOf(3)}`);
    expect(await metric("lost_cursors_total")).toBe(0);
  });

  test("of an older name is found", async () => {
    plays(shows(entriesFrom(1, 2)));
    await start({}, `positions:\n  journal-job: ${cursorOf(1)}\n`);
    await has(1);
    harness.acknowledge();
    expect(await savedPosition()).toBe(`positions:\n  cursor-job: ${cursorOf(2)}\n  journal-job: ${cursorOf(1)}\n`);
  });

  test("older than max_age does not count", async () => {
    plays(shows(entriesFrom(1, 1)));
    const before = Date.now();
    await start({ max_age: "1h" }, `positions:\n  cursor-job: s=1;t=1;x=1\n`);
    await has(1);
    const since = Number(/--since=@([\d.]+)/.exec(starts()[0]!)![1]) * 1000;
    expect(since - before + 3_600_000).toBeGreaterThanOrEqual(0);
    expect(since - before + 3_600_000).toBeLessThan(60_000);
    expect(logged()).toContain("older than max_age");
  });

  test("moves over entries that are not sent", async () => {
    plays(shows(entry(1, "NO=message")));
    await start();
    await harness.until(() => logged().includes("journal entry not sent"));
    expect(await savedPosition()).toContain(cursorOf(1));
  });
});

describe("a position the journal does not know", () => {
  test("because its entry is gone: reads on behind it, warned and counted", async () => {
    plays(shows(entriesFrom(7, 8)));
    await start({}, `positions:\n  cursor-job: ${cursorOf(3)}\n`);
    await has(2);
    expect(harness.lines).toEqual(["line 7", "line 8"]);
    expect(await metric("lost_cursors_total")).toBe(1);
    expect(logged()).toContain("is not in the journal any more");
  });

  test("because its entry is gone, where what comes is older than max_age: reads from there", async () => {
    const old = entry(1, "MESSAGE=too old").replace(/__REALTIME_TIMESTAMP=\d+/, "__REALTIME_TIMESTAMP=1000000");
    plays(shows(old), shows(entriesFrom(5, 6)));
    await start({}, `positions:\n  cursor-job: ${cursorOf(3)}\n`);
    await has(2);
    expect(harness.lines).toEqual(["line 5", "line 6"]);
    expect(starts()[1]).toContain("--since=@");
    expect(await metric("lost_cursors_total")).toBe(1);
  });

  test("because journalctl cannot read it: from max_age on", async () => {
    plays("echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1", shows(entriesFrom(1, 2)));
    await start({}, "positions:\n  cursor-job: nonsense\n");
    await has(2);
    expect(starts().map((args) => /--(cursor|since)/.exec(args)![1])).toEqual(["cursor", "since"]);
    expect(await metric("lost_cursors_total")).toBe(1);
    expect(logged()).toContain("Failed to seek to cursor");
  });
});

describe("journalctl", () => {
  test("that ends is started again behind the last entry it wrote", async () => {
    const file = join(folder, "first");
    writeFileSync(file, `${entriesFrom(1, 2)}__CURSOR=half`);
    plays(`cat ${file}; echo 'file corrupted' >&2; exit 3`, "kill -9 $$", shows(entriesFrom(2, 4)));
    await start();
    await has(4);
    expect(harness.lines).toEqual(["line 1", "line 2", "line 3", "line 4"]);
    expect(starts()[2]).toContain(`--cursor=${cursorOf(2)}`);
    expect(await metric("restarts_total")).toBe(2);
    expect(logged()).toMatch(/journalctl says.*|file corrupted/);
    expect(logged()).toContain("SIGKILL");
  });

  test("gets what the block says", async () => {
    plays(shows(entriesFrom(1, 1)));
    await start({ path: "/j", matches: "A=1 B=2", namespace: "ns" });
    await has(1);
    expect(starts()[0]).toMatch(
      /^--output=export --follow --no-tail --no-pager --directory=\/j --namespace=ns --output-fields=MESSAGE --since=@[\d.]+ -- A=1 B=2$/,
    );
    expect(starts()[0]).not.toMatch(/ -n|--lines/);
  });

  test("that is missing fails the start", async () => expect(start()).rejects.toThrow("is not installed"));

  test("is gone when the source has stopped", async () => {
    plays(`echo $$ > ${folder}/pid; ${shows(entriesFrom(1, 1))}`);
    await start();
    await has(1);
    expect(source!.targets[0]!.ready).toBe(true);
    await source!.stop({ drain: false });
    expect(() => process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), 0)).toThrow("ESRCH");
    expect(source!.targets[0]!.ready).toBe(false);
  });

  test("that does not end when told to is killed", async () => {
    plays(`trap '' TERM PIPE; echo $$ > ${folder}/pid; cat ${folder}/out; while :; do sleep 0.05; done`);
    writeFileSync(join(folder, "out"), entriesFrom(1, 1));
    await start();
    await has(1);
    await source!.stop({ drain: false });
    expect(() => process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), 0)).toThrow("ESRCH");
  });

  test("waits while too much is on its way", async () => {
    const text = entry(1, `MESSAGE=${"x".repeat(1_000_000)}`).repeat(1);
    writeFileSync(join(folder, "out"), text);
    // Cursors must differ to count as entries, so the script numbers them.
    plays(
      `i=0; while [ $i -lt 40 ]; do i=$((i+1)); sed "s/^__CURSOR=.*/__CURSOR=c$i/" ${folder}/out; done; echo done > ${folder}/done; exec sleep 60`,
    );
    await start();
    await harness.until(() => harness.lines.length >= 16);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(harness.lines.length).toBeLessThan(20);
    expect(existsSync(join(folder, "done"))).toBe(false);
    const acknowledging = setInterval(() => harness.acknowledge(), 5);
    await has(40);
    clearInterval(acknowledging);
  });
});

test("a line past max_line_size is gathered only to where it is seen to be too long", async () => {
  plays(shows(entry(1, `MESSAGE=${"x".repeat(5_000)}`)));
  await start({}, "", 1_000);
  await has(1);
  expect(harness.lines[0]).toHaveLength(1_001);
});

test.each([
  [{ max_age: "1 day" }, 'max_age: time: unknown unit " day" in duration "1 day"'],
  [{ matches: "nonsense" }, "matches"],
])("%j fails the start", async (config, error) => {
  plays(shows(""));
  await expect(start(config)).rejects.toThrow(error);
});

test("an unset max_age is seven hours", async () => {
  plays(shows(entriesFrom(1, 1)));
  await start();
  await has(1);
  expect(Date.now() / 1000 - Number(/--since=@([\d.]+)/.exec(starts()[0]!)![1]) - 7 * 3600).toBeLessThan(60);
});
