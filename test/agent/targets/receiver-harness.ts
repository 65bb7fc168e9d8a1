// A receiving source on the loopback in front of an intake whose sink acknowledges at once, or when it is told.

import { connect } from "node:net";
import { Registry } from "prom-client";
import { rareSchema } from "../../../agent/config/rare-blocks.ts";
import type { RareBlock } from "../../../agent/config/scrape-config.ts";
import { keepAsWritten } from "../../../agent/config/written.ts";
import { EntryRelabel } from "../../../agent/entry-relabel.ts";
import { SharedPipeline } from "../../../agent/shared-pipeline.ts";
import type { Spool } from "../../../agent/spool/spool.ts";
import { Intake } from "../../../agent/targets/intake.ts";
import type { OpenSource, Source } from "../../../agent/targets/source.ts";
import { type Clock, systemClock } from "../../../lib/runtime/clock.ts";
import { parseYaml } from "../../../lib/runtime/config-file.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { RELABEL_DEFAULTS, type RelabelConfig } from "../../../lib/text/relabel.ts";
import type { EntryBatch, Ticket } from "../../../lib/wire/entry-batch.ts";
import { Pipeline } from "../../../pipelines/pipeline.ts";

export interface TakenEntry {
  readonly labels: Record<string, string>;
  readonly line: string;
  readonly ns: string;
  readonly metadata?: readonly (readonly [string, string])[];
}

export class ReceiverRun {
  readonly registry = new Registry();
  readonly logged: string[] = [];
  readonly entries: TakenEntry[] = [];
  /** Acknowledge nothing until `acknowledge`. */
  holding = false;
  readonly #held: Ticket[] = [];
  source: Source | undefined;
  #intake: Intake | undefined;

  /** @param yaml of the block, its server's address left out */
  async open(
    block: RareBlock,
    open: OpenSource,
    yaml: string,
    options: { relabel?: Partial<RelabelConfig>[]; spool?: Spool; port?: number; server?: string; clock?: Clock } = {},
  ): Promise<void> {
    const written = parseYaml(
      `server: {http_listen_address: 127.0.0.1, http_listen_port: ${options.port ?? 0}${options.server ?? ""}}\n${yaml}`,
      "test.yaml",
      keepAsWritten,
    ).value;
    const log = createLog({ write: (line) => this.logged.push(line) });
    const pipeline = new SharedPipeline(new Pipeline({ process: () => {} })).lease();
    const spool = options.spool === undefined ? {} : { spool: options.spool };
    this.#intake = new Intake({ pipeline, sink: { consume: (batch) => this.#consume(batch) }, clock: systemClock, log, ...spool });
    await this.#intake.start();
    this.source = await open(rareSchema(block).parse(written) as never, {
      jobName: "test",
      relabel: new EntryRelabel((options.relabel ?? []).map((rule) => ({ ...RELABEL_DEFAULTS, ...rule }))),
      intake: this.#intake,
      positions: undefined as never,
      registry: this.registry,
      clock: options.clock ?? systemClock,
      log,
      onTargetFailed: () => {},
      onTargetsChanged: () => {},
      lineBytesMax: 0,
    });
  }

  get port(): number {
    const { address } = this.details as { address: string };
    return Number(address.split(":")[1]);
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get details(): Record<string, unknown> {
    return this.source!.targets[0]!.details() as Record<string, unknown>;
  }

  get lines(): string[] {
    return this.entries.map(({ line }) => line);
  }

  async post(
    path: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; text: string; retryAfter: string | null }> {
    const response = await fetch(`${this.origin}${path}`, {
      method: "POST",
      body: typeof body === "string" ? body : Buffer.from(body),
      headers,
    });
    return { status: response.status, text: (await response.text()).trimEnd(), retryAfter: response.headers.get("retry-after") };
  }

  /** Writes bytes to a connection, and ends it without reading. */
  async writeAndLeave(bytes: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const socket = connect(this.port, "127.0.0.1", () => socket.write(bytes, () => socket.destroy()));
      socket.on("close", () => resolve());
    });
  }

  acknowledge(): void {
    for (const ticket of this.#held.splice(0)) ticket.release();
  }

  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const found = await this.registry.getSingleMetric(name)?.get();
    const values = found?.values.filter((value) => Object.entries(labels).every(([label, want]) => value.labels[label] === want)) ?? [];
    return values.reduce((sum, { value }) => sum + value, 0);
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 400 && !(await condition()); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    if (!(await condition())) throw new Error(`not within time: ${condition}\n${this.logged.join("")}`);
  }

  async close(): Promise<void> {
    this.acknowledge();
    this.holding = false;
    await this.source?.stop({ drain: false });
    await this.#intake?.stop();
  }

  #consume(batch: EntryBatch): void {
    for (const i of batch.live.subarray(0, batch.liveCount)) {
      const metadata = batch.metadata?.[i];
      this.entries.push({
        labels: batch.labels.get(i)!.toObject(),
        line: batch.line(i),
        ns: String(BigInt(batch.secondsOf(i)) * 1_000_000_000n + BigInt(batch.nanos[i]!)),
        ...(metadata === undefined ? {} : { metadata: [...metadata] }),
      });
    }
    if (!this.holding) return;
    for (const ticket of batch.tickets) {
      ticket.hold();
      this.#held.push(ticket);
    }
  }
}
