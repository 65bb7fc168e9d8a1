// Push requests: the worked vector of the reference (agent-features §7.2), and what a decoder must refuse.

import { describe, expect, test } from "vitest";
import { kernels } from "../../../lib/kernels/index.ts";
import { MalformedInput } from "../../../lib/kernels/kernels.ts";
import { typescriptKernels } from "../../../lib/kernels/kernels-typescript.ts";

const VECTOR = "0a2c0a097b6a6f623d2278227d121f0a080880e2cfaa061005120268691a0f0a0874726163655f69641203616263";

for (const flavour of [kernels, typescriptKernels]) {
  describe(flavour.flavour, () => {
    const decoded = (hex: string) => {
      const body = Buffer.from(hex, "hex");
      const push = flavour.decodePush(body);
      const text = (from: number, to: number) => body.toString("utf8", from, to);
      return {
        lines: Array.from({ length: push.entryCount }, (_, i) =>
          Buffer.from(push.bytes.subarray(i === 0 ? 0 : push.ends[i - 1]! + 1, push.ends[i])).toString(),
        ),
        times: Array.from({ length: push.entryCount }, (_, i) => [push.sec[i], push.nanos[i]]),
        streams: Array.from({ length: push.streamCount }, (_, s) => [
          text(push.streams[s * 4]!, push.streams[s * 4 + 1]!),
          push.streams[s * 4 + 2],
          push.streams[s * 4 + 3],
        ]),
        metadata: Array.from({ length: push.metadataCount }, (_, m) => [
          push.metadata[m * 5],
          text(push.metadata[m * 5 + 1]!, push.metadata[m * 5 + 2]!),
          text(push.metadata[m * 5 + 3]!, push.metadata[m * 5 + 4]!),
        ]),
      };
    };

    test("the worked vector", () =>
      expect(decoded(VECTOR)).toEqual({
        lines: ["hi"],
        times: [[1_700_000_000, 5]],
        streams: [['{job="x"}', 0, 1]],
        metadata: [[0, "trace_id", "abc"]],
      }));
    test("its snappy block, literals only", () =>
      expect(Buffer.from(flavour.snappyDecompress(Buffer.from(`2eb4${VECTOR}`, "hex"), 100)).toString("hex")).toBe(VECTOR));
    test("an empty request", () => expect(decoded("")).toEqual({ lines: [], times: [], streams: [], metadata: [] }));
    test("an entry without a timestamp has Go's zero time, at the column's edge", () =>
      expect(decoded("0a061204" + "12026869").times).toEqual([[-0x8000_0000, 0]]));
    test("an empty timestamp is 1970", () => expect(decoded("0a04" + "1202" + "0a00").times).toEqual([[0, 0]]));
    test("the last of two lines wins", () => expect(decoded("0a08" + "1206" + "120161" + "120162").lines).toEqual(["b"]));
    test("a second timestamp replaces the first", () =>
      expect(decoded("0a0c" + "120a" + "0a0408051005" + "0a020807").times).toEqual([[7, 0]]));
    test("unknown fields are skipped, groups too", () =>
      expect(decoded("20ff01" + "2b0801" + "2c" + "0a04" + "1202" + "0a00").times).toEqual([[0, 0]]));

    const refuses = (name: string, hex: string, says: RegExp) =>
      test(name, () => {
        expect(() => flavour.decodePush(Buffer.from(hex, "hex"))).toThrow(says);
        expect(() => flavour.decodePush(Buffer.from(hex, "hex"))).toThrow(MalformedInput);
      });
    refuses("a stream cut short", VECTOR.slice(0, 40), /length reaches past the end/);
    refuses("a stream of 4 GiB", "0affffffff0f", /length reaches past the end/);
    refuses("a stream of 2^63 bytes", "0affffffffffffffffff01", /length reaches past the end/);
    refuses("a varint of 11 bytes", "0affffffffffffffffffff01", /varint is longer/);
    refuses("a varint that ends early", "0aff", /middle of a field/);
    refuses("streams as a varint", "0801", /wire type/);
    refuses("field number 0", "0201", /field number 0/);
    refuses("wire type 7", "0a02" + "3f00", /wire type 6 or 7/);
    refuses("the end of no group", "1c", /not begun/);
    refuses("groups without end", "1b".repeat(40), /nested/);
    refuses("nanoseconds past a second", "0a0a" + "1208" + "0a06108094ebdc03", /nanoseconds/);
    refuses("negative nanoseconds", "0a0f" + "120d" + "0a0b10ffffffffffffffffff01", /nanoseconds/);
    refuses("the year 10000", "0a0b" + "1209" + "0a07088083d1ffaf07", /timestamp/);
  });
}
