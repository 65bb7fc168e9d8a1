// Kernels that work line by line: both flavours against each other, and named cases of time and CRI.

import { describe, expect, test } from "vitest";
import type { CriColumns, Kernels } from "../../../lib/kernels/index.ts";
import { JSON_ENOUGH, JSON_TRIMMED_KEYS } from "../../../lib/kernels/kernels.ts";
import { scanLogfmt } from "../../../lib/text/logfmt.ts";
import { agree, fuzz, misplaced, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();

function split(flavour: Kernels, bytes: Uint8Array, from: number, to: number, most: number) {
  const starts = new Int32Array(most);
  const ends = new Int32Array(most);
  const count = flavour.splitLines(bytes, from, to, starts, ends);
  return { count, starts: [...starts.subarray(0, count)], ends: [...ends.subarray(0, count)] };
}

describe("splitLines", () => {
  test("flavours agree", () =>
    fuzz(1_500, (random) => {
      const density = random.pick([0, 0.02, 0.3, 1]);
      const raw = random.bytes(random.pick([random.below(65), random.below(65), random.below(2_000)]));
      const bytes = misplaced(
        random,
        raw.map((byte) => (random.chance(density) ? 10 : byte === 10 ? 11 : byte)),
      );
      const from = random.below(bytes.length + 1);
      const to = from + random.below(bytes.length + 1 - from);
      const most = random.pick([0, 1, 3, 5_000]);
      agree((flavour) => split(flavour, bytes, from, to, most));
    }));
  test("the last line without a line feed is left", () =>
    expect(split(wasm, encoder.encode("a\n\nbc\nd"), 0, 7, 9)).toEqual({ count: 3, starts: [0, 2, 3], ends: [1, 2, 5] }));
});

/** Lines end to end, with a byte between them. */
function lay(random: Random, lines: readonly Uint8Array[]): { bytes: Uint8Array; starts: Int32Array; ends: Int32Array } {
  const block = new Uint8Array(lines.reduce((sum, line) => sum + line.length + 1, 0));
  const starts = new Int32Array(lines.length);
  const ends = new Int32Array(lines.length);
  let at = 0;
  lines.forEach((line, i) => {
    block.set(line, at);
    starts[i] = at;
    at += line.length;
    ends[i] = at;
    block[at++] = random.pick([10, 34, 32, 48]);
  });
  return { bytes: misplaced(random, block), starts, ends };
}

/** A text with a few bytes changed, lost or doubled. */
function mutate(random: Random, text: string): Uint8Array {
  const bytes = [...encoder.encode(text)];
  for (let n = random.pick([0, 0, 1, 1, 2, 5]); n > 0 && bytes.length > 0; n--) {
    const at = random.below(bytes.length);
    const byte = random.pick([random.below(256), ...encoder.encode(' \t\n"\\{}[]:,0159.,+-eTZPF/u')]);
    const deed = random.below(4);
    if (deed === 0) bytes[at] = byte;
    else if (deed === 1) bytes.splice(at, 1);
    else if (deed === 2) bytes.splice(at, 0, byte);
    else bytes.length = at;
  }
  return Uint8Array.from(bytes);
}

const two = (value: number): string => String(value).padStart(2, "0");

function timeText(random: Random): string {
  const date = `${String(random.pick([1970, 2024, 2023, 2000, 1900, 1902, 2037, 2038, 1901, 0, 9999, random.below(10_000)])).padStart(4, "0")}-${two(random.below(14))}-${two(random.below(33))}`;
  const hour = random.chance(0.1) ? String(random.below(10)) : two(random.below(26));
  const fraction = random.pick(["", ".5", ",123", ".123456789", ".1234567891234", ".", `.${random.below(1e9)}`]);
  const zone = random.pick(["Z", "Z", "+00:00", `+${two(random.below(27))}:${two(random.below(63))}`, "-23:59", "z", ""]);
  return `${date}T${hour}:${two(random.below(61))}:${two(random.below(61))}${fraction}${zone}`;
}

function times(flavour: Kernels, bytes: Uint8Array, starts: Int32Array, ends: Int32Array) {
  const count = starts.length;
  const [sec, nanos, ok] = [new Int32Array(count), new Int32Array(count), new Uint8Array(count)];
  const okCount = flavour.parseRfc3339(bytes, starts, ends, count, sec, nanos, ok);
  return { sec, nanos, ok, okCount };
}

describe("parseRfc3339", () => {
  test("flavours agree", () =>
    fuzz(1_500, (random) => {
      const laid = lay(
        random,
        Array.from({ length: random.below(12) }, () => mutate(random, timeText(random))),
      );
      laid.starts.forEach((_, i) => {
        if (random.chance(0.05)) laid.starts[i] = -1;
      });
      agree((flavour) => times(flavour, laid.bytes, laid.starts, laid.ends));
    }));

  test("plain times have the value Date gives them", () =>
    fuzz(500, (random) => {
      const ms = random.below(0x7fff_ffff) * random.pick([1, 1, -1]) * 1_000 + random.below(1_000);
      const text = encoder.encode(new Date(ms).toISOString());
      for (const flavour of [wasm, twin]) {
        const got = times(flavour, text, Int32Array.of(0), Int32Array.of(text.length));
        expect([got.ok[0], got.sec[0], got.nanos[0]]).toEqual([
          1,
          Math.floor(ms / 1_000),
          (ms - Math.floor(ms / 1_000) * 1_000) * 1_000_000,
        ]);
      }
    }));

  const parses = (name: string, text: string, want: readonly [number, number] | null) =>
    test(name, () => {
      const bytes = encoder.encode(text);
      for (const flavour of [wasm, twin]) {
        const got = times(flavour, bytes, Int32Array.of(0), Int32Array.of(bytes.length));
        expect(got.ok[0] === 1 ? [got.sec[0], got.nanos[0]] : null).toEqual(want);
      }
    });
  parses("nine digits", "2023-11-14T22:13:20.123456789Z", [1_700_000_000, 123_456_789]);
  parses("digits past the ninth are cut", "2023-11-14T22:13:20.1234567899999Z", [1_700_000_000, 123_456_789]);
  parses("a comma before the fraction", "2023-11-14T22:13:20,5Z", [1_700_000_000, 500_000_000]);
  parses("an offset east", "2023-11-15T03:43:20+05:30", [1_700_000_000, 0]);
  parses("an offset west", "2023-11-14T14:13:20-08:00", [1_700_000_000, 0]);
  parses("an hour of one digit, as Go allows", "2023-11-14T2:13:20Z", [1_699_928_000, 0]);
  parses("29 February of a leap year", "2024-02-29T00:00:00Z", [1_709_164_800, 0]);
  parses("29 February of another", "2023-02-29T00:00:00Z", null);
  parses("29 February 1900", "1900-02-29T00:00:00Z", null);
  parses("31 April", "2023-04-31T00:00:00Z", null);
  parses("month 13", "2023-13-01T00:00:00Z", null);
  parses("day 0", "2023-01-00T00:00:00Z", null);
  parses("hour 24", "2023-01-01T24:00:00Z", null);
  parses("minute 60", "2023-01-01T00:60:00Z", null);
  parses("second 60", "2016-12-31T23:59:60Z", null);
  parses("a point without digits", "2023-01-01T00:00:00.Z", null);
  parses("no zone", "2023-01-01T00:00:00", null);
  parses("a small z", "2023-01-01T00:00:00z", null);
  parses("a space for the T", "2023-01-01 00:00:00Z", null);
  parses("text behind it", "2023-01-01T00:00:00Zx", null);
  parses("offset of 25 hours", "2023-01-01T00:00:00+25:00", null);
  parses("offset without colon", "2023-01-01T00:00:00+0100", null);
  parses("past the column's last second", "2038-01-19T03:14:08Z", null);
  parses("the column's last second", "2038-01-19T03:14:07Z", [0x7fff_ffff, 0]);
  parses("Go's zero time does not fit the column", "0001-01-01T00:00:00Z", null);
});

function criColumns(count: number): CriColumns {
  return {
    ok: new Uint8Array(count),
    contentStart: new Int32Array(count),
    timeEnd: new Int32Array(count),
    timeOk: new Uint8Array(count),
    sec: new Int32Array(count),
    nanos: new Int32Array(count),
    stream: new Uint8Array(count),
    streamStart: new Int32Array(count),
    streamEnd: new Int32Array(count),
    flagsStart: new Int32Array(count),
    flagsEnd: new Int32Array(count),
    partial: new Uint8Array(count),
  };
}

function cri(flavour: Kernels, bytes: Uint8Array, starts: Int32Array, ends: Int32Array): CriColumns & { irregularCount: number } {
  const out = criColumns(starts.length);
  const irregularCount = flavour.parseCri(bytes, starts, ends, starts.length, out);
  return { ...out, irregularCount };
}

describe("parseCri", () => {
  const line = (random: Random): string =>
    [
      random.chance(0.8) ? timeText(random) : random.pick(["3242", "", "x\ty"]),
      random.pick(["stdout", "stderr", "stdout", "stdin", "Stdout"]),
      random.pick(["F", "P", "F", "FP", "", "P:x"]),
      random.pick(["", "hello", "hello world ", '{"a":1}']),
    ].join(random.chance(0.95) ? " " : "  ");
  test("flavours agree", () =>
    fuzz(1_500, (random) => {
      const laid = lay(
        random,
        Array.from({ length: random.below(12) }, () => mutate(random, line(random))),
      );
      agree((flavour) => cri(flavour, laid.bytes, laid.starts, laid.ends));
    }));

  const parsed = (name: string, text: string, want: object | null) =>
    test(name, () => {
      const bytes = encoder.encode(text);
      for (const flavour of [wasm, twin]) {
        const got = cri(flavour, bytes, Int32Array.of(0), Int32Array.of(bytes.length));
        const content = new TextDecoder().decode(bytes.subarray(got.contentStart[0]));
        const found = {
          content,
          stream: got.stream[0],
          partial: got.partial[0],
          time: got.timeOk[0] === 1 ? [got.sec[0], got.nanos[0]] : null,
        };
        expect(got.ok[0] === 1 ? found : null).toEqual(want);
      }
    });
  const time = [1_700_000_000, 5];
  parsed("a full line", "2023-11-14T22:13:20.000000005Z stdout F hello world", { content: "hello world", stream: 0, partial: 0, time });
  parsed("a partial line on stderr", "2023-11-14T22:13:20.000000005Z stderr P he", { content: "he", stream: 1, partial: 1, time });
  parsed("no content", "2023-11-14T22:13:20.000000005Z stdout F ", { content: "", stream: 0, partial: 0, time });
  parsed("no space behind the flags", "2023-11-14T22:13:20.000000005Z stdout F", null);
  parsed("flags of several letters are not partial", "2023-11-14T22:13:20.000000005Z stdout P:x y", {
    content: "y",
    stream: 0,
    partial: 0,
    time,
  });
  parsed("a time that does not parse", "3242 stderr F message", { content: "message", stream: 1, partial: 0, time: null });
  parsed("two spaces belong to the content", "3242 stderr F  message", { content: " message", stream: 1, partial: 0, time: null });
  parsed("no time", " stderr F message", null);
  parsed("another stream", "3242 stdlog F message", null);
  parsed("a tab in the time", "32\t42 stderr F message", null);
  parsed("an empty line", "", null);
});

const scanner =
  (name: "scanJson" | "scanLogfmt") =>
  (flavour: Kernels, bytes: Uint8Array, starts: Int32Array, ends: Int32Array, keys: readonly Uint8Array[], mode = 0) => {
    const count = starts.length;
    const slots = count * keys.length;
    const out = { verdict: new Uint8Array(count), kind: new Uint8Array(slots), from: new Int32Array(slots), to: new Int32Array(slots) };
    const unsureCount = flavour[name](bytes, starts, ends, count, keys, mode, out.verdict, out.kind, out.from, out.to);
    return { ...out, ...(name === "scanJson" && { unsureCount }) };
  };
const json = scanner("scanJson");
const logfmt = scanner("scanLogfmt");

describe("scanJson", () => {
  const NAMES = ["a", "level", "msg", "", "ünï", "a long key of more than sixteen bytes", "trace_id"];
  const value = (random: Random, depth: number): unknown => {
    const kind = random.below(depth > 4 ? 6 : 8);
    if (kind === 0) return random.below(1e6) / random.pick([1, 7, 1e9]);
    if (kind === 1) return -random.below(100);
    if (kind === 2) return random.pick([true, false, null]);
    if (kind < 6)
      return "x".repeat(random.below(40)) + random.pick(["", '"', "\\", "\n", "é", "/", "\u0001"]) + "y".repeat(random.below(20));
    if (kind === 6) return Array.from({ length: random.below(4) }, () => value(random, depth + 1));
    return object(random, depth + 1);
  };
  const object = (random: Random, depth: number): object =>
    Object.fromEntries(Array.from({ length: random.below(6) }, () => [random.pick(NAMES), value(random, depth)]));
  const keys = NAMES.map((name) => encoder.encode(name));

  test("flavours agree, and with JSON.parse where they are sure", () =>
    fuzz(3_000, (random) => {
      const text = (): string => JSON.stringify(object(random, 0), undefined, random.pick([0, 0, 1, "\t"]));
      const lines = Array.from({ length: random.below(5) }, () => mutate(random, text()));
      const laid = lay(random, lines);
      const wanted = keys.slice(0, random.below(keys.length + 1));
      const rules = 1 + random.below(7);
      agree((flavour) => json(flavour, laid.bytes, laid.starts, laid.ends, wanted, rules));
      const got = agree((flavour) => json(flavour, laid.bytes, laid.starts, laid.ends, wanted));
      if (typeof got === "string") throw new Error(got);
      lines.forEach((line, i) => {
        if (got.verdict[i] === 0) return;
        const parsed = JSON.parse(Buffer.from(line).toString("utf8")) as Record<string, unknown>;
        wanted.forEach((_, k) => {
          const slot = i * wanted.length + k;
          const span = Buffer.from(laid.bytes.subarray(got.from[slot], got.to[slot])).toString("utf8");
          const kind = got.kind[slot]!;
          const want = parsed[NAMES[k]!];
          if (kind === 0) expect(want).toBe(undefined);
          else expect(JSON.parse(kind <= 2 ? `"${span}"` : span)).toEqual(want);
        });
      });
    }));

  test("lines of one shape, of nearly one, and others between them", () =>
    fuzz(800, (random) => {
      const names = Array.from({ length: 1 + random.below(6) }, () => random.pick(NAMES));
      const space = random.pick(["", "", " ", "\t"]);
      const shaped = (): string => {
        const kept = random.chance(0.2) ? names.filter(() => random.chance(0.7)) : names;
        const members = kept.map((name) => `"${name}":${space}${JSON.stringify(value(random, 3))}`);
        if (random.chance(0.1)) members.push('"level":1');
        return `{${members.join(`,${space}`)}}${random.chance(0.1) ? " " : ""}`;
      };
      const lines = Array.from({ length: random.below(30) }, () =>
        random.chance(0.1) ? mutate(random, shaped()) : encoder.encode(shaped()),
      );
      const laid = lay(random, lines);
      const wanted = keys.slice(0, random.below(keys.length + 1));
      // A key asked for twice is found twice.
      const asked = random.chance(0.1) && wanted.length > 0 ? [...wanted, wanted[0]!] : wanted;
      const rules = random.chance(0.3) ? JSON_TRIMMED_KEYS : 0;
      agree((flavour) => json(flavour, laid.bytes, laid.starts, laid.ends, asked, rules));
    }));

  test("strings full of escapes end where JSON.parse has them end", () =>
    fuzz(1_500, (random) => {
      const pieces = ["\\\\", '\\"', "\\/", "\\n", "\\u0041", "\\u004", "\\x", "abc", "twenty plain letters", "\\\\\\\\"];
      const likely = random.chance(0.5) ? pieces.filter((piece) => !["\\x", "\\u004"].includes(piece)) : pieces;
      const text = Array.from({ length: random.below(20) }, () => random.pick(likely)).join("");
      const line = `{"k":"${text}${random.pick(["", "", "\\", "\u0001"])}","x":"\\""}`;
      const laid = lay(random, [encoder.encode(line)]);
      const got = agree((flavour) => json(flavour, laid.bytes, laid.starts, laid.ends, [encoder.encode("k")]));
      if (typeof got === "string") throw new Error(got);
      let want: { k: string } | undefined;
      try {
        want = JSON.parse(line) as { k: string };
      } catch {}
      expect(got.verdict[0]).toBe(want === undefined ? 0 : 1);
      if (want !== undefined) expect(JSON.parse(`"${Buffer.from(laid.bytes.subarray(got.from[0], got.to[0])).toString()}"`)).toBe(want.k);
    }));

  const scans = (name: string, text: string, verdict: number, kind: number, span: string, rules = 0) =>
    test(name, () => {
      const bytes = encoder.encode(text);
      for (const flavour of [wasm, twin]) {
        const got = json(flavour, bytes, Int32Array.of(0), Int32Array.of(bytes.length), [encoder.encode("k")], rules);
        expect([got.verdict[0], got.kind[0], new TextDecoder().decode(bytes.subarray(got.from[0], got.to[0]))]).toEqual([
          verdict,
          kind,
          span,
        ]);
      }
    });
  scans("a plain string", '{"k":"v"}', 1, 1, "v");
  scans("an escaped string", '{"k":"a\\"b"}', 1, 2, 'a\\"b');
  scans("a number", ' { "k" : -1.5e+3 } ', 1, 3, "-1.5e+3");
  scans("true", '{"k":true}', 1, 4, "true");
  scans("false", '{"k":false}', 1, 5, "false");
  scans("null", '{"k":null}', 1, 6, "null");
  scans("an object", '{"a":{"k":1},"k":{"b":[1,{}]}}', 1, 7, '{"b":[1,{}]}');
  scans("an empty array", '{"k":[ ]}', 1, 7, "[ ]");
  scans("an absent key", '{"a":{"k":1}}', 1, 0, "");
  scans("an empty object", "{}", 1, 0, "");
  scans("a key twice", '{"k":1,"k":2}', 0, 0, "");
  scans("another key twice", '{"a":1,"a":2,"k":3}', 1, 3, "3");
  scans("an escaped key", '{"\\u006b":1}', 0, 0, "");
  scans("a key with a blank, as it is", '{" k":1,"k":2}', 1, 3, "2");
  scans("a key with a blank before it, trimmed", '{" k":1,"k":2}', 0, 0, "", JSON_TRIMMED_KEYS);
  scans("a key with a blank behind it, trimmed", '{"k":2,"k ":1}', 0, 0, "", JSON_TRIMMED_KEYS);
  scans("a key with a blank inside, trimmed", '{"a k":1,"k":2}', 1, 3, "2", JSON_TRIMMED_KEYS);
  scans("a key with a wide blank, trimmed", '{"\u00a0k":1,"k":2}', 0, 0, "", JSON_TRIMMED_KEYS);
  scans("what follows enough", '{"k":1,"k":2,oops', 1, 3, "1", JSON_ENOUGH);
  scans("what follows the object when it was enough", '{"k":1}}', 1, 3, "1", JSON_ENOUGH);
  scans("the end behind enough", '{"k":1', 0, 0, "", JSON_ENOUGH);
  scans("a number that goes on behind enough", '{"k":1x,"a":2}', 0, 0, "", JSON_ENOUGH);
  scans("null is not enough", '{"k":null,"a":', 0, 0, "", JSON_ENOUGH);
  scans("a nested value is not enough", '{"k":[1],"a":', 0, 0, "", JSON_ENOUGH);
  scans("a leading zero", '{"k":01}', 0, 0, "");
  scans("a comma too many", '{"k":1,}', 0, 0, "");
  scans("a comma too many in an array", '{"k":[1,]}', 0, 0, "");
  scans("text behind the object", '{"k":1} x', 0, 0, "");
  scans("an array", "[1]", 0, 0, "");
  scans("a control character in a string", '{"k":"a\u0001"}', 0, 0, "");
  scans("an escape that is none", '{"k":"\\x"}', 0, 0, "");
  scans("31 arrays within", `{"k":${"[".repeat(31)}${"]".repeat(31)}}`, 1, 7, "[".repeat(31) + "]".repeat(31));
  scans("32 arrays within", `{"k":${"[".repeat(32)}${"]".repeat(32)}}`, 0, 0, "");
});

describe("scanLogfmt", () => {
  const NAMES = ["k", "level", "duration", "a", "trace_id", "a key of more than sixteen letters".replaceAll(" ", "-")];
  const VALUES = ["", "1", "info", '"a b"', '""', '"a\\"b"', '"\\q"', '"open', "a=b", 'a"b', "ü", "x".repeat(40)];
  const keys = NAMES.map((name) => encoder.encode(name));

  test("flavours agree, and with the scanner where they are sure", () =>
    fuzz(3_000, (random) => {
      const pair = (): string => random.pick([...NAMES, "ü", ""]) + random.pick(["=", "=", "=", "", " "]) + random.pick(VALUES);
      const line = (): string => Array.from({ length: random.below(6) }, pair).join(random.pick([" ", " ", "\t", "  ", ""]));
      const lines = Array.from({ length: random.below(5) }, () => mutate(random, line()));
      const laid = lay(random, lines);
      const wanted = keys.slice(0, random.below(keys.length + 1));
      const needed = random.below(wanted.length + 1);
      agree((flavour) => logfmt(flavour, laid.bytes, laid.starts, laid.ends, wanted, needed));
      const got = agree((flavour) => logfmt(flavour, laid.bytes, laid.starts, laid.ends, wanted, 0));
      if (typeof got === "string") throw new Error(got);
      lines.forEach((text, i) => {
        if (got.verdict[i] === 0) return;
        const pairs = scanLogfmt(Uint8Array.from(text), 0, text.length, { lenient: true });
        const found = new Map<string, string>();
        while (pairs.next()) if (pairs.value() !== "" && !found.has(pairs.key())) found.set(pairs.key(), pairs.value());
        wanted.forEach((_, k) => {
          const slot = i * wanted.length + k;
          const span = Buffer.from(laid.bytes.subarray(got.from[slot], got.to[slot])).toString("utf8");
          expect(got.kind[slot] === 0 ? undefined : span).toEqual(found.get(NAMES[k]!));
        });
      });
    }));

  const scans = (name: string, text: string, verdict: number, span: string, needed = 0) =>
    test(name, () => {
      const bytes = encoder.encode(text);
      for (const flavour of [wasm, twin]) {
        const got = logfmt(flavour, bytes, Int32Array.of(0), Int32Array.of(bytes.length), [encoder.encode("k")], needed);
        expect([got.verdict[0], new TextDecoder().decode(bytes.subarray(got.from[0], got.to[0]))]).toEqual([verdict, span]);
      }
    });
  scans("a bare value", "a=1 k=v b=2", 1, "v");
  scans("a quoted value", 'k="a b=c" k=2', 1, "a b=c");
  scans("the first value that is not empty", 'k k= k="" k=2 k=3', 1, "2");
  scans("a value within another's quotes", 'a="k=1" b', 1, "");
  scans("a value with an equals sign is none", "k=a=b k=2", 1, "2");
  scans("a value with a quote is none", 'k=a"b k=2', 1, "2");
  scans("quotes that do not end", 'k="v', 1, "");
  scans("a value with an escape", 'k="a\\"b"', 0, "");
  scans("an escape in another's value", 'a="x\\"y" k=1', 1, "1");
  scans("an escape in another's value and no blank behind it", 'a="x\\"y"k=1', 0, "");
  scans("a key beyond ASCII", "ü=1 k=1", 0, "");
  scans("what follows the last key that is needed", "k=1 ü=1", 1, "1", 1);
  scans("an empty line", "", 1, "");
});
