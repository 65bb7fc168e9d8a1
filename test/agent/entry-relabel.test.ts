import { describe, expect, test } from "vitest";
import { EntryRelabel } from "../../agent/entry-relabel.ts";
import { RELABEL_DEFAULTS, type RelabelConfig } from "../../lib/text/relabel.ts";

const rule = (config: Partial<RelabelConfig>): RelabelConfig => ({ ...RELABEL_DEFAULTS, ...config });
const unit = rule({ source_labels: ["__journal__systemd_unit"], target_label: "unit" });
const labelsOf = (relabel: EntryRelabel, raw: Record<string, string>): string | undefined =>
  relabel.labelsOf(new Map(Object.entries(raw)))?.toString();

describe("labels of entries", () => {
  test("without rules the internal labels go and the others stay", () =>
    expect(labelsOf(new EntryRelabel([]), { __a: "1", job: "j", empty: "" })).toBe('{job="j"}'));

  test("a rule makes a label of an internal one", () =>
    expect(labelsOf(new EntryRelabel([unit]), { __journal__systemd_unit: "x.service", job: "j" })).toBe('{job="j", unit="x.service"}'));

  test("entries alike in what the rules read get the same set", () => {
    const relabel = new EntryRelabel([unit]);
    const of = (message: string) => relabel.labelsOf(new Map([["__journal__systemd_unit", "x"], ["__journal_message", message]])); // biome-ignore format: one line
    expect(of("a")).toBe(of("b"));
  });

  test("a dropped entry stays dropped when it is met again", () => {
    const relabel = new EntryRelabel([rule({ action: "drop", source_labels: ["__x"], regex: "1" })]);
    for (const value of ["1", "2", "1", "2"])
      expect(labelsOf(relabel, { __x: value, job: "j" })).toBe(value === "1" ? undefined : '{job="j"}');
  });

  test("plain labels are told apart though no rule reads them", () => {
    const relabel = new EntryRelabel([unit]);
    expect(labelsOf(relabel, { job: "a" })).toBe('{job="a"}');
    expect(labelsOf(relabel, { job: "b" })).toBe('{job="b"}');
  });

  test("no two sets of labels share a key", () => {
    const relabel = new EntryRelabel([]);
    expect(labelsOf(relabel, { a: "1", b: "2" })).toBe('{a="1", b="2"}');
    expect(labelsOf(relabel, { a: "1b2" })).toBe('{a="1b2"}');
    expect(labelsOf(relabel, { a: "13,1:b2" })).toBe('{a="13,1:b2"}');
  });

  test("a rule over names sees every internal label", () => {
    const relabel = new EntryRelabel([rule({ action: "labelmap", regex: "__syslog_message_(.+)" })]);
    expect(relabel.reads).toBeUndefined();
    expect(labelsOf(relabel, { __syslog_message_app_name: "sshd" })).toBe('{app_name="sshd"}');
  });

  test("labelmap looks at the names of its pattern, and at those other rules read", () => {
    const relabel = new EntryRelabel([
      rule({ action: "labelmap", regex: "__a_(.+)" }),
      rule({ source_labels: ["__b"], target_label: "b" }),
    ]);
    expect(["__a_x", "__b", "__c"].map((name) => relabel.looksAt(name))).toEqual([true, true, false]);
    expect(labelsOf(relabel, { __a_x: "1", __b: "2", __c: "3" })).toBe('{b="2", x="1"}');
    expect(labelsOf(relabel, { __a_x: "2", __b: "2", __c: "3" })).toBe('{b="2", x="2"}');
  });

  test("labeldrop takes from the rules behind it, and looks at no value", () => {
    const relabel = new EntryRelabel([
      rule({ action: "labeldrop", regex: "__journal__pid|__journal__systemd_unit" }),
      unit,
      rule({ action: "labelkeep", regex: "job|unit" }),
    ]);
    expect(relabel.reads).toEqual(new Set(["__journal__systemd_unit"]));
    expect(labelsOf(relabel, { __journal__pid: "1", __journal__systemd_unit: "x", job: "j", other: "o" })).toBe('{job="j"}');
  });

  test("keepequal reads its target", () => {
    const relabel = new EntryRelabel([rule({ action: "keepequal", source_labels: ["__a"], target_label: "__b" })]);
    expect(labelsOf(relabel, { __a: "1", __b: "1", job: "j" })).toBe('{job="j"}');
    expect(labelsOf(relabel, { __a: "1", __b: "2", job: "j" })).toBeUndefined();
  });
});
