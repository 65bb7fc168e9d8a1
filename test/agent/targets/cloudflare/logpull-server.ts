// Cloudflare's log pull, as small as the tests need it: one zone whose lines have a time in milliseconds, and faults to order.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

export const TOKEN = "token";
export const ZONE = "zone1";

export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  /** The connection ends after so many bytes of the body. */
  | { readonly kind: "cut"; readonly bytes: number }
  | { readonly kind: "reset" };

export interface Asked {
  readonly startMs: number;
  readonly endMs: number;
  readonly fields: string;
}

export class LogpullServer {
  readonly #server: Server;
  /** Lines by their time. */
  readonly lines: (readonly [ms: number, line: string])[] = [];
  /** Of each request that was answered in full. */
  readonly answered: Asked[] = [];
  readonly asked: Asked[] = [];
  /** Given to the next requests, one each. */
  readonly faults: Fault[] = [];
  gzip = true;
  /** Answers have their lines in another order every time. */
  shuffles = false;

  constructor(tls?: ServerOptions) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response);
    this.#server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/client/v4`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, "http://localhost");
    const ms = (name: string): number => Number(BigInt(url.searchParams.get(name)!) / 1_000_000n);
    const asked = { startMs: ms("start"), endMs: ms("end"), fields: url.searchParams.get("fields")! };
    this.asked.push(asked);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return void response.writeHead(403).end('{"errors":[{"message":"no"}]}');
    if (url.pathname !== `/client/v4/zones/${ZONE}/logs/received`) return void response.writeHead(404).end();
    const fault = this.faults.shift();
    if (fault?.kind === "reset") return void request.socket.destroy();
    if (fault?.kind === "status") {
      const headers = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
      return void response.writeHead(fault.status, headers).end("not now");
    }
    const found = this.lines.filter(([at]) => at >= asked.startMs && at < asked.endMs).map(([, line]) => line);
    if (this.shuffles && this.asked.length % 2 === 0) found.reverse();
    const text = Buffer.from(found.map((line) => `${line}\n`).join(""));
    const body = this.gzip ? gzipSync(text) : text;
    response.writeHead(200, { "content-length": body.length, ...(this.gzip ? { "content-encoding": "gzip" } : {}) });
    if (fault?.kind === "cut") {
      response.write(body.subarray(0, fault.bytes), () => setImmediate(() => request.socket.destroy()));
      return;
    }
    this.answered.push(asked);
    response.end(body);
  }
}
