import { expect, test } from "vitest";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { PARSED_LABEL } from "../../../server/query/line-labels.ts";
import { LineState } from "../../../server/query/line-state.ts";

const textOf = (...bytes: number[]): string => {
  const line = new LineState();
  line.setLine(0, Uint8Array.from(bytes), 0, bytes.length);
  return line.text;
};

test("valid UTF-8 is itself", () => expect(textOf(...Buffer.from("aé世🚀\ufffd"))).toBe("aé世🚀\ufffd"));
test("each stray byte is one replacement character", () => expect(textOf(0x61, 0xf0, 0x9f, 0x91, 0x62)).toBe("a\ufffd\ufffd\ufffdb"));
test("what is valid between stays", () => expect(textOf(0xff, 0xc3, 0xa9, 0xc3)).toBe("\ufffdé\ufffd"));

test("a replaced line has its own bytes and length", () => {
  const line = new LineState();
  line.setLine(0, Buffer.from("old line"), 4, 8);
  expect([line.text, line.byteLength]).toEqual(["line", 4]);
  line.replaceText("né");
  expect([line.byteLength, line.isEmpty, line.original]).toEqual([3, false, false]);
  line.asBytes();
  expect(Buffer.from(line.bytes.subarray(line.start, line.end)).toString()).toBe("né");
});

test("labels of a wide line are found, changed and removed as those of a narrow one", () => {
  const { labels } = new LineState();
  labels.reset(LabelSet.of([["app", "a"]]), undefined, new Uint8Array(0));
  const names = Array.from({ length: 200 }, (_, i) => `k${i}`);
  for (const name of names) labels.set(PARSED_LABEL, name, name);
  labels.delete("k7");
  labels.set(PARSED_LABEL, "k8", "changed");
  labels.set(PARSED_LABEL, "k7", "again");
  expect(labels.toObject()).toEqual({ app: "a", ...Object.fromEntries(names.map((name) => [name, name])), k7: "again", k8: "changed" });
  labels.reset(LabelSet.EMPTY, undefined, new Uint8Array(0));
  expect([labels.get("k1"), labels.count]).toEqual([undefined, 0]);
});
