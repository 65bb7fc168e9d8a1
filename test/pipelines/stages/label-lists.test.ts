// labeldrop, labelallow, static_labels: stages that change label sets as such.

import { describe, expect, test } from "vitest";
import { faultsOf, labelsOut } from "../run-stages.ts";

const LABELS = { app: "a", filename: "f", pod: "p" };

describe("labeldrop, labelallow and static_labels", () => {
  const leaves = (name: string, stage: string, wanted: Record<string, string>, labels: Record<string, string> = LABELS): void =>
    test(name, () => expect(labelsOut(stage, "x", { labels })).toEqual(wanted));

  leaves("labeldrop removes the named", "- labeldrop: [filename, pod]", { app: "a" });
  leaves("label_drop is another name of it", "- label_drop: [filename, pod]", { app: "a" });
  leaves("labeldrop of what is not there", "- labeldrop: [nope]", LABELS);
  leaves("labelallow keeps the named", "- labelallow: [app, level]", { app: "a" });
  leaves("label_keep is another name of it", "- label_keep: [app]", { app: "a" });
  leaves("static_labels sets and skips nothing", "- static_labels: {env: prod, x: }", { env: "prod", job: "a" }, { job: "a" });
  leaves("static_labels overrides", "- static_labels: {app: b}", { ...LABELS, app: "b" });
  leaves("static_labels takes any name", "- static_labels: {a-b: c}", { "a-b": "c" }, {});

  test("extracted values stay", () =>
    expect(labelsOut("- labeldrop: [pod]\n- labels: {copy: pod}", "x", { labels: LABELS })).toEqual({
      app: "a",
      filename: "f",
      copy: "p",
    }));

  const refuses = (name: string, config: string, wanted: RegExp): void => test(name, () => expect(faultsOf(config)).toMatch(wanted));
  leaves("nothing in a list is an empty name", "- labeldrop: [~, pod]", { app: "a", filename: "f" });
  refuses("a constant without a name", "- static_labels: {'': x}", /^error 0.static_labels .*invalid label name: ""/);
  refuses("an empty labeldrop", "- labeldrop: []", /^error 0.labeldrop labeldrop stage: .*empty/);
  refuses("a labelallow of nothing", "- labelallow:", /^error 0.labelallow labelallow stage: .*empty/);
  refuses("a name that is no list", "- labeldrop: pod", /^error 0.labeldrop .*expected a list of names, got the text "pod"/);
  refuses("a boolean constant", "- static_labels: {a: yes}", /^error 0.static_labels.a .*got the boolean true; quote it/);
  refuses("a number constant", "- static_labels: {a: 5}", /^error .*got the number 5; quote it/);
});
