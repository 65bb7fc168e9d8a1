import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GroupSession } from "../../../../agent/targets/kafka/session.ts";
import { hurriedClock, Reading, until } from "../reading.ts";
import { FakeConsumer, FakeLog, rebalancing } from "./fake-group.ts";

let reading: Reading;
let log: FakeLog;
let consumer: FakeConsumer;
let session: GroupSession;

const TOPIC_RULE = { source_labels: ["__meta_kafka_topic"], target_label: "topic" };
const open = async (inFlightBytesMax?: number): Promise<void> => {
  session = new GroupSession({
    consumer: consumer.asConsumer,
    groupId: "g",
    messages: reading.messages({ rules: [TOPIC_RULE] }),
    intake: reading.intake,
    clock: hurriedClock,
    log: reading.log,
    onPartitionsChanged: () => {},
    ...(inFlightBytesMax === undefined ? {} : { inFlightBytesMax }),
  });
  await session.join(["t"]);
};

beforeEach(async () => {
  reading = new Reading();
  log = new FakeLog();
  consumer = new FakeConsumer(log);
  await open();
});
afterEach(async () => {
  reading.acknowledge();
  await session.leave();
  await reading.intake.stop();
});

describe("offsets", () => {
  test("are committed behind what is acknowledged, and no further", async () => {
    reading.acknowledging = false;
    log.append("t", 0, "a", "b");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    log.append("t", 0, "c");
    await consumer.fetch();
    expect(reading.lines).toEqual(["a", "b", "c"]);
    reading.acknowledge(1);
    await session.leave();
    expect(log.commits).toEqual(["t/0 2"]);
  });

  test("are committed while it reads", async () => {
    log.append("t", 0, "a", "b");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    await until(
      () => log.commits.length > 0,
      () => "a commit",
    );
    expect(log.commits).toEqual(["t/0 2"]);
  });

  test("that could not be committed are committed with the next", async () => {
    log.append("t", 0, "a");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    consumer.commitError = new Error("away");
    consumer.emit("consumer.rebalancing", {});
    await until(
      () => reading.logged.some((line) => line.includes("could not be committed yet")),
      () => "a warning",
    );
    consumer.commitError = undefined;
    await session.leave();
    expect(log.commits).toEqual(["t/0 1"]);
    expect([consumer.paused, consumer.disconnected]).toEqual([true, true]);
  });

  test("of a topic that was made anew begin again", async () => {
    log.append("t", 0, "a", "b", "c");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    log.clear("t", 0);
    log.append("t", 0, "new");
    consumer.seek({ topic: "t", partition: 0, offset: "0" });
    await consumer.fetch();
    await session.leave();
    expect(reading.lines).toEqual(["a", "b", "c", "new"]);
    expect(log.committed.get("t/0")).toBe(1);
  });
});

test("messages that come again because the connection broke are handed on once", async () => {
  log.append("t", 0, "a", "b");
  consumer.join("m1", "t/0");
  consumer.heartbeatError = new Error("socket closed");
  // The library marks what it gave as taken only when nothing was thrown.
  const fetching = consumer.fetch();
  await expect(fetching).rejects.toThrow("socket closed");
  consumer.seek({ topic: "t", partition: 0, offset: "0" });
  log.append("t", 0, "c");
  await consumer.fetch();
  await session.leave();
  expect(reading.lines).toEqual(["a", "b", "c"]);
  expect(log.committed.get("t/0")).toBe(3);
});

