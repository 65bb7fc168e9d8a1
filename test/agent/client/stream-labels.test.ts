import { expect, test } from "vitest";
import { StreamLabels } from "../../../agent/client/stream-labels.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";

const own = new StreamLabels("own", { cluster: "c" });
const sentOf = (labels: LabelSet, by = own) => {
  const { tenant, sent } = by.resolve(labels);
  return [tenant, String(sent)];
};

for (const [name, labels, tenant, sent] of [
  ["external labels are put in", { a: "1" }, "own", '{a="1", cluster="c"}'],
  ["an entry's own label wins over an external one", { cluster: "d" }, "own", '{cluster="d"}'],
  ["a tenant of the entry is taken out", { a: "1", __tenant_id__: "x" }, "x", '{a="1", cluster="c"}'],
] as const) {
  test(name, () => expect(sentOf(LabelSet.fromObject(labels))).toEqual([tenant, sent]));
}

test("an empty tenant is none", () => {
  const labels = LabelSet.fromObject({ a: "1" }).put("__tenant_id__", "");
  expect(sentOf(labels)).toEqual(["", '{a="1", cluster="c"}']);
  expect(own.resolve(labels)).not.toBe(own.resolve(LabelSet.fromObject({ a: "1" })));
});

test("an empty external label is sent, and an empty external tenant is none", () => {
  const empty = new StreamLabels("own", { cluster: "", __tenant_id__: "" });
  expect(sentOf(LabelSet.fromObject({ a: "1" }), empty)).toEqual(["", '{a="1", cluster=""}']);
});

for (const [name, a, b, same] of [
  ["the same labels", { a: "1" }, { a: "1" }, true],
  ["labels that are the same with the external ones", { a: "1" }, { a: "1", cluster: "c" }, true],
  ["the client's tenant, written out", { a: "1" }, { a: "1", __tenant_id__: "own" }, true],
  [
    "the same tenant, and labels that are the same with the external ones",
    { __tenant_id__: "x" },
    { cluster: "c", __tenant_id__: "x" },
    true,
  ],
  ["other labels", { a: "1" }, { a: "2" }, false],
  ["another tenant", { a: "1" }, { a: "1", __tenant_id__: "x" }, false],
] as const) {
  test(`${name}: ${same ? "one stream" : "two streams"}`, () => {
    expect(own.resolve(LabelSet.fromObject(a)) === own.resolve(LabelSet.fromObject(b))).toBe(same);
  });
}

test("a stream's text takes no more memory than its bytes", () => {
  const { sent, sentBytes } = own.resolve(LabelSet.fromObject({ a: "é" }));
  expect(Buffer.from(sentBytes).toString()).toBe(String(sent));
  expect(sentBytes.buffer.byteLength).toBe(sentBytes.length);
});
