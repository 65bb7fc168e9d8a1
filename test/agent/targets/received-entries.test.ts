import { beforeEach, describe, expect, test } from "vitest";
import { SpoolFull } from "../../../agent/spool/spool.ts";
import type { Intake } from "../../../agent/targets/intake.ts";
import { ReceivedEntries } from "../../../agent/targets/received-entries.ts";
import { manualClock } from "../../../lib/runtime/clock.ts";
import type { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { silentLog } from "../../silent-log.ts";

const labels = LabelSet.of([["job", "j"]]);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
let clock: ReturnType<typeof manualClock>;
let unconfirmed: number;
let secured: string[];
/** What the intake does with a batch. */
let answer: () => Promise<void>;
let received: ReceivedEntries;
beforeEach(() => {
  clock = manualClock(1_700_000_000_000);
  unconfirmed = 0;
  secured = [];
  answer = async () => {};
  const secure = async (batch: EntryBatch): Promise<void> => {
    await answer();
    secured.push(Array.from({ length: batch.count }, (_, i) => batch.line(i)).join(" "));
  };
  received = new ReceivedEntries({
    intake: { secure } as unknown as Intake,
    clock,
    log: silentLog,
    inFlightBytesMax: 1_000,
    onUnconfirmed: (count) => {
      unconfirmed += count;
    },
  });
});
const add = (line: string): void => received.add(Buffer.from(line), undefined, labels);

test("what comes together is one batch", async () => {
  add("a");
  add("b");
  await turn();
  await turn();
  add("c");
  await turn();
  await turn();
  expect(secured).toEqual(["a b", "c"]);
  expect([received.inFlight, unconfirmed]).toEqual([0, 0]);
});

test("there is room until the bound, and again when entries are safe", async () => {
  let safe = (): void => {};
  answer = () => new Promise((resolve) => (safe = resolve));
  for (let i = 0; i < 15; i++) add("x");
  expect([received.hasRoom, received.inFlight]).toEqual([true, 15]);
  add("x");
  expect([received.hasRoom, received.inFlight]).toEqual([false, 16]);
  await turn();
  let room = false;
  void received.room(new AbortController().signal).then(() => {
    room = true;
  });
  await turn();
  expect(room).toBe(false);
  safe();
  await turn();
  expect([room, received.inFlight]).toEqual([true, 0]);
});

test("bytes that are no UTF-8 become U+FFFD", async () => {
  received.add(Buffer.from("a\xff", "latin1"), [5, 6], labels);
  await turn();
  await turn();
  expect(secured).toEqual(["a\ufffd"]);
});

describe("what is refused because there is no room", () => {
  test("stays in flight, is offered again, in order, and is not counted as lost", async () => {
    let refusals = 3;
    answer = async () => {
      if (refusals-- > 0) throw new SpoolFull("full");
    };
    for (const line of ["a", "b", "c"]) {
      add(line);
      await turn();
    }
    expect([secured, received.inFlight]).toEqual([[], 3]);
    for (let refused = 0; refused < 3; refused++) {
      await clock.advance(250);
      await turn();
    }
    expect([secured, received.inFlight, unconfirmed]).toEqual([["a", "b", "c"], 0, 0]);
  });

  test("is counted when it is still refused at the end", async () => {
    answer = () => Promise.reject(new SpoolFull("full"));
    add("a");
    await turn();
    const settled = received.settle();
    for (let i = 0; i < 12; i++) await clock.advance(250);
    await settled;
    expect([unconfirmed, received.inFlight]).toEqual([1, 0]);
  });
});

test("what fails otherwise is counted", async () => {
  answer = () => Promise.reject(new Error("the agent is ending"));
  add("a");
  add("b");
  await turn();
  await turn();
  expect([unconfirmed, received.inFlight]).toEqual([2, 0]);
});
