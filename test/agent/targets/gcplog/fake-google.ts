// Pub/Sub as far as pulling goes, and Google's tokens, as small as the tests need them; with faults to order.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What is not acknowledged comes again with the next pull, or when its lease is over. */
export class FakeGoogle {
  /** How long a message that was given to one is not given to another. */
  leaseMs = 0;
  readonly #leasedUntilMs = new Map<string, number>();
  readonly waiting = new Map<string, string>();
  readonly requests: { path: string; authorization: string | undefined; body: string }[] = [];
  /** Statuses for the next requests of a path's end, instead of an answer; 0 cuts the connection. */
  readonly faults = new Map<string, number[]>();
  tokens = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const body = await textOf(request);
      const path = request.url!;
      this.requests.push({ path, authorization: request.headers.authorization, body });
      const fault = this.faults.get(path.split(/[:/]/).at(-1)!)?.shift();
      if (fault === 0) return void request.socket.destroy();
      if (fault !== undefined) return void response.writeHead(fault).end(`{"error": {"code": ${fault}}}`);
      response.end(JSON.stringify(path.includes("token") ? this.#token() : this.#answer(path, JSON.parse(body) as Asked)));
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  publish(...texts: string[]): void {
    for (const text of texts) this.waiting.set(`ack-${this.waiting.size}-${text}`, JSON.stringify({ logName: "l", textPayload: text }));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #token(): object {
    return { access_token: `token-${++this.tokens}`, expires_in: 3600 };
  }

  #answer(path: string, { ackIds = [], maxMessages = 1_000 }: Asked): object {
    if (path.endsWith(":acknowledge")) for (const id of ackIds) this.waiting.delete(id);
    if (!path.endsWith(":pull")) return {};
    const nowMs = Date.now();
    const free = [...this.waiting].filter(([id]) => (this.#leasedUntilMs.get(id) ?? 0) <= nowMs).slice(0, maxMessages);
    for (const [id] of free) this.#leasedUntilMs.set(id, nowMs + this.leaseMs);
    const messages = free.map(([ackId, data]) => ({ ackId, message: { data: Buffer.from(data).toString("base64") } }));
    return messages.length === 0 ? {} : { receivedMessages: messages };
  }
}

interface Asked {
  readonly ackIds?: readonly string[];
  readonly maxMessages?: number;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString();
}
