// Push requests at random: what is encoded is decoded again, damaged requests come to the same in both flavours.

import { describe, expect, test } from "vitest";
import type { DecodedPush, Kernels } from "../../../lib/kernels/index.ts";
import { agree, fuzz, misplaced, outcome, twin, wasm } from "./flavours.ts";
import type { Random } from "./random.ts";
import { damage } from "./texts.ts";

/** A request as a tree of random fields: known ones, unknown ones, repeated ones, groups. */
function randomRequest(random: Random): Uint8Array {
  const stream = (): Uint8Array =>
    message(random, 6, [
      [1, () => text(random)],
      [2, entry],
      [2, entry],
      [3, 12_345],
    ]);
  const entry = (): Uint8Array =>
    message(random, 4, [
      [1, time],
      [2, () => text(random)],
      [
        3,
        () =>
          message(random, 3, [
            [1, () => text(random)],
            [2, () => text(random)],
          ]),
      ],
    ]);
  const time = (): Uint8Array =>
    message(random, 3, [
      [1, random.pick([0, 1_760_000_000, 5e9, -1, -62_135_596_800, -7e10])],
      [2, random.pick([0, 5, 999_999_999, 1e9])],
    ]);
  return message(random, 4, [
    [1, stream],
    [1, stream],
    [2, () => text(random)],
  ]);
}

type Field = readonly [number: number, value: number | (() => Uint8Array)];

function message(random: Random, fieldsMax: number, fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let n = random.below(fieldsMax + 1); n > 0; n--) {
    if (random.chance(0.05)) parts.push(unknownField(random));
    const [number, value] = random.pick(fields);
    if (typeof value === "number") parts.push(varint(number << 3, 0), varint(value, random.below(2)));
    else {
      const bytes = value();
      parts.push(varint((number << 3) | 2, 0), varint(bytes.length, random.chance(0.05) ? random.below(10) : 0), bytes);
    }
  }
  return Buffer.concat(parts);
}

function unknownField(random: Random): Uint8Array {
  const number = 5 + random.below(1_000);
  const wireType = random.pick([0, 1, 2, 5, 3, 3, random.below(8)]);
  const content = [
    varint(random.below(1e9), 0),
    random.bytes(8),
    Buffer.concat([varint(3, 0), random.bytes(3)]),
    Buffer.alloc(0),
    Buffer.alloc(0),
    random.bytes(4),
  ];
  const inner =
    wireType === 3
      ? Buffer.concat([random.chance(0.5) ? unknownField(random) : Buffer.alloc(0), varint((number << 3) | 4, 0)])
      : (content[wireType] ?? Buffer.alloc(0));
  return Buffer.concat([varint((number << 3) | wireType, 0), inner]);
}

/** With bytes that add nothing, as a varint may have. */
function varint(value: number, idleBytes: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  for (let i = 0; i < idleBytes; i++) {
    bytes[bytes.length - 1]! |= 128;
    bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

const text = (random: Random): Uint8Array => random.bytes(random.pick([0, 1, random.below(20), random.below(300)]));

const copyOf = (push: DecodedPush) => ({
  ...push,
  bytes: Buffer.from(push.bytes).toString("hex"),
  ends: [...push.ends],
  sec: [...push.sec],
  nanos: [...push.nanos],
  streams: [...push.streams],
  metadata: [...push.metadata],
});

describe("decodePush", () => {
  test("flavours agree on requests of random fields, whole and damaged", () => {
    let whole = 0;
    fuzz(3_000, (random) => {
      const request = randomRequest(random);
      const got = agree((flavour) => copyOf(flavour.decodePush(misplaced(random, request))));
      if (typeof got !== "string" && got.entryCount > 0) whole++;
      const broken = damage(random, request);
      agree((flavour) => copyOf(flavour.decodePush(broken)));
    });
    expect(whole).toBeGreaterThan(300);
  });

  test("flavours agree on noise", () =>
    fuzz(3_000, (random) => {
      const request = random
        .bytes(random.below(60))
        .map((byte) => (random.chance(0.6) ? random.pick([0x0a, 0x12, 0x1a, 2, 4, 0x08, 0x10]) : byte));
      agree((flavour) => copyOf(flavour.decodePush(request)));
    }));

  test("more entries, streams and pairs than the module sets room aside for", () => {
    const empties = Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from("1200", "hex")));
    const entries = Buffer.concat([varint(0x0a, 0), varint(empties.length, 0), empties]);
    const streams = Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from("0a00", "hex")));
    const pairs = Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from("1a00", "hex")));
    const entry = Buffer.concat([varint(0x12, 0), varint(pairs.length, 0), pairs]);
    const withPairs = Buffer.concat([varint(0x0a, 0), varint(entry.length, 0), entry]);
    for (const [request, counts] of [
      [entries, [5_000, 1, 0]],
      [streams, [0, 5_000, 0]],
      [withPairs, [1, 1, 5_000]],
    ] as const) {
      const got = agree((flavour) => copyOf(flavour.decodePush(request)));
      if (typeof got === "string") throw new Error(got);
      expect([got.entryCount, got.streamCount, got.metadataCount]).toEqual(counts);
    }
  });
});

interface Entries {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  readonly picks: Int32Array;
}

function randomEntries(random: Random): Entries {
  const count = 1 + random.below(20);
  const bytes = misplaced(random, random.bytes(random.below(2_000)));
  const starts = Int32Array.from({ length: count }, () => random.below(bytes.length + 1));
  return {
    bytes,
    starts,
    ends: starts.map((start) => Math.min(bytes.length, start + random.pick([0, 1, 127, 128, random.below(300)]))),
    sec: Int32Array.from({ length: count }, () => random.pick([0, 1, -1, 1_760_000_000, 0x7fff_ffff, -0x8000_0000])),
    nanos: Int32Array.from({ length: count }, () => random.pick([0, 1, 127, 128, 999_999_999])),
    picks: Int32Array.from({ length: random.below(count + 1) }, () => random.below(count)),
  };
}

