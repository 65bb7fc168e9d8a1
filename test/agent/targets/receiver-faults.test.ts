// Whoever receives on HTTP, under the same faults: senders that reconnect, that break off in the middle, that send garbage, and that come
// all at once. What was taken and what was refused is all that was sent, by the count.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RareBlock } from "../../../agent/config/scrape-config.ts";
import { openGcplog } from "../../../agent/targets/gcplog/open-gcplog.ts";
import { openHerokuDrain } from "../../../agent/targets/heroku/open-heroku.ts";
import { openLokiPush } from "../../../agent/targets/push/open-push.ts";
import type { OpenSource } from "../../../agent/targets/source.ts";
import { ReceiverRun } from "./receiver-harness.ts";

interface Receiver {
  readonly name: string;
  readonly block: RareBlock;
  readonly open: OpenSource;
  readonly yaml?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly bodyOf: (text: string) => string;
  readonly garbage: string;
}

const RECEIVERS: readonly Receiver[] = [
  {
    name: "loki_push_api",
    block: "loki_push_api",
    open: openLokiPush as OpenSource,
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/json" },
    bodyOf: (text) => JSON.stringify({ streams: [{ stream: { a: "b" }, values: [[`${Date.now()}000000`, text]] }] }),
    garbage: '{"streams": [{',
  },
  {
    name: "heroku_drain",
    block: "heroku_drain",
    open: openHerokuDrain as OpenSource,
    path: "/heroku/api/v1/drain",
    bodyOf: (text) => {
      const message = `<190>1 2022-06-13T14:52:23Z host app web.1 - ${text}`;
      return `${Buffer.byteLength(message)} ${message}`;
    },
    garbage: "GET / HTTP/1.1",
  },
  {
    name: "gcplog, pushed",
    block: "gcplog",
    open: openGcplog as OpenSource,
    yaml: "subscription_type: push",
    path: "/gcp/api/v1/push",
    bodyOf: (text) => {
      const entry = { logName: "l", textPayload: text, timestamp: new Date().toISOString() };
      return JSON.stringify({
        message: { data: Buffer.from(JSON.stringify(entry)).toString("base64"), messageId: "1" },
        subscription: "s",
      });
    },
    garbage: '{"message": 1}',
  },
];

let run: ReceiverRun;
beforeEach(() => {
  run = new ReceiverRun();
});
afterEach(() => run.close());

describe.each(RECEIVERS)("$name", ({ block, open, yaml = "", path, headers = {}, bodyOf, garbage }) => {
  const post = (text: string) => run.post(path, bodyOf(text), headers);
  const answered = (status: string): Promise<number> => run.metric("skald_receiver_requests_total", { status_code: status });
  const header = (length: number): string =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}content-length: ${length}\r\n\r\n`;

  test("senders that break off, and come again, lose and repeat nothing", async () => {
    await run.open(block, open, yaml);
    for (let n = 0; n < 20; n++) {
      const body = bodyOf(`n=${n}`);
      await run.writeAndLeave(header(Buffer.byteLength(body)) + body.slice(0, (body.length * n) / 20));
      expect((await post(`n=${n}`)).status).toBe(204);
    }
    expect(run.lines).toEqual(Array.from({ length: 20 }, (_, n) => `n=${n}`));
    await run.until(async () => (await answered("gone")) === 20);
    expect(await answered("204")).toBe(20);
    expect(run.details).toMatchObject({ entries: 20, requests: 20, refused: 20, unansweredBytes: 0 });
  });

  test("garbage is refused, and what comes between is taken", async () => {
    await run.open(block, open, yaml);
    for (let n = 0; n < 5; n++) {
      expect((await run.post(path, garbage, headers)).status).toBe(400);
      expect((await post(`n=${n}`)).status).toBe(204);
    }
    expect(run.lines).toEqual(Array.from({ length: 5 }, (_, n) => `n=${n}`));
    expect(await answered("400")).toBe(5);
    expect(run.details).toMatchObject({ entries: 5, requests: 5, refused: 5, unansweredBytes: 0 });
  });

  test("a flood is taken while there is room, and the rest told to come again", async () => {
    await run.open(block, open, yaml);
    run.holding = true;
    const posting = Array.from({ length: 24 }, () => post("x".repeat(4 * 1024 * 1024)));
    await run.until(async () => (await answered("503")) + run.entries.length === posting.length);
    run.acknowledge();
    const answers = await Promise.all(posting);
    const taken = answers.filter(({ status }) => status === 204).length;
    const refused = answers.filter(({ status, retryAfter }) => status === 503 && retryAfter === "5").length;
    expect([taken, taken + refused]).toEqual([run.entries.length, posting.length]);
    expect(taken).toBeGreaterThanOrEqual(7);
    expect(refused).toBeGreaterThan(0);
    expect(run.details).toMatchObject({ entries: taken, requests: taken, refused, unansweredBytes: 0 });
  });
});
