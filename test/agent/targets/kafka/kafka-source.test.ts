import { afterEach, beforeEach, expect, test } from "vitest";
import { type Cluster, KafkaSource } from "../../../../agent/targets/kafka/kafka-source.ts";
import { chooseTopics } from "../../../../agent/targets/kafka/topics.ts";
import { hurriedClock, Reading, until } from "../reading.ts";
import { FakeConsumer, FakeLog } from "./fake-group.ts";

let reading: Reading;
let log: FakeLog;
let consumers: FakeConsumer[];
let topics: string[];
let away: Error | undefined;
let failures: number;
let source: KafkaSource;

const cluster: Cluster = {
  listTopics: async () => {
    if (away !== undefined) throw away;
    return topics;
  },
  consumer: () => {
    consumers.push(new FakeConsumer(log));
    return consumers.at(-1)!.asConsumer;
  },
};
const open = (): void => {
  source = new KafkaSource({
    kind: "Kafka",
    cluster,
    groupId: "g",
    choose: chooseTopics(["^app"]),
    messages: reading.messages(),
    intake: reading.intake,
    clock: hurriedClock,
    log: reading.log,
    random: () => 0,
    onTargetsChanged: () => {},
    onTargetFailed: () => failures++,
  });
};
const joined = (count: number): Promise<void> =>
  until(
    () => (consumers[count - 1]?.subscribed.length ?? 0) > 0,
    () => reading.logged.join(""),
  );

beforeEach(() => {
  reading = new Reading();
  log = new FakeLog();
  consumers = [];
  topics = ["app", "db"];
  away = undefined;
  failures = 0;
});
afterEach(async () => {
  await source.stop();
  await reading.intake.stop();
});

test("brokers that are away at the start are waited for", async () => {
  away = new Error("connect ECONNREFUSED");
  open();
  await until(
    () => failures >= 3,
    () => "failures",
  );
  away = undefined;
  await joined(1);
  expect(consumers[0]!.subscribed).toEqual(["app"]);
});

test("a membership that ends is followed by another, which begins at what is committed", async () => {
  open();
  await joined(1);
  log.append("app", 0, "a", "b", "c");
  consumers[0]!.batchMax = 2;
  consumers[0]!.join("m1", "app/0");
  await consumers[0]!.fetch();
  await until(
    () => log.committed.get("app/0") === 2,
    () => "a commit",
  );
  consumers[0]!.emit("consumer.crash", { error: new Error("broker gone") });
  await joined(2);
  consumers[1]!.join("m2", "app/0");
  await consumers[1]!.fetch();
  expect(reading.lines).toEqual(["a", "b", "c"]);
  expect(consumers[0]!.disconnected).toBe(true);
  expect(failures).toBe(1);
});

test("topics that come are read without a restart", async () => {
  open();
  await joined(1);
  topics = ["app", "app-2"];
  await joined(2);
  expect([consumers[0]!.disconnected, consumers[1]!.subscribed]).toEqual([true, ["app", "app-2"]]);
});

test("a cluster without the topics is looked at again", async () => {
  topics = [];
  open();
  await until(
    () => reading.logged.some((line) => line.includes("none of the topics")),
    () => "a warning",
  );
  topics = ["app"];
  await joined(1);
});

test("each partition is a target, as long as it is this member's", async () => {
  open();
  await joined(1);
  expect(source.targets).toEqual([]);
  consumers[0]!.join("m1", "app/0", "app/1");
  expect(source.targets.map(({ kind, labels, discovered }) => [kind, String(labels), discovered.__meta_kafka_partition])).toEqual([
    ["Kafka", '{job="k"}', "0"],
    ["Kafka", '{job="k"}', "1"],
  ]);
  expect(source.targets[1]!.details()).toEqual({ topic: "app", partition: 1, member_id: "m1", group_id: "g", offset: "" });
  consumers[0]!.join("m1", "app/1");
  expect(source.targets.length).toBe(1);
});
