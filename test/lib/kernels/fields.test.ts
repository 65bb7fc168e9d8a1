// Dictionary columns of JSON lines: both flavours against each other and against JSON.parse, and named cases.

import { describe, expect, test } from "vitest";
import { FIELD_UNSURE, FIELD_VALUES_MAX, type Kernels } from "../../../lib/kernels/kernels.ts";
import { agree, fuzz, misplaced, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();
const keysOf = (names: readonly string[]): Uint8Array[] => names.map((name) => encoder.encode(name));

/** Ids and values per key. */
function fields(flavour: Kernels, bytes: Uint8Array, ends: Int32Array, keys: readonly Uint8Array[]) {
  const count = ends.length;
  const ids = new Uint8Array(keys.length * count);
  const [from, to] = [new Int32Array(keys.length * FIELD_VALUES_MAX), new Int32Array(keys.length * FIELD_VALUES_MAX)];
  const counts = new Int32Array(2 * keys.length);
  flavour.jsonFields(bytes, ends, count, keys, ids, from, to, counts);
  return keys.map((_, k) => ({
    ids: [...ids.subarray(k * count, (k + 1) * count)],
    values: Array.from({ length: Math.max(0, counts[2 * k]!) }, (_, v) => {
      const slot = k * FIELD_VALUES_MAX + v;
      return Buffer.from(bytes.subarray(from[slot], to[slot])).toString("latin1");
    }),
    tooMany: counts[2 * k]! < 0,
    unsure: counts[2 * k + 1],
  }));
}

function lay(lines: readonly (string | Uint8Array)[]): { bytes: Uint8Array; ends: Int32Array } {
  const parts = lines.map((line) => (typeof line === "string" ? encoder.encode(line) : line));
  let at = -1;
  const ends = Int32Array.from(parts, (part) => (at += 1 + part.length));
  return { bytes: Buffer.concat(parts.flatMap((part) => [part, encoder.encode("\n")])), ends };
}

const TEXTS = [
  "",
  "a",
  "info",
  "error",
  "1234567",
  "12345678",
  "123456789",
  "x".repeat(63),
  "x".repeat(64),
  "x".repeat(65),
  "ü",
  "ok\u007f",
];

function scalar(random: Random, values: number): string {
  const kind = random.below(12);
  if (kind === 0) return random.pick(["null", "true", "false", "{}", "[1]", '{"level":1}', '"\\n"', "tru", ""]);
  if (kind === 1) return JSON.stringify(random.pick(TEXTS));
  if (kind < 7) return `"v${random.below(values)}"`;
  return String(random.below(values));
}

function objectLine(random: Random, values: number): string {
  const names = ["level", "status", "a", "other", "status"].slice(0, random.chance(0.1) ? 5 : 4);
  const members = names
    .filter(() => random.chance(0.8))
    .map((name) => `"${random.chance(0.03) ? ` ${name}` : name}":${scalar(random, values)}`);
  const line = `{${members.join(random.chance(0.1) ? " , " : ",")}}`;
  return random.chance(0.05) ? line.slice(0, random.below(line.length + 1)) : line;
}

describe("jsonFields", () => {
  const keys = keysOf(["level", "status", "a", "a key that is in no line"]);

  test("flavours agree, and are sure only of what JSON.parse says", () =>
    fuzz(250, (random) => {
      const values = random.pick([2, 10, 400]);
      const lines = Array.from({ length: 1 + random.below(random.pick([4, 40, 400])) }, () => objectLine(random, values));
      const { bytes, ends } = lay(lines);
      const wanted = keys.slice(0, 1 + random.below(keys.length));
      const block = misplaced(random, bytes);
      const found = agree((flavour) => fields(flavour, block, ends, wanted));
      if (typeof found === "string") throw new Error(found);
      found.forEach(({ ids, values: texts, tooMany }, k) => {
        if (tooMany) return;
        const name = Buffer.from(wanted[k]!).toString();
        lines.forEach((line, i) => {
          if (ids[i] === FIELD_UNSURE) return;
          const value = (JSON.parse(line) as Record<string, unknown>)[name];
          expect(ids[i] === 0 ? undefined : texts[ids[i]! - 1]).toBe(value === null || value === undefined ? undefined : String(value));
        });
      });
    }));

  test("bytes of any kind, and lines outside of them", () =>
    fuzz(300, (random) => {
      const raw = random.bytes(random.below(300)).map((byte) => (random.chance(0.7) ? encoder.encode('{}":,\\lev1n')[byte % 11]! : byte));
      let at = 0;
      const ends = Int32Array.from({ length: 1 + random.below(6) }, () => (at += random.below(70)));
      agree((flavour) => fields(flavour, misplaced(random, raw), ends, keys));
    }));

  const column = (name: string, lines: readonly string[], ids: readonly number[], values: readonly string[]) =>
    test(name, () => {
      const { bytes, ends } = lay(lines);
      for (const flavour of [wasm, twin]) {
        const [found] = fields(flavour, bytes, ends, keysOf(["k"]));
        expect([found!.ids, found!.values]).toEqual([ids, values]);
      }
    });
  column("numbered by first appearance", ['{"k":"b"}', '{"k":"a"}', '{"k":"b"}'], [1, 2, 1], ["b", "a"]);
  column("a string and a number of the same text are one", ['{"k":"5"}', '{"k":5}', '{"k":5.0}'], [1, 1, 2], ["5", "5.0"]);
  column("true and false are texts", ['{"k":true}', '{"k":false}', '{"k":"true"}'], [1, 2, 1], ["true", "false"]);
  column("absent and null are one, empty is another", ["{}", '{"k":null}', '{"k":""}'], [0, 0, 1], [""]);
  column(
    "nested, escaped, wide and broken ones are unsure",
    ['{"k":{}}', '{"k":"\\n"}', '{"k":"ü"}', '{"k":1', ""],
    [255, 255, 255, 255, 255],
    [],
  );
  column("a key twice, or with a blank, is unsure", ['{"k":1,"k":1}', '{" k":1}', '{"k":2}'], [255, 255, 1], ["2"]);
  column("64 bytes are a value, 65 are not", [`{"k":"${"x".repeat(64)}"}`, `{"k":"${"x".repeat(65)}"}`], [1, 255], ["x".repeat(64)]);

  test("with a value too many, everything from there on is unsure", () => {
    const { bytes, ends } = lay([...Array.from({ length: 251 }, (_, i) => `{"k":${i}}`), '{"k":0}', "{}"]);
    for (const flavour of [wasm, twin]) {
      const [found] = fields(flavour, bytes, ends, keysOf(["k"]));
      expect([found!.tooMany, found!.unsure, found!.ids.slice(249)]).toEqual([true, 3, [250, 255, 255, 255]]);
    }
  });
});
