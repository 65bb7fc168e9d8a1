// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such text is what is tested
import { describe, expect, test } from "vitest";
import { compileRelabel, RELABEL_DEFAULTS, type RelabelConfig, relabelFault } from "../../../lib/text/relabel.ts";

type Rule = Partial<RelabelConfig>;
const fill = (rule: Rule): RelabelConfig => ({ ...RELABEL_DEFAULTS, ...rule });

/** `wanted` is the labels afterwards, or undefined when the target is dropped. */
const relabels = (name: string, before: Record<string, string>, rules: Rule[], wanted: Record<string, string> | undefined): void =>
  test(name, () => {
    const labels = new Map(Object.entries(before));
    const kept = compileRelabel(rules.map(fill))(labels);
    expect(kept ? Object.fromEntries(labels) : undefined).toEqual(wanted);
  });
const hashes = (text: string, modulus: number, wanted: string): void =>
  relabels(
    `hashmod of ${JSON.stringify(text)} by ${modulus}`,
    { a: text },
    [{ action: "hashmod", source_labels: ["a"], modulus, target_label: "h" }],
    {
      a: text,
      h: wanted,
    },
  );
const refuses = (name: string, rule: Rule, words: RegExp): void =>
  test(`refuses ${name}`, () => expect(relabelFault(fill(rule)) ?? "").toMatch(words));
const accepts = (name: string, rule: Rule): void => test(`accepts ${name}`, () => expect(relabelFault(fill(rule))).toBeUndefined());

describe("replace", () => {
  relabels("copies", { a: "x" }, [{ source_labels: ["a"], target_label: "b" }], { a: "x", b: "x" });
  relabels("joins, absent labels as empty", { a: "x", c: "z" }, [{ source_labels: ["a", "b", "c"], target_label: "d" }], {
    a: "x",
    c: "z",
    d: "x;;z",
  });
  relabels("with a separator", { a: "x", c: "z" }, [{ source_labels: ["a", "c"], separator: "/", target_label: "a" }], {
    a: "x/z",
    c: "z",
  });
  relabels("an empty separator", { a: "x", c: "z" }, [{ source_labels: ["a", "c"], separator: "", target_label: "a" }], {
    a: "xz",
    c: "z",
  });
  relabels(
    "groups by number",
    { a: "10.0.0.1:90" },
    [{ source_labels: ["a"], regex: "(.*):(.*)", replacement: "$2-${1}", target_label: "a" }],
    { a: "90-10.0.0.1" },
  );
  relabels(
    "groups by name",
    { a: "h:1" },
    [{ source_labels: ["a"], regex: "(?P<host>.*):(?P<port>.*)", replacement: "${port}@${host}", target_label: "a" }],
    { a: "1@h" },
  );
  relabels("an unknown group is empty", { a: "x" }, [{ source_labels: ["a"], replacement: "<${nope}$9>", target_label: "a" }], { a: "<>" });
  relabels("two dollar signs", { a: "x" }, [{ source_labels: ["a"], replacement: "$$1", target_label: "a" }], { a: "$1" });
  relabels("no match changes nothing", { a: "x" }, [{ source_labels: ["a"], regex: "y", replacement: "z", target_label: "a" }], { a: "x" });
  relabels("is anchored", { a: "xyz" }, [{ source_labels: ["a"], regex: "y", replacement: "z", target_label: "a" }], { a: "xyz" });
  relabels(
    "an alternative is anchored as a whole",
    { a: "xz" },
    [{ source_labels: ["a"], regex: "x|y", replacement: "z", target_label: "a" }],
    { a: "xz" },
  );
  relabels("the dot takes line feeds", { a: "x\ny" }, [{ source_labels: ["a"], regex: "x.y", replacement: "z", target_label: "a" }], {
    a: "z",
  });
  relabels("a constant", {}, [{ replacement: "k", target_label: "a" }], { a: "k" });
  relabels("an empty result deletes", { a: "x" }, [{ replacement: "", target_label: "a" }], {});
  relabels("an absent source deletes", { b: "x" }, [{ source_labels: ["nope"], target_label: "b" }], {});
  relabels("the target is expanded", { a: "x" }, [{ source_labels: ["a"], replacement: "1", target_label: "is_${1}" }], {
    a: "x",
    is_x: "1",
  });
  relabels("an empty target is skipped", { b: "x" }, [{ source_labels: ["a"], replacement: "1", target_label: "$1" }], { b: "x" });
  relabels(
    "rules run in turn",
    { a: "x" },
    [
      { source_labels: ["a"], target_label: "b" },
      { source_labels: ["b"], regex: "x", replacement: "y", target_label: "c" },
    ],
    { a: "x", b: "x", c: "y" },
  );
});

