import { afterEach, describe, expect, test } from "vitest";
import { SharedPipeline } from "../../../agent/shared-pipeline.ts";
import { Intake } from "../../../agent/targets/intake.ts";
import { TicketLedger } from "../../../agent/tickets.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { EntryBatch, type Ticket } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { Pipeline } from "../../../pipelines/pipeline.ts";
import type { Stage } from "../../../pipelines/stage.ts";

const log = createLog({ write: () => {} });
const labels = LabelSet.of([["job", "a"]]);
const pass: Stage = { process: () => {} };

/** A sink that holds everything until it is told, and has room only when `room` is open. */
class HoldingSink {
  readonly lines: string[] = [];
  readonly held: Ticket[] = [];
  room: Promise<void> | undefined;
  consume(batch: EntryBatch): Promise<void> | void {
    for (let k = 0; k < batch.liveCount; k++) this.lines.push(batch.line(batch.live[k]!));
    for (const ticket of batch.tickets) {
      ticket.hold();
      this.held.push(ticket);
    }
    return this.room;
  }
  acknowledge(): void {
    for (const ticket of this.held.splice(0)) ticket.release();
  }
}

let intake: Intake | undefined;
afterEach(() => intake?.stop());

const open = (sink: HoldingSink, stage: Stage = pass): Intake => {
  intake = new Intake({ pipeline: new SharedPipeline(new Pipeline(stage)).lease(), sink, clock: systemClock, log });
  return intake;
};
const batchOf = (...lines: string[]): EntryBatch => {
  const batch = new EntryBatch();
  for (const line of lines) batch.addText(line, 1, 0, labels);
  return batch;
};
const settled = async (promise: Promise<unknown>): Promise<string> => {
  const state = promise.then(
    () => "resolved",
    (error: Error) => `rejected: ${error.message}`,
  );
  return Promise.race([state, new Promise<string>((resolve) => setTimeout(() => resolve("open"), 20))]);
};

describe("consume", () => {
  test("a ledger's position moves when the sink lets go", async () => {
    const sink = new HoldingSink();
    const ledger = new TicketLedger(0);
    const batch = batchOf("a");
    batch.tickets.push(ledger.issue(7));
    await open(sink).consume(batch);
    expect(ledger.committed()).toBe(0);
    sink.acknowledge();
    expect(ledger.committed()).toBe(7);
  });

  test("a batch whose entries are all dropped is done at once", async () => {
    const ledger = new TicketLedger(0);
    const batch = batchOf("a");
    batch.tickets.push(ledger.issue(7));
    await open(new HoldingSink(), { process: (dropped) => dropped.filterLive(() => false) }).consume(batch);
    expect(ledger.committed()).toBe(7);
  });

  test("waits for room, and batches keep their order", async () => {
    const sink = new HoldingSink();
    let makeRoom = (): void => {};
    sink.room = new Promise((resolve) => {
      makeRoom = resolve;
    });
    const first = open(sink).consume(batchOf("a"));
    const second = intake!.consume(batchOf("b"));
    expect(await settled(first)).toBe("open");
    expect(sink.lines).toEqual(["a"]);
    makeRoom();
    await Promise.all([first, second]);
    expect(sink.lines).toEqual(["a", "b"]);
  });

  test("a stage that fails does not stop what comes after", async () => {
    const sink = new HoldingSink();
    let fails = true;
    const stage: Stage = {
      process: () => {
        if (fails) throw new Error("stage broke");
      },
    };
    expect(await settled(open(sink, stage).consume(batchOf("a")))).toBe("rejected: stage broke");
    fails = false;
    await intake!.consume(batchOf("b"));
    expect(sink.lines).toEqual(["b"]);
  });
});

describe("secure", () => {
  test("resolves with the acknowledgement", async () => {
    const sink = new HoldingSink();
    const safe = open(sink).secure(batchOf("a"));
    expect(await settled(safe)).toBe("open");
    sink.acknowledge();
    expect(await settled(safe)).toBe("resolved");
  });

  test("resolves when a stage drops the entry", async () =>
    expect(await settled(open(new HoldingSink(), { process: (batch) => batch.filterLive(() => false) }).secure(batchOf("a")))).toBe(
      "resolved",
    ));

  test("rejects when the intake stops before the acknowledgement", async () => {
    const safe = open(new HoldingSink()).secure(batchOf("a"));
    const state = settled(safe);
    await intake!.stop();
    expect(await state).toBe("rejected: the agent is ending");
  });

  test("rejects after the intake has stopped", async () => {
    await open(new HoldingSink()).stop();
    expect(await settled(intake!.secure(batchOf("a")))).toBe("rejected: the agent is ending");
  });
});

describe("stop", () => {
  test("lets go what stages hold", async () => {
    const sink = new HoldingSink();
    let held: EntryBatch | undefined = batchOf("held");
    const stage: Stage = {
      process: () => {},
      flush: (_nowMs, closing) => {
        if (!closing) return undefined;
        const batch = held;
        held = undefined;
        return batch;
      },
    };
    await open(sink, stage).stop();
    expect(sink.lines).toEqual(["held"]);
  });

  test("does not wait for room that never comes", async () => {
    const sink = new HoldingSink();
    sink.room = new Promise(() => {});
    void open(sink).consume(batchOf("a"));
    expect(await settled(intake!.stop())).toBe("resolved");
  });
});
