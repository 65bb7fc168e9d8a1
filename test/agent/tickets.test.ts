import { expect, test } from "vitest";
import { TicketLedger } from "../../agent/tickets.ts";
import { seededRandom } from "../../lib/runtime/clock.ts";

test("tickets: the position moves over the longest prefix that is dealt with", () => {
  const moves: [number, string][] = [];
  const ledger = new TicketLedger(10, "start", { onCommit: (position, mark) => moves.push([position, mark]) });
  const [a, b, c] = [ledger.issue(20, "a"), ledger.issue(35, "b"), ledger.issue(50, "c")];
  expect([ledger.committed(), ledger.issued(), ledger.settled]).toEqual([10, 50, false]);
  c!.release();
  expect(ledger.committed()).toBe(10);
  a!.release();
  expect([ledger.committed(), ledger.committedMark()]).toEqual([20, "a"]);
  b!.release();
  expect([ledger.committed(), ledger.committedMark(), ledger.settled]).toEqual([50, "c", true]);
  expect(moves).toEqual([
    [20, "a"],
    [50, "c"],
  ]);
});

test("tickets: each hold must be released", () => {
  const ledger = new TicketLedger(0);
  const ticket = ledger.issue(5);
  ticket.hold();
  ticket.hold();
  ticket.release();
  ticket.release();
  expect(ledger.committed()).toBe(0);
  ticket.release();
  expect(ledger.committed()).toBe(5);
  expect(() => ticket.release()).toThrow(/released once per hold/);
  expect(() => ticket.hold()).toThrow(/not held after/);
});

test("tickets: positions are issued in order", () => {
  const ledger = new TicketLedger(100);
  expect(() => ledger.issue(99)).toThrow(/in order/);
});

test("tickets: bytes are reported as done in any order", () => {
  let done = 0;
  const ledger = new TicketLedger(0, "", { onDone: (bytes) => (done += bytes) });
  const [a, b] = [ledger.issue(10), ledger.issue(30)];
  b!.release();
  expect(done).toBe(20);
  a!.release();
  expect(done).toBe(30);
});

test("tickets: any order of release agrees with a model", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 50; round++) {
    const ledger = new TicketLedger(0);
    const tickets = Array.from({ length: 200 }, (_, i) => ledger.issue((i + 1) * 3));
    const done = new Set<number>();
    const order = tickets.map((_, i) => i).sort(() => random() - 0.5);
    for (const i of order) {
      tickets[i]!.release();
      done.add(i);
      let prefix = 0;
      while (done.has(prefix)) prefix++;
      expect(ledger.committed()).toBe(prefix * 3);
    }
  }
});
