import { describe, expect, test } from "vitest";
import { printNamespaces, printRuleGroup } from "../../../server/ruler/print-rules.ts";
import { RULES_BYTES_MAX, readRuleFile, readRuleGroup } from "../../../server/ruler/read-rules.ts";
import type { RuleGroup } from "../../../server/ruler/rules.ts";

const EXPR = 'sum(rate({app="a"} |= "error" [5m])) > 0.05';

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

const rule = (fields: string): string => `name: g\nrules:\n  - ${fields}\n`;

describe("a posted group", () => {
  for (const [name, yaml, fault] of [
    ["without a name", "rules: []", "group 0: Groupname must not be empty"],
    ["empty", "", "group 0: Groupname must not be empty"],
    ["record and alert", rule("{record: a, alert: b, expr: vector(1)}"), "only one of 'record' and 'alert' must be set"],
    ["neither record nor alert", rule("{expr: vector(1)}"), "one of 'record' or 'alert' must be set"],
    ["without expr", rule("{alert: a}"), "field 'expr' must be set in rule"],
    [
      "an expr that is no LogQL",
      rule("{alert: a, expr: bad_value}"),
      "could not parse expression for alert 'a' in group 'g': parse error at line 1, col 1: syntax error: unexpected IDENTIFIER",
    ],
    [
      "a log query",
      rule(`{record: a, expr: '{app="x"}'}`),
      "could not parse expression for record 'a' in group 'g': rule result is not a vector or scalar",
    ],
    [
      "annotations of a recording rule",
      rule("{record: a, expr: vector(1), annotations: {b: c}}"),
      "invalid field 'annotations' in recording rule",
    ],
    ["for of a recording rule", rule("{record: a, expr: vector(1), for: 1m}"), "invalid field 'for' in recording rule"],
    [
      "keep_firing_for of a recording rule",
      rule("{record: a, expr: vector(1), keep_firing_for: 1m}"),
      "invalid field 'keep_firing_for' in recording rule",
    ],
    ["a metric name", rule("{record: a-b, expr: vector(1)}"), "invalid recording rule name: a-b"],
    ["a label name", rule("{alert: a, expr: vector(1), labels: {a-b: c}}"), "invalid label name: a-b"],
    ["__name__ as a label", rule("{alert: a, expr: vector(1), labels: {__name__: c}}"), "invalid label name: __name__"],
    ["an annotation name", rule("{alert: a, expr: vector(1), annotations: {a-b: c}}"), "invalid annotation name: a-b"],
    [
      "a template",
      rule("{alert: a, expr: vector(1), annotations: {s: '{{ $labels.x '}}"),
      'annotation "s": template: __alert_a:1: unclosed action',
    ],
    [
      "an unknown template function",
      rule("{alert: a, expr: vector(1), labels: {s: '{{ nope }}'}}"),
      'label "s": template: __alert_a:1: function "nope" not defined',
    ],
    [
      "an unknown key",
      rule("{alert: a, expr: vector(1), lables: {a: b}}"),
      'unable to decode rule group: rule group:3:33: unknown key rules[0].lables; did you mean "labels"?',
    ],
    [
      "a duration",
      rule("{alert: a, expr: vector(1), for: 5}"),
      'unable to decode rule group: rule group:3:33: rules[0].for: not a valid duration string: "5"',
    ],
    [
      "a list in place of a group",
      "- a",
      "unable to decode rule group: rule group:1:1: the file: Invalid input: expected object, received array",
    ],
  ] as const) {
    test(`${name} is refused`, () => expect(faultOf(() => readRuleGroup(yaml))).toContain(fault));
  }

  test("faults of all rules are told at once", () =>
    expect(faultOf(() => readRuleGroup("name: g\nrules:\n  - {expr: vector(1)}\n  - {alert: a}\n"))).toBe(
      "one of 'record' or 'alert' must be set, field 'expr' must be set in rule",
    ));

  test("ten megabytes are refused before they are parsed", () =>
    expect(faultOf(() => readRuleGroup(rule(`{alert: a, expr: '${"x".repeat(10 << 20)}'}`)))).toMatch(
      new RegExp(`^unable to decode rule group: \\d+ bytes, limit ${RULES_BYTES_MAX}; split it$`),
    ));

  test("a query longer than LogQL allows is refused", () =>
    expect(faultOf(() => readRuleGroup(rule(`{alert: a, expr: '{a="${"x".repeat(131_072)}"}'}`)))).toContain("input size too long"));

  test("values are texts as they are written", () => {
    const group = readRuleGroup(rule("{alert: 1, expr: vector(1), labels: {a: yes, b: 1.10, c: 0x10, d: 2024-01-01, e: ~, f: 'x'}}"));
    expect(group.rules[0]).toMatchObject({
      name: "1",
      labels: [
        ["a", "yes"],
        ["b", "1.10"],
        ["c", "0x10"],
        ["d", "2024-01-01"],
        ["e", ""],
        ["f", "x"],
      ],
    });
  });

  test("JSON will do, as clients send it", () => {
    const json = {
      name: "g",
      interval: "1m",
      limit: 5,
      rules: [{ alert: "A", expr: "vector(1)", for: null, labels: { n: 1 }, annotations: {} }],
    };
    expect(readRuleGroup(JSON.stringify(json))).toMatchObject({ limit: 5, rules: [{ forMs: 0, labels: [["n", "1"]] }] });
  });

  test("group labels hold for its rules, unless those say otherwise", () =>
    expect(
      readRuleGroup("name: g\nlabels: {a: '1', b: '2'}\nrules: [{record: r, expr: vector(1), labels: {b: '3'}}]").rules[0]!.labels,
    ).toEqual([
      ["a", "1"],
      ["b", "3"],
    ]));
});

