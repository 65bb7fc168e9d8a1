// An agent process with a configuration of its own, for tests of what survives.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, isReady, type Program, startSkald, until } from "./processes.ts";

export interface AgentSettings {
  readonly folder: string;
  readonly url: string;
  /** Of further clients. */
  readonly otherUrls?: readonly string[];
  readonly pattern: string;
  /** Of the positions file. */
  readonly syncPeriod?: string;
  readonly poll?: readonly [min: string, max: string];
  readonly reconcile?: string;
  readonly batchWait?: string;
  readonly batchBytes?: number;
}

export class AgentUnderTest {
  readonly folder: string;
  readonly logs: string;
  readonly port: number;
  program: Program | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.logs = join(folder, "logs");
    this.port = port;
  }

  static async prepare(settings: AgentSettings): Promise<AgentUnderTest> {
    const agent = new AgentUnderTest(settings.folder, await freePort());
    mkdirSync(agent.logs, { recursive: true });
    writeFileSync(join(agent.folder, "agent.yaml"), agent.#config(settings));
    return agent;
  }

  get positionsPath(): string {
    return join(this.folder, "positions.yaml");
  }

  get logPath(): string {
    return join(this.folder, "agent.log");
  }

  /** @param within as in `startSkald` */
  async start(within: readonly string[] = []): Promise<Program> {
    this.program = startSkald(["agent", `-config.file=${join(this.folder, "agent.yaml")}`], this.logPath, { within });
    await until("agent ready", async () => !this.program!.running() || (await isReady(this.port)), 60_000);
    if (!this.program.running()) throw new Error(`the agent has ended: ${this.program.output().slice(-2000)}`);
    return this.program;
  }

  /** SIGKILL, or what is given. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.program?.stop(signal);
  }

  /** The sum of a metric over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([-+.e\\d]+)$`, "gm"))];
    return values.reduce((sum, match) => sum + Number(match[1]), 0);
  }

  #config({
    url,
    otherUrls = [],
    pattern,
    syncPeriod = "200ms",
    poll = ["50ms", "100ms"],
    reconcile = "500ms",
    batchWait = "100ms",
    batchBytes = 1_048_576,
  }: AgentSettings): string {
    const clientOf = (to: string): string =>
      `{url: "${to}", batchwait: ${batchWait}, batchsize: ${batchBytes}, backoff_config: {min_period: 50ms, max_period: 500ms, max_retries: 0}}`;
    return `
server: {http_listen_address: 127.0.0.1, http_listen_port: ${this.port}, grpc_listen_port: 0}
global: {file_watch_config: {min_poll_frequency: ${poll[0]}, max_poll_frequency: ${poll[1]}}}
positions: {filename: ${this.positionsPath}, sync_period: ${syncPeriod}}
target_config: {sync_period: ${reconcile}}
clients: [${[url, ...otherUrls].map(clientOf).join(", ")}]
scrape_configs:
  - job_name: e2e
    static_configs: [{labels: {job: e2e, __path__: "${this.logs}/${pattern}"}}]
`;
  }
}
