// Values of logfmt pairs: both flavours against each other and against the full scanner.

import { describe, expect, test } from "vitest";
import type { Kernels } from "../../../lib/kernels/kernels.ts";
import { parseLogfmt } from "../../../lib/text/logfmt.ts";
import { agree, fuzz, misplaced, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();
const NAMES = ["level", "a", "msg", "a_key_of_more_than_sixteen_bytes"];

/** Per line, the values of the names, or null when the line was not read. */
function read(
  flavour: Kernels,
  lines: readonly Uint8Array[],
  names: readonly string[],
  picks: readonly number[],
  place = (b: Uint8Array) => b,
) {
  const count = lines.length;
  const slots = count * names.length;
  const [starts, ends] = [new Int32Array(count), new Int32Array(count)];
  let at = 0;
  lines.forEach((line, i) => {
    starts[i] = at;
    ends[i] = at + line.length;
    at += line.length + 1;
  });
  const bytes = place(Buffer.concat(lines.flatMap((line) => [line, encoder.encode('"')])));
  const [verdict, kind] = [new Uint8Array(count).fill(9), new Uint8Array(slots).fill(9)];
  const [from, to] = [new Int32Array(slots).fill(9), new Int32Array(slots).fill(9)];
  const keys = names.map((name) => encoder.encode(name));
  flavour.scanStrictLogfmt(bytes, starts, ends, count, Int32Array.from(picks), picks.length, keys, verdict, kind, from, to);
  return lines.map((_, i) => {
    const values = names.map((_, k) => {
      const slot = i * names.length + k;
      return kind[slot] === 0 ? undefined : Buffer.from(bytes.subarray(from[slot], to[slot])).toString();
    });
    if (verdict[i] === 1) return values;
    expect(values).toEqual(names.map(() => undefined));
    return null;
  });
}

function pair(random: Random): string {
  const key = random.pick([...NAMES, ...NAMES, "other", "k", ""]);
  const value = random.pick([
    "info",
    "",
    "a/b?c",
    '"two words"',
    '""',
    "été",
    '"été x"',
    "x".repeat(random.below(40)),
    `"${" y".repeat(random.below(20))}"`,
  ]);
  return random.chance(0.1)
    ? random.pick([key, `${key}=`, "é=1", 'x="a\\"b"', 'x="open', "a=b=c", 'a"b', "=x", 'x="\n"'])
    : `${key}=${value}`;
}

describe("scanStrictLogfmt", () => {
  test("flavours agree, and read what the full scanner reads without fault", () =>
    fuzz(2_000, (random) => {
      const texts = Array.from({ length: random.below(6) }, () => {
        const text = Array.from({ length: random.below(9) }, () => pair(random)).join(random.pick([" ", " ", "\t", "  ", "\n"]));
        return random.chance(0.1) ? text.slice(0, random.below(text.length + 1)) : text;
      });
      const names = NAMES.slice(0, random.below(NAMES.length + 1));
      const picks = texts.flatMap((_, i) => (random.chance(0.9) ? [i] : []));
      const lines = texts.map((text) => encoder.encode(text));
      const seed = random.below(1e9);
      const got = agree((flavour) =>
        read(flavour, lines, names, picks, (bytes) => misplaced({ ...random, below: (n) => seed % n }, bytes)),
      );
      if (typeof got === "string") throw new Error(got);
      texts.forEach((text, i) => {
        if (got[i] === null) return;
        const { pairs, error } = parseLogfmt(text, { records: true });
        expect([error, got[i]]).toEqual([null, names.map((name) => pairs.findLast(([key]) => key === name)?.[1])]);
      });
    }));

  test("bytes of any kind", () =>
    fuzz(800, (random) => {
      const lines = Array.from({ length: random.below(5) }, () =>
        random.bytes(random.below(60)).map((byte) => (random.chance(0.8) ? encoder.encode('a=" \\\nlevel')[byte % 11]! : byte)),
      );
      const picks = lines.map((_, i) => i);
      agree((flavour) => read(flavour, lines, NAMES, picks));
    }));

  for (const [name, line, want] of [
    ["plain and quoted values", 'a=1 level=info msg="two words"', ["info", "1", "two words"]],
    ["a key without a value", "a level= msg", ["", "", ""]],
    ["the last of several", "a=1 a=2 level", ["", "2", undefined]],
    ["nothing between a quoted value and the next key", 'msg="x"a=1', [undefined, "1", "x"]],
    ["an empty line", "", [undefined, undefined, undefined]],
    ["a value beyond ASCII", "a=é", [undefined, "é", undefined]],
    ["a tab in a quoted value", 'msg="a\tb"', [undefined, undefined, "a\tb"]],
    ["an escape", 'msg="a\\nb"', null],
    ["a key beyond ASCII", "é=1 a=1", null],
    ["an equals sign too many", "a=1 level=b=c", null],
    ["a quote that stays open", 'a=1 msg="b', null],
    ["a line feed in a quoted value", 'msg="a\nb"', null],
  ] as const)
    test(name, () => {
      for (const flavour of [wasm, twin]) expect(read(flavour, [encoder.encode(line)], NAMES.slice(0, 3), [0])).toEqual([want]);
    });
});
