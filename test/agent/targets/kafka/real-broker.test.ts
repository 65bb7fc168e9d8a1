import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kafkaSchema } from "../../../../agent/config/rare-blocks.ts";
import { Plain } from "../../../../agent/config/written.ts";
import { openKafka } from "../../../../agent/targets/kafka/open-kafka.ts";
import type { Source } from "../../../../agent/targets/source.ts";
import { Reading, until } from "../reading.ts";
import { brokerAbsence, RealBroker } from "./real-broker.ts";

const absence = brokerAbsence();
const RULES = ["topic", "message_key"].map((name) => ({ source_labels: [`__meta_kafka_${name}`], target_label: name }));

/** A source beside others of its group, with what it has read. */
class Member {
  readonly reading = new Reading();
  source: Source | undefined;

  async open(block: Record<string, unknown>): Promise<this> {
    const written = { use_incoming_timestamp: new Plain(true), labels: { job: "k" }, ...block };
    this.source = await openKafka(kafkaSchema().parse(written), this.reading.context(RULES));
    return this;
  }

  async end(): Promise<void> {
    await this.source?.stop({ drain: false });
    await this.reading.intake.stop();
  }
}

const values = (prefix: string, count: number): { value: string }[] =>
  Array.from({ length: count }, (_, i) => ({ value: `${prefix}${i}` }));

describe.skipIf(absence !== undefined)(`a real broker${absence === undefined ? "" : ` (${absence})`}`, () => {
  const broker = new RealBroker();
  const members: Member[] = [];
  const open = async (block: Record<string, unknown>): Promise<Member> => {
    members.push(new Member());
    return members.at(-1)!.open({ brokers: [broker.plain], ...block });
  };
  const read = (count: number, of: readonly Member[] = members): Promise<void> =>
    until(
      () => of.reduce((sum, { reading }) => sum + reading.lines.length, 0) >= count,
      () => of.map(({ reading }) => `${reading.lines.length}: ${reading.logged.join("")}`).join("\n"),
    );
  const endAll = async (): Promise<void> => {
    await Promise.all(members.splice(0).map((member) => member.end()));
  };

  beforeAll(() => broker.start(), 90_000);
  afterAll(async () => {
    await endAll();
    await broker.stop();
  }, 30_000);

  test("gives lines, keys and times, whatever they are packed with", async () => {
    for (const compression of ["gzip", "snappy", "lz4", "zstd"]) {
      await broker.createTopic(`packed-${compression}`, 1, compression);
      const message = { key: "k", value: `${compression} ${"long ".repeat(50)}`, timestamp: "1700000000123" };
      await broker.send(`packed-${compression}`, [message, { value: "without key" }]);
    }
    const { reading } = await open({ topics: ["^packed-"], group_id: "packed" });
    await read(8);
    const packed = (name: string): string[] => [
      `{job="k", message_key="k", topic="packed-${name}"} ${name} ${"long ".repeat(50)}`,
      `{job="k", message_key="none", topic="packed-${name}"} without key`,
    ];
    expect(reading.entries.toSorted()).toEqual(["gzip", "lz4", "snappy", "zstd"].flatMap(packed).sort());
    expect(reading.timesMs.filter((ms) => ms === 1_700_000_000_123).length).toBe(4);
    await endAll();
    expect(await broker.committed("packed", "packed-lz4")).toBe(2);
  }, 60_000);

  test.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])(
    "lets in by %s over TLS, and not with a wrong password",
    async (mechanism) => {
      const topic = `secret-${mechanism.toLowerCase()}`;
      await broker.createTopic(topic, 1);
      await broker.send(topic, values("s", 3));
      const block = (password: string) => ({
        brokers: [broker.sasl],
        topics: [topic],
        group_id: topic,
        authentication: {
          type: "sasl",
          sasl_config: { mechanism, user: broker.user, password, use_tls: new Plain(true), ca_file: broker.caFile },
        },
      });
      const wrong = await open(block("guessed"));
      await until(
        () => wrong.reading.logged.some((line) => line.includes("could not read from Kafka")),
        () => wrong.reading.logged.join(""),
      );
      await endAll();
      const { reading } = await open(block(broker.password));
      await read(3);
      expect(reading.lines).toEqual(["s0", "s1", "s2"]);
      await endAll();
    },
    60_000,
  );

  test("shares partitions among members; one that comes and one that goes repeat and lose nothing", async () => {
    await broker.createTopic("shared", 6);
    const block = { topics: ["shared"], group_id: "shared" };
    const first = await open(block);
    await until(
      () => first.source!.targets.length === 6,
      () => first.reading.logged.join(""),
    );
    await broker.send("shared", values("a", 200));
    await read(200);
    const second = await open(block);
    await broker.send("shared", values("b", 200));
    await until(
      () => first.source!.targets.length === 3 && second.source!.targets.length === 3,
      () => second.reading.logged.join(""),
    );
    await broker.send("shared", values("c", 200));
    await read(600);
    await first.end();
    await until(
      () => second.source!.targets.length === 6,
      () => second.reading.logged.join(""),
    );
    await broker.send("shared", values("d", 200));
    await read(800);
    const lines = [...first.reading.lines, ...second.reading.lines];
    expect([lines.length, new Set(lines).size]).toEqual([800, 800]);
    await endAll();
    expect(await broker.committed("shared", "shared")).toBe(800);
  }, 90_000);

  test("repeats what was not acknowledged, and nothing else", async () => {
    await broker.createTopic("replayed", 1);
    const block = { topics: ["replayed"], group_id: "replayed" };
    const first = await open(block);
    await broker.send("replayed", values("a", 10));
    await read(10);
    first.reading.acknowledging = false;
    await broker.send("replayed", values("b", 5));
    await read(15);
    await endAll();
    expect(await broker.committed("replayed", "replayed")).toBe(10);
    const second = await open(block);
    await read(5);
    expect(second.reading.lines).toEqual(["b0", "b1", "b2", "b3", "b4"]);
    await endAll();
  }, 60_000);
});