function encode(flavour: Kernels, entries: Entries, room: number, at: number): { end: number; bytes: string } {
  const { bytes, starts, ends, sec, nanos, picks } = entries;
  const out = new Uint8Array(room);
  const end = flavour.encodeEntries(bytes, starts, ends, sec, nanos, picks, picks.length, out, at);
  return { end, bytes: Buffer.from(out.subarray(at, Math.max(at, end))).toString("hex") };
}

describe("encodeGroups", () => {
  test("appends to each group what encodeEntries appends", () =>
    fuzz(500, (random) => {
      const lines = Array.from({ length: random.below(30) }, () => random.bytes(random.pick([0, 5, 200])));
      const bytes = misplaced(random, Buffer.concat(lines));
      const ends = Int32Array.from(lines, (_, i) => lines.slice(0, i + 1).reduce((sum, line) => sum + line.length, 0));
      const starts = Int32Array.from(lines, (line, i) => ends[i]! - line.length);
      const [sec, nanos] = [Int32Array.from(lines, () => random.below(2 ** 31)), Int32Array.from(lines, () => random.below(1e9))];
      const groupCount = 1 + random.below(4);
      const groups = lines.map(() => random.below(groupCount));
      const picks = Array.from({ length: groupCount }, (_, g) => lines.map((_, i) => i).filter((i) => groups[i] === g));
      const groupEnds = Int32Array.from(picks, (_, g) => picks.slice(0, g + 1).flat().length);
      const sorted = Int32Array.from(picks.flat());
      const texts = Array.from({ length: 1 + random.below(3) }, () => random.bytes(random.pick([0, 3, 150])));
      const tails = random.chance(0.5) ? undefined : { ids: Int32Array.from(lines, () => random.below(texts.length + 1) - 1), texts };
      const rooms = picks.map(() => random.pick([0, 100, 2_000, 10_000]));
      const from = Int32Array.from(rooms, (room) => random.below(room + 1));
      const want = picks.map((of, g) => {
        const out = new Uint8Array(rooms[g]!);
        const end = twin.encodeEntries(bytes, starts, ends, sec, nanos, Int32Array.from(of), of.length, out, from[g]!, tails);
        return end < 0 ? "no room" : Buffer.from(out.subarray(from[g], end)).toString("hex");
      });
      const got = agree((flavour) => {
        const outs = rooms.map((room) => (random.chance(0.5) ? groupRoom(room) : new Uint8Array(room)));
        const ats = from.slice();
        flavour.encodeGroups(bytes, starts, ends, sec, nanos, sorted, groupEnds, outs, ats, tails);
        return outs.map((out, g) => (ats[g]! < 0 ? "no room" : Buffer.from(out.subarray(from[g], ats[g])).toString("hex")));
      });
      expect(got).toEqual(want);
    }));
});

/** Rooms in the kernels' memory, one behind the other. */
const groupRooms = wasm.allocate(1 << 20);
let groupRoomAt = 0;
function groupRoom(bytes: number): Uint8Array {
  if (groupRoomAt + bytes + 64 > groupRooms.length) groupRoomAt = 0;
  groupRoomAt += bytes + 64;
  return groupRooms.subarray(groupRoomAt - bytes - 64, groupRoomAt - 64);
}

describe("encodeEntries", () => {
  test("flavours agree, too little room included, and what they write is decoded again", () =>
    fuzz(1_500, (random) => {
      const entries = randomEntries(random);
      const { bytes, starts, ends, sec, nanos, picks } = entries;
      const at = random.below(50);
      const most = picks.reduce((sum, i) => sum + 40 + ends[i]! - starts[i]!, 0);
      agree((flavour) => encode(flavour, entries, at + Math.floor(most * 0.6), at));
      const got = agree((flavour) => encode(flavour, entries, at + most, at));
      if (typeof got === "string" || got.end < at) throw new Error("the room was enough");
      const body = Buffer.from(got.bytes, "hex");
      const push = wasm.decodePush(Buffer.concat([varint(0x0a, 0), varint(body.length, 0), body]));
      expect([...push.sec]).toEqual([...picks].map((i) => sec[i]!));
      expect([...push.nanos]).toEqual([...picks].map((i) => nanos[i]!));
      const lines = Buffer.concat([...picks].flatMap((i) => [bytes.subarray(starts[i], ends[i]), Buffer.from("\n")]));
      expect(Buffer.compare(push.bytes, lines)).toBe(0);
    }));

  test("the fields of the reference's vector, byte by byte", () => {
    const entries = {
      bytes: Buffer.from("hi"),
      starts: Int32Array.of(0),
      ends: Int32Array.of(2),
      sec: Int32Array.of(1_700_000_000),
      nanos: Int32Array.of(5),
      picks: Int32Array.of(0),
    };
    for (const flavour of [wasm, twin]) expect(encode(flavour, entries, 60, 0).bytes).toBe("120e0a080880e2cfaa06100512026869");
  });

  test("columns that are too short are refused, not read past", () =>
    expect(() =>
      outcome(() =>
        wasm.encodeEntries(
          Buffer.from("hi"),
          Int32Array.of(0),
          Int32Array.of(2),
          new Int32Array(0),
          new Int32Array(0),
          Int32Array.of(0),
          1,
          new Uint8Array(60),
          0,
        ),
      ),
    ).toThrow(RangeError));
});