describe("keep and drop", () => {
  relabels("keep that keeps", { a: "x" }, [{ action: "keep", source_labels: ["a"], regex: "x|y" }], { a: "x" });
  relabels("keep that drops", { a: "z" }, [{ action: "keep", source_labels: ["a"], regex: "x|y" }], undefined);
  relabels("drop that drops", { a: "x" }, [{ action: "drop", source_labels: ["a"], regex: "x" }], undefined);
  relabels("drop that keeps", { a: "xx" }, [{ action: "drop", source_labels: ["a"], regex: "x" }], { a: "xx" });
  relabels("keepequal", { a: "x", b: "x" }, [{ action: "keepequal", source_labels: ["a"], target_label: "b" }], { a: "x", b: "x" });
  relabels("keepequal of absent labels", {}, [{ action: "keepequal", source_labels: ["a"], target_label: "b" }], {});
  relabels("keepequal that drops", { a: "x", b: "y" }, [{ action: "keepequal", source_labels: ["a"], target_label: "b" }], undefined);
  relabels("dropequal that drops", { a: "x", b: "x" }, [{ action: "dropequal", source_labels: ["a"], target_label: "b" }], undefined);
  relabels("dropequal that keeps", { a: "x", b: "y" }, [{ action: "dropequal", source_labels: ["a"], target_label: "b" }], {
    a: "x",
    b: "y",
  });
});

describe("names", () => {
  relabels("labelmap", { __l_a: "1", __l_b: "2", c: "3" }, [{ action: "labelmap", regex: "__l_(.+)" }], {
    __l_a: "1",
    __l_b: "2",
    c: "3",
    a: "1",
    b: "2",
  });
  relabels("labelmap with a replacement", { __l_a: "1" }, [{ action: "labelmap", regex: "__(l)_(.+)", replacement: "k_${1}_$2" }], {
    __l_a: "1",
    k_l_a: "1",
  });
  relabels("labeldrop", { a: "1", ab: "2" }, [{ action: "labeldrop", regex: "a" }], { ab: "2" });
  relabels("labelkeep", { a: "1", ab: "2" }, [{ action: "labelkeep", regex: "a" }], { a: "1" });
});

describe("values", () => {
  relabels("lowercase", { a: "MiXeD ÄÖ" }, [{ action: "lowercase", source_labels: ["a"], target_label: "b" }], {
    a: "MiXeD ÄÖ",
    b: "mixed äö",
  });
  relabels(
    "uppercase of two",
    { a: "x", b: "y" },
    [{ action: "uppercase", source_labels: ["a", "b"], separator: "|", target_label: "a" }],
    { a: "X|Y", b: "y" },
  );
  relabels("uppercase of what has no capital", { a: "straße" }, [{ action: "uppercase", source_labels: ["a"], target_label: "a" }], {
    a: "STRAßE",
  });
  hashes("", 8, "6");
  hashes("foo", 8, "0");
  hashes("foo", 1000, "696");
  hashes("a;b", 1000, "74");
  hashes("10.0.0.1:9090", 16, "1");
  hashes("pod-1", 3, "1");
  hashes("pod-2", 3, "1");
  hashes("pod-3", 3, "2");
  hashes("größe", 997, "719");
});

describe("checks", () => {
  refuses("hashmod without modulus", { action: "hashmod", target_label: "b" }, /non-zero modulus/);
  refuses("replace without target", {}, /replace action requires 'target_label'/);
  refuses("keepequal without target", { action: "keepequal" }, /target_label/);
  refuses("lowercase with a replacement", { action: "lowercase", target_label: "b", replacement: "x" }, /'replacement' can not be set/);
  refuses("keepequal with a regex", { action: "keepequal", target_label: "b", regex: "x" }, /no other fields/);
  refuses("labelkeep with a target", { action: "labelkeep", target_label: "a", regex: "b" }, /labelkeep action requires only 'regex'/);
  refuses("labeldrop with sources", { action: "labeldrop", source_labels: ["a"], regex: "b" }, /requires only 'regex'/);
  refuses("labelmap without a name", { action: "labelmap", replacement: "" }, /invalid 'replacement'/);
  refuses("a stray dollar sign", { target_label: "a$" }, /invalid 'target_label'/);
  accepts("a target with a dash", { target_label: "b-c" });
  accepts("labelmap to a name with a dash", { action: "labelmap", replacement: "b-$1" });
  accepts("labelkeep", { action: "labelkeep", regex: "a" });
  accepts("an expanded target", { target_label: "a_${1}_$2" });
});
