import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog, type LogLevel } from "../../../lib/runtime/log.ts";
import { nativeWriter, stderrIsJournal, withPriority } from "../../../lib/runtime/log-destination.ts";

test.each([
  ["error", "<3>x\n"],
  ["warn", "<4>x\n"],
  ["info", "<6>x\n"],
  ["debug", "<7>x\n"],
] as const)("%s has its priority before it", (level, line) => expect(withPriority("x\n", level)).toBe(line));

test.each(["logfmt", "json"] as const)("a log in %s tells the level of each line", (format) => {
  const levels: LogLevel[] = [];
  const log = createLog({ level: "debug", format, write: (_line, level) => levels.push(level) });
  log.error({}, "a");
  log.debug({}, "b");
  log.child({ job: "x" }).warn({}, "c");
  log.info({}, "d");
  expect(levels).toEqual(["error", "debug", "warn", "info"]);
});

describe("stderr is the journal", () => {
  test("only when JOURNAL_STREAM names it", () => {
    const folder = mkdtempSync(join(tmpdir(), "log-"));
    const fd = openSync(join(folder, "stderr"), "w");
    const { dev, ino } = fstatSync(fd, { bigint: true });
    expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(true);
    expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino + 1n}` }, fd)).toBe(false);
    expect(stderrIsJournal({ JOURNAL_STREAM: "nonsense" }, fd)).toBe(false);
    expect(stderrIsJournal({}, fd)).toBe(false);
    closeSync(fd);
    expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(false);
    rmSync(folder, { recursive: true });
  });
});

describe("the native package", () => {
  const calls: string[][] = [];
  class Journald {
    readonly fields: object;
    constructor(fields: object) {
      this.fields = fields;
    }
    err = (text: string): void => void calls.push(["err", text, JSON.stringify(this.fields)]);
    info = (text: string): void => void calls.push(["info", text, JSON.stringify(this.fields)]);
  }

  test("gets lines by level, without line feed and NUL", async () => {
    const write = await nativeWriter("skald-agent", async () => ({ default: Journald }));
    write("one\n", "info");
    write("two\0\n", "error");
    expect(calls).toEqual([
      ["info", "one", '{"syslog_identifier":"skald-agent"}'],
      ["err", "two\ufffd", '{"syslog_identifier":"skald-agent"}'],
    ]);
  });

  test("that is not there is an error for the caller", async () =>
    expect(nativeWriter("x", () => Promise.reject(new Error("Cannot find package")))).rejects.toThrow("Cannot find package"));
});