describe("a file of groups", () => {
  test("faults have their place", () =>
    expect(faultOf(() => readRuleFile("groups:\n  - name: a\n    rules:\n      - {alert: x, expr: '{'}\n  - name: a\n", "/r/f.yaml"))).toBe(
      "error parsing /r/f.yaml: /r/f.yaml:4:9: could not parse expression for alert 'x' in group 'a': parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }, " +
        '/r/f.yaml:5:5: groupname: "a" is repeated in the same file',
    ));
  test("an empty file has no groups", () => expect(readRuleFile("", "f")).toEqual([]));
  test("aliases are bounded", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${"*a,".repeat(9)}]\nc: &c [${"*b,".repeat(9)}]\ngroups: [${"*c,".repeat(9)}]`;
    expect(faultOf(() => readRuleFile(bomb, "f"))).toMatch(/error parsing f/);
  });
});

describe("printing", () => {
  const group: RuleGroup = {
    name: "g1",
    intervalMs: 60_000,
    queryOffsetMs: 0,
    limit: 3,
    rules: [
      {
        kind: "alerting",
        name: "HighErr",
        expr: EXPR,
        forMs: 600_000,
        keepFiringForMs: 0,
        labels: [["severity", "yes"]],
        annotations: [["summary", "{{ $labels.job }} is\nat {{ $value }}"]],
      },
      { kind: "recording", name: "job:errors:rate1m", expr: 'sum(rate({a="b"}[1m]))', labels: [] },
    ],
  };
  test("keys are in Loki's order", () =>
    expect(printNamespaces([{ namespace: "ns", group }])).toBe(`ns:
  - name: g1
    interval: 1m
    limit: 3
    rules:
      - alert: HighErr
        expr: sum(rate({app="a"} |= "error" [5m])) > 0.05
        for: 10m
        labels:
          severity: "yes"
        annotations:
          summary: |-
            {{ $labels.job }} is
            at {{ $value }}
      - record: job:errors:rate1m
        expr: sum(rate({a="b"}[1m]))
`));
  test("what is printed reads as the same", () => expect(readRuleGroup(printRuleGroup(group))).toEqual(group));
});
