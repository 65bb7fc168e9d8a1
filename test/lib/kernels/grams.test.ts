// Gram filters: a page that holds a needle is never ruled out, pages that do not mostly are, both flavours build the same filter.

import { describe, expect, test } from "vitest";
import { filterMayContain, GRAM_WINDOW_BYTES, gramsOf } from "../../../lib/kernels/index.ts";
import { agree, fuzz, misplaced, wasm } from "./flavours.ts";
import { logLine, mixedText } from "./texts.ts";

describe("buildGramFilter", () => {
  test("flavours agree", () =>
    fuzz(500, (random) => {
      const bytes = misplaced(random, mixedText(random, random.pick([random.below(40), random.below(400), random.below(20_000)])));
      agree((flavour) => Buffer.from(flavour.buildGramFilter(bytes)).toString("hex"));
    }));

  test("what is in the page is never ruled out, in any case", () =>
    fuzz(300, (random) => {
      const bytes = mixedText(random, GRAM_WINDOW_BYTES + random.below(8_000));
      const filter = wasm.buildGramFilter(bytes).slice();
      for (let i = 0; i < 30; i++) {
        const from = random.below(bytes.length - GRAM_WINDOW_BYTES + 1);
        const part = bytes.slice(from, from + GRAM_WINDOW_BYTES + random.below(40));
        for (const needle of [part, part.map((byte) => (byte >= 97 && byte <= 122 ? byte - 32 : byte))]) {
          expect(filterMayContain(filter, gramsOf(needle)!)).toBe(true);
        }
      }
    }));

  test("ids that are not in the page are mostly ruled out, at a price of 2.5 % of the page", () =>
    fuzz(3, (random) => {
      const page = Buffer.from(Array.from({ length: 1_300 }, () => logLine(random)).join(""));
      const filter = wasm.buildGramFilter(page).slice();
      expect(filter.length).toBeLessThan(page.length * 0.026);
      const falsely = (hexBytes: number, length: number): number => {
        let count = 0;
        for (let i = 0; i < 500; i++) {
          const id = Buffer.from(random.bytes(hexBytes)).toString("hex").slice(0, length);
          if (filterMayContain(filter, gramsOf(Buffer.from(id))!)) count++;
        }
        return count / 500;
      };
      expect(falsely(16, 32)).toBeLessThan(0.01);
      expect(falsely(10, 19)).toBeLessThan(0.06);
    }));
});

describe("gramsOf", () => {
  test("a literal shorter than a window says nothing", () => expect(gramsOf(Buffer.from("elevenbytes"))).toBe(null));
  test("one of a window's length samples one gram", () => expect(gramsOf(Buffer.from("twelve bytes"))?.length).toBe(1));
  test("case does not matter", () =>
    expect(gramsOf(Buffer.from("Connection REFUSED by"))).toEqual(gramsOf(Buffer.from("connection refused by"))));
  test("a page too short for the needle is ruled out", () =>
    expect(filterMayContain(wasm.buildGramFilter(Buffer.from("short\n")), gramsOf(Buffer.from("a longer needle"))!)).toBe(false));
  test("no filter rules nothing out", () =>
    expect(filterMayContain(new Uint8Array(0), gramsOf(Buffer.from("a longer needle"))!)).toBe(true));
});
