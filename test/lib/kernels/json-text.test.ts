// The inside of JSON strings, written and read: both flavours against each other and against what writes and reads JSON elsewhere.

import { describe, expect, test } from "vitest";
import type { Kernels } from "../../../lib/kernels/kernels.ts";
import { goJson } from "../../../lib/text/go-json.ts";
import { agree, fuzz, misplaced, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();

interface Spans {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Texts with a byte between them that would be taken for theirs if a span were overrun, in any order. */
function lay(random: Random, texts: readonly Uint8Array[]): Spans {
  const [starts, ends] = [new Int32Array(texts.length), new Int32Array(texts.length)];
  const parts: Uint8Array[] = [];
  let at = 0;
  const order = texts.map((_, i) => i);
  if (random.chance(0.2)) order.reverse();
  for (const i of order) {
    starts[i] = at;
    ends[i] = at + texts[i]!.length;
    parts.push(texts[i]!, encoder.encode(random.pick(["\\", '"', "u", "é"])));
    at += texts[i]!.length + parts.at(-1)!.length;
  }
  return { bytes: misplaced(random, Buffer.concat(parts)), starts, ends };
}

/** The texts of a call, null for those left out. The ends of others ascend to the end of the view. */
function textsOf(view: Uint8Array, textEnds: Int32Array): (string | null)[] {
  let start = 0;
  const texts = [...textEnds].map((end) => {
    if (end < 0) return null;
    const text = Buffer.from(view.subarray(start, end)).toString("latin1");
    start = end;
    return text;
  });
  expect(start).toBe(view.length);
  return texts;
}

function escapeAll(flavour: Kernels, spans: Spans, prefixes: readonly Uint8Array[], prefixOf: Int32Array, suffix: Uint8Array) {
  const textEnds = new Int32Array(spans.starts.length);
  const view = flavour.escapeJson(spans.bytes, spans.starts, spans.ends, spans.starts.length, prefixes, prefixOf, suffix, textEnds);
  return textsOf(view, textEnds);
}

function unescapeAll(flavour: Kernels, { bytes, starts, ends }: Spans) {
  const textEnds = new Int32Array(starts.length);
  return textsOf(flavour.unescapeJson(bytes, starts, ends, starts.length, textEnds), textEnds);
}

const one = (text: string): Spans => {
  const bytes = encoder.encode(text);
  return { bytes, starts: Int32Array.of(0), ends: Int32Array.of(bytes.length) };
};

describe("escapeJson", () => {
  const plain = (random: Random): Uint8Array => {
    const density = random.pick([0, 0.1, 0.5, 1]);
    const special = random.pick(['"\\', '"\\<>&', '"\\\n\t\r\b\f\u0000\u001f\u007f/']);
    const text = Array.from({ length: random.below(random.pick([10, 40, 200])) }, () =>
      random.chance(density) ? random.pick([...special]) : random.pick([..."abc {:,}09"]),
    );
    return encoder.encode(text.join("") + (random.chance(0.1) ? random.pick(["é", "\u2028", "\ufffd"]) : ""));
  };

  test("flavours agree, and write what json-iterator writes", () =>
    fuzz(500, (random) => {
      const texts = Array.from({ length: random.below(8) }, () => plain(random));
      const prefixes = ["", '{"a":"b","_entry":"', "0123456789abcdef0123456789abcdef_"]
        .slice(random.below(3))
        .map((text) => encoder.encode(text));
      const prefixOf = Int32Array.from(texts, () => random.below(prefixes.length));
      const suffix = random.pick(["", '"}', "a suffix of more than sixteen bytes"]);
      const spans = lay(random, texts);
      const found = agree((flavour) => escapeAll(flavour, spans, prefixes, prefixOf, encoder.encode(suffix)));
      const wanted = texts.map((text, i) => {
        const ascii = text.every((byte) => byte < 128);
        return ascii
          ? Buffer.from(prefixes[prefixOf[i]!]!) + goJson(Buffer.from(text).toString(), { iterator: true }).slice(1, -1) + suffix
          : null;
      });
      expect(found).toEqual(wanted);
    }));

  test("all bytes of ASCII, alone and at each place of a register", () => {
    for (let byte = 0; byte < 128; byte++) {
      for (let before = 0; before < 17; before++) {
        const text = "x".repeat(before) + String.fromCharCode(byte) + "yz".repeat(before);
        for (const flavour of [wasm, twin]) {
          expect(escapeAll(flavour, one(text), [new Uint8Array(0)], Int32Array.of(0), new Uint8Array(0))).toEqual([
            goJson(text, { iterator: true }).slice(1, -1),
          ]);
        }
      }
    }
  });

  test("spans or prefixes that are none are refused by both", () => {
    for (const flavour of [wasm, twin]) {
      const outside = { bytes: encoder.encode("abc"), starts: Int32Array.of(0), ends: Int32Array.of(3) };
      expect(() => escapeAll(flavour, outside, [], Int32Array.of(0), new Uint8Array(0))).toThrow(TypeError);
    }
  });
});

describe("unescapeJson", () => {
  const parts = ["a", "é", "😀", "twenty plain letters.", "\\n", '\\"', "\\\\", "\\/", "\\b\\f\\r\\t", "\\u00e9", "\\u0041", "\\u0000"];
  const halves = ["\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\ud83d\\u0041", "\\u2028", "\\uFFFF"];
  const faults = ["\\x", "\\u12", "\\u12g4", "\\u"];
  const escaped = (random: Random, pieces: readonly string[]): string =>
    Array.from({ length: random.below(random.pick([4, 30])) }, () => random.pick(pieces)).join("");

  test("flavours agree, and read what JSON.parse reads", () =>
    fuzz(1_000, (random) => {
      const texts = Array.from({ length: random.below(8) }, () =>
        escaped(random, random.chance(0.2) ? [...parts, ...halves, ...faults] : [...parts, ...halves]),
      );
      const spans = lay(
        random,
        texts.map((text) => encoder.encode(text)),
      );
      expect(agree((flavour) => unescapeAll(flavour, spans))).toEqual(texts.map(parsed));
    }));

  test("bytes of any kind", () =>
    fuzz(500, (random) => {
      const texts = Array.from({ length: random.below(8) }, () =>
        random.bytes(random.below(60)).map((byte) => (random.chance(0.4) ? encoder.encode('\\u"0dD8n')[byte & 7]! : byte)),
      );
      const spans = lay(random, texts);
      agree((flavour) => unescapeAll(flavour, spans));
    }));

  for (const fault of [...faults, "\\", "a\\", "\\ud83d\\", "\\ud83d\\u12"]) {
    test(`${fault} is left out, and its neighbours are not`, () => {
      const spans = lay({ chance: () => false, pick: (from) => from[0]!, below: () => 0, bytes: (count) => new Uint8Array(count) }, [
        encoder.encode("\\n1"),
        encoder.encode(fault),
        encoder.encode("2\\t"),
      ]);
      for (const flavour of [wasm, twin]) expect(unescapeAll(flavour, spans)).toEqual(["\n1", null, "2\t"]);
    });
  }
});

/** What JSON.parse makes of it, as bytes in latin1; null for a fault. */
function parsed(escaped: string): string | null {
  try {
    return Buffer.from((JSON.parse(`"${escaped}"`) as string).replace(/\p{Surrogate}/gu, "\ufffd")).toString("latin1");
  } catch {
    return null;
  }
}
