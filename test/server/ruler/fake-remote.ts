// An HTTP server in place of an Alertmanager or a remote: it keeps what it is sent, and answers as it is told.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FakeRemote {
  readonly url: string;
  readonly received: Received[];
  /** How the next requests are answered; 200 when nothing is set. `hang`: never. */
  answer: (request: Received) => number | "hang" | { status: number; headers?: Record<string, string>; text?: string };
  /** Resolves when so many requests have come. */
  requests(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function fakeRemote(): Promise<FakeRemote> {
  const waiting: { count: number; resolve: () => void }[] = [];
  const open = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const got = { path: request.url!, headers: request.headers, body: Buffer.concat(parts) };
      remote.received.push(got);
      const answer = remote.answer(got);
      if (answer === "hang") open.add(response);
      else if (typeof answer === "number") response.writeHead(answer).end("said so\nand more");
      else response.writeHead(answer.status, answer.headers).end(answer.text ?? "");
      for (const { count, resolve } of waiting) if (remote.received.length >= count) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const remote: FakeRemote = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    answer: () => 200,
    requests: (count) =>
      new Promise((resolve) => {
        if (remote.received.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    async close() {
      for (const response of open) response.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return remote;
}

/** Turns of the event loop, for work that takes no time of the clock's. */
export async function settle(done: () => boolean, turns = 2000): Promise<void> {
  for (let turn = 0; turn < turns && !done(); turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  if (!done()) throw new Error(`not within ${turns} turns: ${done}`);
}
