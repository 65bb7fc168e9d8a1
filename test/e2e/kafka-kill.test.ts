// A real broker, the built agent and the built server: the agent is killed while it reads, at full size the broker too, and every
// message arrives: npm run faults -- kafka --kills=3 --broker-kills=1

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokerAbsence, RealBroker } from "../agent/targets/kafka/real-broker.ts";
import { faultSetting, report } from "./fault-settings.ts";
import { freePort, isReady, type Program, readStreams, sleep, startSkald, until } from "./processes.ts";

const absence = brokerAbsence();
const KILLS = faultSetting("kills", 1);
const BROKER_KILLS = faultSetting("broker-kills", 0);
const MESSAGES = 6_000;
const SENT_AT_ONCE = 500;
/** Messages to the event hub beside them: resource logs of two records, and some that are none. */
const HUB_MESSAGES = 600;
const HUB_GARBAGE_EVERY = 20;

describe.skipIf(absence !== undefined)(`Kafka${absence === undefined ? "" : ` (${absence})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "skald-kafka-kill-"));
  const broker = new RealBroker();
  const programs: Program[] = [];
  beforeAll(() => broker.start(), 90_000);
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop("SIGKILL")));
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 30_000);

  test("loses nothing when the agent is killed", async () => {
    const startedMs = Date.now();
    const [serverPort, agentPort] = [await freePort(), await freePort()];
    const start = (args: readonly string[], name: string): Program => {
      programs.push(startSkald(args, join(folder, `${name}.log`), { env: { NODE_EXTRA_CA_CERTS: broker.caFile } }));
      return programs.at(-1)!;
    };
    const serverConfig = join(folder, "server.yaml");
    writeFileSync(
      serverConfig,
      `auth_enabled: false
server: { http_listen_address: 127.0.0.1, http_listen_port: ${serverPort}, log_level: warn }
common: { path_prefix: ${join(folder, "data")} }
limits_config: { max_entries_limit_per_query: 5000000 }
`,
    );
    start(["server", `-config.file=${serverConfig}`], "server");
    const config = join(folder, "agent.yaml");
    writeFileSync(
      config,
      `server: { http_listen_port: ${agentPort}, http_listen_address: 127.0.0.1 }
positions: { filename: ${join(folder, "positions.yaml")} }
clients: [{ url: "http://127.0.0.1:${serverPort}/loki/api/v1/push", batchwait: 200ms }]
scrape_configs:
  - job_name: k
    kafka: { brokers: ["${broker.plain}"], topics: [killed], group_id: killed, use_incoming_timestamp: true, labels: { job: k } }
  - job_name: hub
    azure_event_hubs: { fully_qualified_namespace: "${broker.sasl}", connection_string: ${broker.password}, event_hubs: [hub], group_id: killed-hub, disallow_custom_messages: true, use_incoming_timestamp: true, labels: { job: hub } }
`,
    );
    await until("the server", () => isReady(serverPort), 60_000);
    await broker.createTopic("killed", 3);
    await broker.createTopic("hub", 2);
    let agent = start(["agent", `-config.file=${config}`], "agent");
    const killAgent = async (): Promise<void> => {
      await agent.stop("SIGKILL");
      agent = start(["agent", `-config.file=${config}`], "agent");
    };
    const killBroker = async (): Promise<void> => {
      await broker.kill();
      await broker.run();
    };
    const kills = [...Array.from({ length: KILLS }, () => killAgent), ...Array.from({ length: BROKER_KILLS }, () => killBroker)];
    for (let sent = 0, killed = 0; sent < MESSAGES; sent += SENT_AT_ONCE) {
      const numbers = Array.from({ length: SENT_AT_ONCE }, (_, i) => sent + i);
      await broker.send(
        "killed",
        numbers.map((number) => ({ value: `line ${number}` })),
      );
      await broker.send("hub", hubMessages((sent * HUB_MESSAGES) / MESSAGES, ((sent + SENT_AT_ONCE) * HUB_MESSAGES) / MESSAGES));
      await sleep(300);
      if (killed < kills.length && sent >= ((killed + 1) * MESSAGES) / (kills.length + 1)) await kills[killed++]!();
    }
    const lines = async (job: string): Promise<string[]> =>
      [...(await readStreams(serverPort, `{job="${job}"}`, startedMs)).values()].flat().map(({ line }) => line);
    await until("all lines", async () => new Set(await lines("k")).size === MESSAGES, 90_000);
    // A message that is sent again has the same time, so that the server keeps one.
    expect((await lines("k")).length).toBe(MESSAGES);
    const records = 2 * (HUB_MESSAGES - HUB_MESSAGES / HUB_GARBAGE_EVERY);
    await until("all records", async () => new Set(await lines("hub")).size === records, 30_000);
    expect((await lines("hub")).length).toBe(records);
    report("kafka", { messages: MESSAGES, kills: KILLS, broker_kills: BROKER_KILLS, lost: 0 });
  }, 300_000);
});

function hubMessages(from: number, to: number): { value: string }[] {
  return Array.from({ length: to - from }, (_, i) => {
    const n = from + i;
    if (n % HUB_GARBAGE_EVERY === 0) return { value: `garbage ${n}` };
    const record = (part: number): object => ({
      time: new Date().toISOString(),
      category: "c",
      resourceId: "/r",
      operationName: `${n}.${part}`,
    });
    return { value: JSON.stringify({ records: [record(0), record(1)] }) };
  });
}
