import { describe, expect, test } from "vitest";
import type { TargetGroup } from "../../../agent/discovery/discovery.ts";
import { TargetSet } from "../../../agent/discovery/target-set.ts";
import { compileRelabel, RELABEL_DEFAULTS, type RelabelConfig } from "../../../lib/text/relabel.ts";

const group = (
  labels: Record<string, string>,
  source = "0",
  targets: Record<string, string>[] = [{ __address__: "localhost" }],
): TargetGroup => ({ source, targets, labels });

function openSet(rules: Partial<RelabelConfig>[] = []): { set: TargetSet; reasons: string[] } {
  const reasons: string[] = [];
  const relabel = compileRelabel(rules.map((rule) => ({ ...RELABEL_DEFAULTS, ...rule })));
  return { set: new TargetSet({ relabel, hostname: "here", onDropped: (reason) => reasons.push(reason) }), reasons };
}

const finds = (name: string, labels: Record<string, string>, wanted: object, rules?: Partial<RelabelConfig>[]): void =>
  test(name, () => {
    const { set } = openSet(rules);
    const { appeared } = set.update(0, [group(labels)]);
    expect(appeared.map(({ pathGlob, excludeGlob, labels: found }) => ({ pathGlob, excludeGlob, labels: found.toObject() }))).toEqual([
      wanted,
    ]);
  });
const leaves = (name: string, labels: Record<string, string>, reason: string, rules?: Partial<RelabelConfig>[]): void =>
  test(name, () => {
    const { set, reasons } = openSet(rules);
    expect(set.update(0, [group(labels)]).appeared).toEqual([]);
    expect([reasons, set.dropped.map((dropped) => dropped.reason)]).toEqual([[reason], [reason]]);
  });

describe("a target", () => {
  finds(
    "keeps its public labels",
    { job: "a", __path__: "/a", __x: "y", empty: "" },
    { pathGlob: "/a", excludeGlob: "", labels: { job: "a" } },
  );
  finds("may leave paths out", { __path__: "/a*", __path_exclude__: "/ab" }, { pathGlob: "/a*", excludeGlob: "/ab", labels: {} });
  finds(
    "keeps of labels mapped onto one name the last by their own names",
    { __meta_b_x: "b", __meta_a_x: "a", __path__: "/a" },
    { pathGlob: "/a", excludeGlob: "", labels: { c: "b" } },
    [{ action: "labelmap", regex: "__meta_(a|b)_x", replacement: "c" }],
  );
  finds("may get its path from a rule", { uid: "u" }, { pathGlob: "/pods/u/*.log", excludeGlob: "", labels: { uid: "u" } }, [
    { source_labels: ["uid"], target_label: "__path__", replacement: "/pods/$1/*.log" },
  ]);
  finds("of this host is read", { __path__: "/a", __host__: "here" }, { pathGlob: "/a", excludeGlob: "", labels: {} });
  leaves("of another host is left", { __path__: "/a", __host__: "there" }, "wrong_host");
  leaves("without path is left", { job: "a" }, "no_path");
  leaves("may be dropped by a rule", { __path__: "/a", job: "a" }, "dropped", [{ action: "drop", source_labels: ["job"], regex: "a" }]);
});

describe("equal targets", () => {
  const two = [{ __address__: "a" }, { __address__: "b" }];
  test("are read once", () => {
    const { set, reasons } = openSet();
    expect(set.update(0, [group({ __path__: "/a" }, "0", two)]).appeared).toHaveLength(1);
    expect(reasons).toEqual(["exists"]);
  });
  test("differ by the excluded path", () => {
    const { set } = openSet();
    const { appeared } = set.update(0, [group({ __path__: "/a" }), group({ __path__: "/a", __path_exclude__: "/b" }, "1")]);
    expect(appeared.map(({ key }) => key)).toEqual(["/a:{}", "/a:{}:/b"]);
  });
  test("stay when one of them goes", () => {
    const { set } = openSet();
    set.update(0, [group({ __path__: "/a" }, "0"), group({ __path__: "/a" }, "1")]);
    expect(set.update(0, [group({}, "0", [])])).toEqual({ appeared: [], gone: [] });
    expect(set.dropped).toEqual([]);
  });
});

describe("change", () => {
  test("a group replaces the former one of its source", () => {
    const { set } = openSet();
    set.update(0, [group({ __path__: "/a" }), group({ __path__: "/b" }, "1")]);
    const { appeared, gone } = set.update(0, [group({ __path__: "/c" })]);
    expect([appeared.map(({ key }) => key), gone.map(({ key }) => key), [...set.found.keys()].sort()]).toEqual([
      ["/c:{}"],
      ["/a:{}"],
      ["/b:{}", "/c:{}"],
    ]);
  });
  test("what is left is counted when it is found, not at each change of others", () => {
    const { set, reasons } = openSet();
    set.update(0, [group({ job: "a" })]);
    set.update(0, [group({ __path__: "/b" }, "1")]);
    expect([reasons, set.dropped.length]).toEqual([["no_path"], 1]);
  });
  test("sources of two discoveries do not meet", () => {
    const { set } = openSet();
    set.update(0, [group({ __path__: "/a" })]);
    expect(set.update(1, [group({ __path__: "/b" })]).gone).toEqual([]);
  });
});
