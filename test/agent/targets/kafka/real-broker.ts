// A real Kafka broker, one node, started for the tests where scripts/fetch-kafka.mjs has put it and Java is there.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import kafkajs, { type Admin, type Kafka, type Producer } from "kafkajs";
import { freePort } from "../../../e2e/processes.ts";
import { until } from "../reading.ts";

const LIBRARIES = join(process.env.SKALD_TEST_CACHE || join(homedir(), ".cache", "skald-tests"), "kafka-4.1.0");
const JAVA = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", join(LIBRARIES, "*")];
const USER = "alice";
const PASSWORD = "secret";

/** Why there is no broker to test with; undefined when there is one. */
export function brokerAbsence(): string | undefined {
  if (!existsSync(LIBRARIES)) return "no Kafka broker: node scripts/fetch-kafka.mjs fetches one";
  try {
    execFileSync("java", ["-version"], { stdio: "ignore" });
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "no Kafka broker: java and openssl are needed to run it";
  }
}

export class RealBroker {
  readonly folder = mkdtempSync(join(tmpdir(), "skald-kafka-"));
  readonly caFile = join(this.folder, "cert.pem");
  readonly user = USER;
  readonly password = PASSWORD;
  plain = "";
  sasl = "";
  #process: ChildProcess | undefined;
  #kafka: Kafka | undefined;
  #admin: Admin | undefined;
  #producer: Producer | undefined;

  async start(): Promise<void> {
    const [plain, sasl, controller] = [await freePort(), await freePort(), await freePort()];
    this.plain = `127.0.0.1:${plain}`;
    this.sasl = `localhost:${sasl}`;
    this.#writeFiles(`127.0.0.1:${controller}`);
    const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((name) => ["--add-scram", `${name}=[name=${USER},password=${PASSWORD}]`]);
    const config = join(this.folder, "server.properties");
    execFileSync("java", [...JAVA, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", config, ...scram], {
      stdio: "ignore",
    });
    this.#kafka = new kafkajs.Kafka({ brokers: [this.plain], logLevel: kafkajs.logLevel.NOTHING, retry: { retries: 8 } });
    await this.run();
  }

  /** Starts the program, also after `kill`. */
  async run(): Promise<void> {
    this.#process = spawn("java", [...JAVA, "kafka.Kafka", join(this.folder, "server.properties")], { stdio: "ignore" });
    await until(
      () => this.#answers(),
      () => "the broker",
    );
    this.#admin = this.#kafka!.admin();
    this.#producer = this.#kafka!.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await Promise.all([this.#admin.connect(), this.#producer.connect()]);
  }

  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.#process?.once("exit", resolve));
    await Promise.all([this.#admin?.disconnect(), this.#producer?.disconnect()]);
    this.#process?.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** @param compression what the broker stores: it packs anew what it is sent */
  async createTopic(topic: string, numPartitions: number, compression = "producer"): Promise<void> {
    const configEntries = [{ name: "compression.type", value: compression }];
    await this.#admin!.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, configEntries }] });
    // The client's own way of waiting gives up when the broker knows of the topic later than of its making.
    await until(
      () => this.#hasLeaders(topic, numPartitions),
      () => `leaders for the ${numPartitions} partitions of ${topic}`,
    );
  }

  async #hasLeaders(topic: string, numPartitions: number): Promise<boolean> {
    try {
      const { topics } = await this.#admin!.fetchTopicMetadata({ topics: [topic] });
      const led = topics[0]?.partitions.filter(({ leader }) => leader >= 0) ?? [];
      return led.length === numPartitions;
    } catch {
      return false;
    }
  }

  async send(topic: string, messages: readonly { key?: string; value: string; partition?: number; timestamp?: string }[]): Promise<void> {
    await this.#producer!.send({ topic, messages: [...messages] });
  }

  /** What a group has committed, over all partitions. */
  async committed(groupId: string, topic: string): Promise<number> {
    const [found] = await this.#admin!.fetchOffsets({ groupId, topics: [topic] });
    return (found?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
  }

  async #answers(): Promise<boolean> {
    const admin = this.#kafka!.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      await admin.listTopics();
      return true;
    } catch {
      return false;
    } finally {
      await admin.disconnect();
    }
  }

  #writeFiles(controller: string): void {
    const key = join(this.folder, "key.pem");
    const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    execFileSync("openssl", [...request, "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", this.caFile], {
      stdio: "ignore",
    });
    execFileSync("sh", ["-c", `cat "${key}" "${this.caFile}" > "${join(this.folder, "both.pem")}"`]);
    const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    const lines = [
      "process.roles=broker,controller",
      "node.id=1",
      `controller.quorum.voters=1@${controller}`,
      `listeners=PLAINTEXT://${this.plain},SASL_SSL://${this.sasl},CONTROLLER://${controller}`,
      `advertised.listeners=PLAINTEXT://${this.plain},SASL_SSL://${this.sasl}`,
      "controller.listener.names=CONTROLLER",
      "inter.broker.listener.name=PLAINTEXT",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
      "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
      `listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER}="${PASSWORD}" user_$ConnectionString="${PASSWORD}";`,
      `listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${scram}`,
      `listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${scram}`,
      "ssl.keystore.type=PEM",
      `ssl.keystore.location=${join(this.folder, "both.pem")}`,
      `log.dirs=${join(this.folder, "data")}`,
      "offsets.topic.replication.factor=1",
      "offsets.topic.num.partitions=1",
      "transaction.state.log.replication.factor=1",
      "transaction.state.log.min.isr=1",
      "group.initial.rebalance.delay.ms=0",
      "auto.create.topics.enable=false",
    ];
    writeFileSync(join(this.folder, "server.properties"), `${lines.join("\n")}\n`);
  }
}
