import { describe, expect, test } from "vitest";
import { EntryRelabel } from "../../../../agent/entry-relabel.ts";
import { EntryBatches, type EntryOptions } from "../../../../agent/targets/journal/entry-batches.ts";
import { ExportParser } from "../../../../agent/targets/journal/export-parser.ts";
import { openJournalMetrics } from "../../../../agent/targets/journal/journal-metrics.ts";
import { Registry } from "../../../../lib/runtime/metrics.ts";
import { RELABEL_DEFAULTS, type RelabelConfig } from "../../../../lib/text/relabel.ts";

const rule = (config: Partial<RelabelConfig>): RelabelConfig => ({ ...RELABEL_DEFAULTS, ...config });
const unit = rule({ source_labels: ["__journal__systemd_unit"], target_label: "unit" });

function build(fields: string | Buffer, rules: RelabelConfig[] = [unit], options: Partial<EntryOptions> = {}) {
  const registry = new Registry();
  const entries = new EntryBatches({
    relabel: new EntryRelabel(rules),
    labels: { job: "j" },
    json: false,
    own: [],
    metrics: openJournalMetrics(registry),
    onDropped: () => {},
    ...options,
  });
  const parser = new ExportParser(entries, 1_000_000);
  parser.push(
    Buffer.concat([Buffer.from("__CURSOR=c1\n__REALTIME_TIMESTAMP=1700000000123456\n"), Buffer.from(fields), Buffer.from("\n\n")]),
  );
  const batch = entries.take();
  const seen = Array.from({ length: batch?.count ?? 0 }, (_, i) => `${batch!.labels.get(i)} ${batch!.line(i)}`);
  const metric = async (name: string): Promise<number> =>
    (await registry.getSingleMetric(`promtail_journal_target_${name}`)!.get()).values.reduce((sum, { value }) => sum + value, 0);
  return { entries, batch, seen, metric };
}

describe("entries", () => {
  test("have the message as line, the journal's time, and labels by the rules", () => {
    const { seen, batch, entries } = build("_SYSTEMD_UNIT=a.service\nMESSAGE=hello");
    expect(seen).toEqual(['{job="j", unit="a.service"} hello']);
    expect([batch!.sec[0], batch!.nanos[0]]).toEqual([1_700_000_000, 123_456_000]);
    expect(entries.lastCursor).toBe("c1");
  });

  test("keep a message of several lines", () =>
    expect(build(Buffer.from("MESSAGE\n\x03\0\0\0\0\0\0\0a\nb")).seen).toEqual(['{job="j"} a\nb']));

  test("with bytes that are no UTF-8 get U+FFFD", () =>
    expect(build(Buffer.from("MESSAGE=a\xffb", "latin1")).seen).toEqual(['{job="j"} a\ufffdb']));

  test("without message are counted", async () => {
    const { seen, metric, entries } = build("_SYSTEMD_UNIT=a.service");
    expect(seen).toEqual([]);
    expect(await metric("parsing_errors_total")).toBe(1);
    expect(await metric("lines_total")).toBe(0);
    expect(entries.lastCursor).toBe("c1");
  });

  test("without labels are counted", async () => {
    const { seen, metric } = build("MESSAGE=x", [unit], { labels: {} });
    expect(seen).toEqual([]);
    expect(await metric("parsing_errors_total")).toBe(1);
  });

  test("that a rule drops are counted", async () => {
    const { seen, metric } = build("MESSAGE=x\n_UID=0", [rule({ action: "drop", source_labels: ["__journal__uid"], regex: "0" })]);
    expect(seen).toEqual([]);
    expect(await metric("parsing_errors_total")).toBe(1);
  });

  test("of the agent itself are counted and not sent", async () => {
    const own = [
      ["_PID", "77"],
      ["_SYSTEMD_INVOCATION_ID", "abc"],
    ] as const;
    expect(build("MESSAGE=x\n_PID=77", [], { own }).seen).toEqual([]);
    const { seen, metric } = build("MESSAGE=x\n_PID=777\n_SYSTEMD_INVOCATION_ID=abc", [], { own });
    expect(seen).toEqual([]);
    expect(await metric("own_entries_total")).toBe(1);
    expect(build("MESSAGE=x\n_PID=777\n_SYSTEMD_INVOCATION_ID=abd", [], { own }).seen).toHaveLength(1);
  });

  test("with a repeated field count with its last value", () =>
    expect(build("_SYSTEMD_UNIT=a\nMESSAGE=x\n_SYSTEMD_UNIT=b\nMESSAGE=y").seen).toEqual(['{job="j", unit="b"} y']));
});

describe("labels", () => {
  const labelmap = rule({ action: "labelmap", regex: "__journal_(.+)" });

  test.each([
    ["0", "emerg"],
    ["1", "alert"],
    ["2", "crit"],
    ["3", "error"],
    ["4", "warning"],
    ["5", "notice"],
    ["6", "info"],
    ["7", "debug"],
    ["8", "8"],
    ["x", "x"],
  ])("priority %s is %s", (priority, keyword) =>
    expect(
      build(`MESSAGE=m\nPRIORITY=${priority}`, [rule({ source_labels: ["__journal_priority_keyword"], target_label: "level" })]).seen,
    ).toEqual([`{job="j", level="${keyword}"} m`]),
  );

  test("labelmap sees every field of the entry, and not the journal's addresses", () =>
    expect(build("MESSAGE=m\n_TRANSPORT=stdout\nMY_F=1\nPRIORITY=3", [labelmap]).seen).toEqual([
      '{_transport="stdout", job="j", message="m", my_f="1", priority="3", priority_keyword="error"} m',
    ]));

  test("the block's own win over the entry's", () =>
    expect(build("MESSAGE=m\nJOB=other", [labelmap], { labels: { __journal_job: "own" } }).seen).toEqual(['{job="own", message="m"} m']));

  test("journalctl is asked for the fields that are looked at, or for all", () => {
    const keyword = rule({ source_labels: ["__journal_priority_keyword"], target_label: "level" });
    const own = [["_PID", "1"]] as const;
    expect(build("MESSAGE=m", [unit, keyword], { own }).entries.fieldsWanted).toEqual(["MESSAGE", "_PID", "_SYSTEMD_UNIT", "PRIORITY"]);
    expect(build("MESSAGE=m", [labelmap]).entries.fieldsWanted).toBeUndefined();
    expect(build("MESSAGE=m", [unit], { json: true }).entries.fieldsWanted).toBeUndefined();
  });
});

describe("json", () => {
  const json = (fields: string | Buffer): string[] => build(fields, [unit], { json: true }).seen;

  test("the line has all fields by name, as Go writes them", () =>
    expect(json("Z=1\nMESSAGE=<a>\n_SYSTEMD_UNIT=u")).toEqual([
      '{job="j", unit="u"} {"MESSAGE":"\\u003ca\\u003e","Z":"1","_SYSTEMD_UNIT":"u"}',
    ]));

  test("an entry without message is sent", () => expect(json("A=1")).toEqual(['{job="j"} {"A":"1"}']));
});
