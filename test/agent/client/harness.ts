// A push endpoint on the loopback that answers from a script, and clients in front of it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { type ClientOptions, type Clients, type ClientsShared, openClients } from "../../../agent/client/clients.ts";
import type { ClientDisk } from "../../../agent/client/disk-queue.ts";
import { TicketLedger } from "../../../agent/tickets.ts";
import { kernels } from "../../../lib/kernels/index.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { EntryBatch, type MetadataPair } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { silentLog } from "../../silent-log.ts";

export interface TakenRequest {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** `labels line`, in order of the request. */
  readonly entries: readonly string[];
  readonly lines: readonly string[];
  readonly status: number;
  readonly atMs: number;
}

export interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly delayMs?: number;
  /** Cuts the connection instead of answering. */
  readonly reset?: boolean;
}

export type Script = (number | Answer)[] | ((request: { lines: readonly string[]; tenant: string }) => number | Answer);

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export class PushServer {
  readonly requests: TakenRequest[] = [];
  readonly #server: Server;
  #script: Script;

  readonly #scheme: string;

  private constructor(script: Script, tls: Certificate | undefined) {
    this.#script = script;
    const answer = (request: IncomingMessage, response: ServerResponse): void => void this.#answer(request, response);
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  }

  static async open(script: Script = [], tls?: Certificate): Promise<PushServer> {
    const server = new PushServer(script, tls);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get origin(): string {
    return `${this.#scheme}://${this.host}`;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `${this.origin}/loki/api/v1/push`;
  }

  /** Lines of requests that were accepted, in order. */
  get accepted(): string[] {
    return this.requests.filter((request) => request.status < 300).flatMap((request) => request.lines);
  }

  /** From now on. */
  answers(script: Script): void {
    this.#script = script;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const entries = request.headers["content-type"] === "application/x-protobuf" ? decode(Buffer.concat(parts)) : [];
    const lines = entries.map((entry) => entry.slice(entry.indexOf("} ") + 2));
    const step =
      typeof this.#script === "function"
        ? this.#script({ lines, tenant: String(request.headers["x-scope-orgid"] ?? "") })
        : (this.#script.shift() ?? 204);
    const answer = typeof step === "number" ? { status: step } : step;
    if (answer.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    this.requests.push({ path: request.url!, headers: request.headers, entries, lines, status: answer.status, atMs: Date.now() });
    if (answer.reset === true) return void request.socket.destroy();
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body ?? "");
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function decode(body: Buffer): string[] {
  const push = kernels.decodePush(kernels.snappyDecompress(body, 64 * 1024 * 1024).slice());
  const raw = kernels.snappyDecompress(body, 64 * 1024 * 1024).slice();
  const again = kernels.decodePush(raw);
  const out: string[] = [];
  for (let s = 0; s < push.streamCount; s++) {
    const [labelsStart, labelsEnd, first, end] = again.streams.slice(s * 4, s * 4 + 4);
    const labels = Buffer.from(raw.subarray(labelsStart, labelsEnd)).toString();
    for (let i = first!; i < end!; i++) {
      const start = i === 0 ? 0 : again.ends[i - 1]! + 1;
      out.push(`${labels} ${Buffer.from(again.bytes.subarray(start, again.ends[i])).toString()}`);
    }
  }
  return out;
}

export const OPTIONS: Omit<ClientOptions, "url"> = {
  name: "test",
  tenantId: "",
  batchWaitMs: 20,
  batchBytes: 1_048_576,
  headers: {},
  followRedirects: true,
  backoff: { minMs: 5, maxMs: 20, retriesMax: 5 },
  dropRateLimitedBatches: false,
  externalLabels: {},
  timeoutMs: 2_000,
};

export class Bench {
  readonly registry = new Registry();
  readonly clients: Clients;
  readonly ledger = new TicketLedger(0);
  #position = 0;

  constructor(options: readonly ClientOptions[], shared: Partial<ClientsShared> = {}, disks: readonly (ClientDisk | undefined)[] = []) {
    const all = {
      maxLineBytes: 0,
      maxLineTruncate: false,
      maxStreams: 0,
      registry: this.registry,
      log: silentLog,
      clock: systemClock,
      random: () => 0.5,
      userAgent: "skald/1.2.3",
      ...shared,
    };
    this.clients = openClients(options, all, disks);
  }

  /** Hands in lines as one batch of one stream, with a ticket of their count. */
  push(
    lines: readonly (string | Uint8Array)[],
    labels: Record<string, string> = { job: "app" },
    metadata?: MetadataPair[],
  ): Promise<void> | void {
    const batch = new EntryBatch();
    for (const line of lines) batch.addText(line, 1_700_000_000, this.#position, LabelSet.fromObject(labels));
    if (metadata !== undefined) for (let i = 0; i < lines.length; i++) batch.metadata = [...(batch.metadata ?? []), metadata];
    return this.consume(batch);
  }

  consume(batch: EntryBatch): Promise<void> | void {
    this.#position += batch.count;
    const ticket = this.ledger.issue(this.#position);
    batch.tickets = [ticket];
    const room = this.clients.consume(batch);
    ticket.release();
    return room;
  }

  async settled(timeoutMs = 5_000): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!this.clients.idle()) {
      if (Date.now() > end) throw new Error("clients did not become idle");
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /** Sum over a metric's values whose labels contain these. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)!.get();
    return metric.values
      .filter((value) => Object.entries(labels).every(([key, wanted]) => (value.labels as Record<string, unknown>)[key] === wanted))
      .reduce((sum, value) => sum + value.value, 0);
  }
}