describe("a rebalance", () => {
  test("with entries in flight repeats none of a partition that is kept", async () => {
    reading.acknowledging = false;
    log.append("t", 0, "a", "b");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    log.append("t", 0, "c");
    consumer.emit("consumer.rebalancing", {});
    consumer.join("m1", "t/0");
    await consumer.fetch();
    expect(reading.lines).toEqual(["a", "b", "c"]);
    reading.acknowledge();
    await session.leave();
    expect(log.committed.get("t/0")).toBe(3);
  });

  test("waits for what is in flight, and commits it before the partition goes to another", async () => {
    reading.acknowledging = false;
    log.append("t", 0, "a", "b");
    consumer.join("m1", "t/0");
    consumer.heartbeatError = rebalancing();
    reading.onBatch = () => setImmediate(() => reading.acknowledge());
    await expect(consumer.fetch()).rejects.toThrow("rebalancing");
    expect(log.committed.get("t/0")).toBe(2);
    const other = new FakeConsumer(log);
    consumer.join("m1", "t/1");
    expect(session.partitions.map(({ partition }) => partition)).toEqual([1]);
    other.join("m2", "t/0");
    expect(other.assigned).toEqual(["t/0"]);
  });

  test("after which a partition is gone commits nothing of it any more", async () => {
    reading.acknowledging = false;
    log.append("t", 0, "a");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    consumer.join("m1", "t/1");
    reading.acknowledge();
    await session.leave();
    expect(log.commits).toEqual([]);
  });

  test("that has put the member out begins at what is committed", async () => {
    reading.acknowledging = false;
    log.append("t", 0, "a", "b");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    consumer.join("m2", "t/0");
    reading.acknowledge();
    reading.acknowledging = true;
    await consumer.fetch();
    expect(reading.lines).toEqual(["a", "b", "a", "b"]);
    await session.leave();
    expect(log.commits).toEqual(["t/0 2"]);
  });
});

describe("a remote that is away", () => {
  test("stops the reading at the bound, and the group hears of the member meanwhile", async () => {
    await session.leave();
    consumer = new FakeConsumer(log);
    await open(1_000);
    reading.acknowledging = false;
    consumer.batchMax = 1;
    for (let i = 0; i < 10; i++) log.append("t", 0, "x".repeat(400));
    consumer.join("m1", "t/0");
    const fetching = (async () => {
      for (let i = 0; i < 10; i++) await consumer.fetch();
    })();
    const heard = (): boolean => consumer.heartbeats >= 4;
    await until(heard, () => "heartbeats");
    expect(reading.lines.length).toBe(3);
    reading.acknowledging = true;
    reading.acknowledge();
    await fetching;
    expect(reading.lines.length).toBe(10);
  });

  test("keeps one batch waiting, whatever rebalances", async () => {
    reading.room = new Promise(() => {});
    log.append("t", 0, "a");
    consumer.join("m1", "t/0");
    for (let i = 0; i < 3; i++) {
      consumer.heartbeatError = rebalancing();
      await expect(consumer.fetch()).rejects.toThrow("rebalancing");
      consumer.join("m1", "t/0");
      log.append("t", 0, `more ${i}`);
    }
    expect(reading.lines).toEqual(["a"]);
  });
});

describe("messages", () => {
  test("get the labels of topic, partition, member, group and key", async () => {
    const rules = ["topic", "partition", "member_id", "group_id", "message_key"].map((name) => ({
      source_labels: [`__meta_kafka_${name}`],
      target_label: name,
    }));
    const messages = reading.messages({ rules });
    await session.leave();
    consumer = new FakeConsumer(log);
    session = new GroupSession({
      consumer: consumer.asConsumer,
      groupId: "g",
      messages,
      intake: reading.intake,
      clock: hurriedClock,
      log: reading.log,
      onPartitionsChanged: () => {},
    });
    await session.join(["t"]);
    log.append("t", 3, { value: "a", key: "k" }, { value: "b" }, { value: "c", key: "" }, { value: null });
    consumer.join("m1", "t/3");
    await consumer.fetch();
    const labels = (key: string): string => `{group_id="g", job="k", member_id="m1", message_key="${key}", partition="3", topic="t"}`;
    expect(reading.entries).toEqual([`${labels("k")} a`, `${labels("none")} b`, `${labels("none")} c`, `${labels("none")} `]);
    expect(await reading.metric("promtail_kafka_target_entries_total")).toBe(4);
  });

  test("of no UTF-8 are sent with replacements, and do not stop those behind", async () => {
    log.append("t", 0, "\xff\xfe", "ok");
    consumer.join("m1", "t/0");
    await consumer.fetch();
    expect(reading.lines).toEqual(["\u{fffd}\u{fffd}", "ok"]);
  });
});
