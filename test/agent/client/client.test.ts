import { afterEach, describe, expect, test } from "vitest";
import { DROP_REASONS } from "../../../agent/client/client-metrics.ts";
import type { ClientOptions, ClientsShared } from "../../../agent/client/clients.ts";
import { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { Bench, OPTIONS, PushServer, type Script } from "./harness.ts";

let server: PushServer;
let bench: Bench;
afterEach(async () => {
  bench.clients.stopNow();
  await server.close();
});

async function open(script: Script = [], options: Partial<ClientOptions> = {}, shared: Partial<ClientsShared> = {}): Promise<void> {
  server = await PushServer.open(script);
  bench = new Bench([{ ...OPTIONS, url: server.url, ...options }], shared);
}

/** Statuses the server gave, and lines of each request. */
const history = (): (string | number)[] => server.requests.map((request) => `${request.status}:${request.lines.length}`);

describe("batches", () => {
  test("lines of a while go in one request", async () => {
    await open();
    for (let i = 0; i < 30; i++) bench.push([`l${i}`]);
    await bench.settled();
    expect(history()).toEqual(["204:30"]);
    expect(server.requests[0]!.headers).toMatchObject({ "content-type": "application/x-protobuf", "user-agent": "skald/1.2.3" });
    expect(server.requests[0]!.headers["x-scope-orgid"]).toBeUndefined();
    expect(server.requests[0]!.headers["content-encoding"]).toBeUndefined();
    expect(bench.ledger.committed()).toBe(30);
  });

  test("a batch is cut before it exceeds its size", async () => {
    await open([], { batchBytes: 100, batchWaitMs: 50 });
    bench.push(Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(31, "x")));
    await bench.settled();
    expect(history()).toEqual(["204:3", "204:3", "204:3", "204:3"]);
    expect(server.accepted.map((line) => Number.parseInt(line, 10))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("a line larger than a batch goes alone", async () => {
    await open([], { batchBytes: 10 });
    bench.push(["a", "x".repeat(50), "b"]);
    await bench.settled();
    expect(server.requests.map((request) => request.lines.map((line) => line.length))).toEqual([[1], [50], [1]]);
  });

  test("metadata counts for the size", async () => {
    await open([], { batchBytes: 100 });
    bench.push(["x", "x", "x", "x"], { job: "app" }, [["m", "0".repeat(40)]]);
    await bench.settled();
    expect(history()).toEqual(["204:2", "204:2"]);
  });

  test("streams keep their own entries, in order", async () => {
    await open();
    const batch = new EntryBatch();
    const sets = ["a", "b", "c"].map((job) => LabelSet.fromObject({ job }));
    for (let i = 0; i < 9; i++) batch.addText(`${i}`, 1, i, sets[i % 3]!);
    bench.consume(batch);
    await bench.settled();
    expect([...server.requests[0]!.entries].sort()).toEqual(
      ["a 0", "a 3", "a 6", "b 1", "b 4", "b 7", "c 2", "c 5", "c 8"].map((e) => `{job="${e[0]}"} ${e[2]}`),
    );
  });

  test("what is empty, far in time or not ASCII arrives as it was", async () => {
    await open();
    const batch = new EntryBatch();
    const labels = LabelSet.fromObject({ job: 'größe "x"\n' });
    batch.addText("", 0, 0, labels);
    batch.addText("日本", 0, 0, labels);
    batch.setTime(1, 4_102_444_800, 5);
    batch.addText("old", 0, 0, labels);
    batch.setTime(2, -5_000_000_000, 5);
    bench.consume(batch);
    await bench.settled();
    expect(server.accepted).toEqual(["", "日本", "old"]);
    expect(server.requests[0]!.entries[0]).toBe('{job="größe \\"x\\"\\n"} ');
  });

  test("malformed UTF-8 is replaced", async () => {
    await open();
    bench.push(["ok", Buffer.from([0x61, 0xff, 0x62]), "é"]);
    await bench.settled();
    expect(server.accepted).toEqual(["ok", "a\ufffdb", "é"]);
  });
});

describe("tenants and labels", () => {
  test("the tenant label is taken out and goes into the header", async () => {
    await open([], { tenantId: "main" });
    bench.push(["x"], { job: "app" });
    bench.push(["y"], { job: "app", __tenant_id__: "other" });
    await bench.settled();
    expect(server.requests.map((request) => `${request.headers["x-scope-orgid"]} ${request.entries[0]}`).sort()).toEqual([
      'main {job="app"} x',
      'other {job="app"} y',
    ]);
  });

  test("a tenant that is limited does not hold up another", async () => {
    await open(({ tenant }) => (tenant === "slow" ? 429 : 204), { backoff: { minMs: 30, maxMs: 30, retriesMax: 0 } });
    bench.push(["s"], { __tenant_id__: "slow" });
    for (let i = 0; i < 5; i++) {
      bench.push([`f${i}`], { __tenant_id__: "fast" });
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(server.accepted).toEqual(["f0", "f1", "f2", "f3", "f4"].slice(0, server.accepted.length));
    expect(server.accepted.length).toBeGreaterThanOrEqual(3);
    expect(bench.ledger.committed()).toBe(0);
  });

  test("external labels are added where there is none of the name", async () => {
    await open([], { externalLabels: { cluster: "eu", job: "loser" } });
    bench.push(["x"], { job: "app" });
    await bench.settled();
    expect(server.requests[0]!.entries).toEqual(['{cluster="eu", job="app"} x']);
  });
  test("an external label can name the tenant, of entries that have none of their own", async () => {
    await open([], { tenantId: "main", externalLabels: { __tenant_id__: "outer" } });
    bench.push(["x"], { job: "app" });
    bench.push(["y"], { job: "app", __tenant_id__: "own" });
    await bench.settled();
    expect(server.requests.map((request) => `${request.headers["x-scope-orgid"]} ${request.entries[0]}`).sort()).toEqual([
      'outer {job="app"} x',
      'own {job="app"} y',
    ]);
  });
});

describe("answers", () => {
  for (const [name, script, want, options] of [
    ["500 is tried again", [500, 503, 204], ["500:2", "503:2", "204:2"], {}],
    ["429 is tried again", [429, 429, 204], ["429:2", "429:2", "204:2"], {}],
    ["201 is success", [201], ["201:2"], {}],
    ["400 of a server that has never accepted drops a small batch", [400], ["400:2"], {}],
    ["403 drops at once", [403], ["403:2"], {}],
    ["413 of one entry's size is not taken for a large batch", [413], ["413:2"], {}],
    ["tries used up drop the batch", [500, 500, 500, 500, 500, 204], ["500:2", "500:2", "500:2", "500:2", "500:2"], {}],
    ["tries below none are one", [500, 204], ["500:2"], { backoff: { minMs: 5, maxMs: 20, retriesMax: -1 } }],
    ["599 is tried again", [599, 204], ["599:2", "204:2"], {}],
    ["600 drops at once", [600, 204], ["600:2"], {}],
    ["429 drops at once when told so", [429, 204], ["429:2"], { dropRateLimitedBatches: true }],
    ["500 is tried again when told to drop 429", [500, 204], ["500:2", "204:2"], { dropRateLimitedBatches: true }],
    ["a redirect with 307 is a new POST", [{ status: 307, headers: { location: "/elsewhere" } }, 204], ["307:2", "204:2"], {}],
    ["a redirect to nowhere is tried again", [{ status: 302, headers: { location: "http://[::1" } }, 204], ["302:2", "204:2"], {}],
    ["a redirect to another protocol is too", [{ status: 307, headers: { location: "ftp://h/" } }, 204], ["307:2", "204:2"], {}],
    ["a redirect without an address is a failure", [{ status: 307, headers: { location: "" } }], ["307:2"], {}],
    ["a redirect is a failure when not followed", [{ status: 307, headers: { location: "/x" } }], ["307:2"], { followRedirects: false }],
    ["a cut connection is tried again", [{ status: 0, reset: true }, 204], ["0:2", "204:2"], {}],
    ["a late answer is tried again", [{ status: 204, delayMs: 150 }, 204], ["204:2", "204:2"], { timeoutMs: 80 }],
  ] as [string, (number | { status: number })[], string[], Partial<ClientOptions>][]) {
    test(name, async () => {
      await open(script, options);
      bench.push(["one", "two"]);
      await bench.settled();
      await new Promise((resolve) => setTimeout(resolve, 120));
      expect(history().sort()).toEqual([...want].sort());
      expect(bench.ledger.committed()).toBe(2);
      const delivered = server.requests.some((request) => request.status >= 200 && request.status < 300) ? 2 : 0;
      expect(await bench.metric("promtail_sent_entries_total")).toBe(delivered);
      expect(await bench.metric("promtail_dropped_entries_total")).toBe(2 - delivered);
    });
  }

  test("redirects are followed from the address they name, the first and the next", async () => {
    const elsewhere = await PushServer.open();
    const moved = (location: string): { status: number; headers: Record<string, string> } => ({ status: 307, headers: { location } });
    await open([moved("/moved"), 204, moved(elsewhere.url), moved(elsewhere.url)], { headers: { Authorization: "secret" } });
    for (const line of ["one", "two", "three"]) {
      bench.push([line]);
      await bench.settled();
    }
    expect(server.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/loki/api/v1/push", "secret"],
      ["/moved", "secret"],
      ["/loki/api/v1/push", "secret"],
      ["/loki/api/v1/push", "secret"],
    ]);
    expect(elsewhere.accepted).toEqual(["two", "three"]);
    for (const { headers } of elsewhere.requests) {
      expect(headers).toMatchObject({ "content-type": "application/x-protobuf" });
      expect(headers.authorization).toBeUndefined();
    }
    expect(bench.ledger.committed()).toBe(3);
    await elsewhere.close();
  });

  test("a redirect that comes back to itself ends after ten requests", async () => {
    await open(() => ({ status: 307, headers: { location: "/round" } }), { backoff: { minMs: 1, maxMs: 2, retriesMax: 1 } });
    bench.push(["one"]);
    await bench.settled();
    expect(server.requests).toHaveLength(10);
    expect(await bench.metric("promtail_request_duration_seconds", { status_code: "-1" })).toBeGreaterThan(0);
  });

  test("a redirect by 303 is read, and is no failure", async () => {
    await open([{ status: 303, headers: { location: "/seen" } }, 204]);
    bench.push(["one"]);
    await bench.settled();
    expect(server.requests.map(({ path, status, lines }) => [path, status, lines.length])).toEqual([
      ["/loki/api/v1/push", 303, 1],
      ["/seen", 204, 0],
    ]);
  });

  for (const timeoutMs of [0, 5e-6, -1000]) {
    test(`a timeout of ${timeoutMs} ms is over before anything is sent`, async () => {
      await open([], { timeoutMs, backoff: { minMs: 1, maxMs: 2, retriesMax: 3 } });
      bench.push(["one"]);
      await bench.settled();
      expect(server.requests).toEqual([]);
      expect(await bench.metric("promtail_batch_retries_total")).toBe(3);
      expect(await bench.metric("promtail_dropped_entries_total", { reason: "ingester_error" })).toBe(1);
    });
  }

  test("what is dropped has Promtail's help", async () => {
    await open();
    const metrics = await bench.registry.metrics();
    for (const what of ["bytes", "log entries"])
      expect(metrics).toContain(`Number of ${what} dropped because failed to be sent to the ingester after all retries.`);
  });

  test("what is dropped is counted by reason, per host and tenant", async () => {
    await open([429, 429, 429, 429, 429]);
    bench.push(["one", "two"]);
    await bench.settled();
    expect(await bench.metric("promtail_dropped_entries_total", { host: server.host, reason: "rate_limited", tenant: "" })).toBe(2);
    expect(await bench.metric("promtail_batch_retries_total", { tenant: "" })).toBe(5);
  });

  for (const [url, host] of [
    ["http://localhost:80/loki/api/v1/push", "localhost:80"],
    ["https://user:p%40ss@Loki.Example:443?x", "Loki.Example:443"],
    ["HTTP://[::1]:3100", "[::1]:3100"],
    ["invalid:%24%7BLOKI_URL%7D", ""],
  ] as const) {
    test(`the host of ${url} is counted as it is written`, async () => {
      await open([], { url });
      expect(await bench.registry.metrics()).toContain(`promtail_sent_entries_total{host="${host}"} 0`);
    });
  }

  test("retries without bound go on", async () => {
    await open(
      Array.from({ length: 14 }, () => 500),
      { backoff: { minMs: 1, maxMs: 2, retriesMax: 0 } },
    );
    bench.push(["x"]);
    await bench.settled();
    expect(history()).toHaveLength(15);
    expect(server.accepted).toEqual(["x"]);
  });

  test("Retry-After is waited for", async () => {
    await open([{ status: 429, headers: { "retry-after": "1" } }, 204]);
    bench.push(["x"]);
    await bench.settled();
    expect(server.requests[1]!.atMs - server.requests[0]!.atMs).toBeGreaterThanOrEqual(950);
  });

  test("while a batch is tried again the next of its stream waits", async () => {
    await open([500, 500, 204, 204], { batchBytes: 40 });
    bench.push(["a".repeat(30), "b".repeat(30)]);
    await bench.settled();
    expect(server.requests.map((request) => request.lines[0]![0])).toEqual(["a", "a", "a", "b"]);
  });

  test("other streams go on meanwhile", async () => {
    await open(({ lines }) => (lines[0]!.startsWith("bad") ? 500 : 204), {
      batchBytes: 10,
      backoff: { minMs: 100, maxMs: 100, retriesMax: 3 },
    });
    bench.push(["good 0"], { job: "good" });
    bench.push(["bad bad bad"], { job: "bad" });
    bench.push(["good 1"], { job: "good" });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(server.accepted).toContain("good 0");
    await bench.settled();
    expect(server.accepted).toEqual(["good 0", "good 1"]);
  });
});

describe("refused entries", () => {
  test("only the entries a server refuses are dropped, the others arrive in order", async () => {
    await open(({ lines }) => (lines.some((line) => line.startsWith("bad")) ? { status: 400, body: "bad entry" } : 204));
    const lines = Array.from({ length: 200 }, (_, i) => (i === 17 || i === 130 ? `bad ${i}` : `good ${i}`));
    bench.push(lines);
    await bench.settled();
    expect(server.accepted).toEqual(lines.filter((line) => line.startsWith("good")));
    expect(await bench.metric("promtail_dropped_entries_total", { reason: "ingester_error" })).toBe(2);
    expect(bench.ledger.committed()).toBe(200);
  });

  test("a batch too large for a server is sent in parts", async () => {
    await open(({ lines }) => (lines.join("").length > 20_000 ? 413 : 204));
    const lines = Array.from({ length: 100 }, (_, i) => `${i} `.padEnd(1000, "x"));
    bench.push(lines);
    await bench.settled();
    expect(server.accepted).toEqual(lines);
    expect(await bench.metric("promtail_dropped_entries_total")).toBe(0);
  });

  test("a server that refuses everything is not asked for every entry", async () => {
    await open(() => 400);
    bench.push(Array.from({ length: 5_000 }, (_, i) => `line ${i}`));
    await bench.settled();
    expect(server.requests.length).toBeLessThan(80);
    expect(await bench.metric("promtail_dropped_entries_total")).toBe(5_000);
  });

  test("what the server says it ignored is counted, the rest is sent", async () => {
    await open([{ status: 400, body: 'entry too far behind, total ignored: 2 out of 5 for stream: {job="app"}' }]);
    bench.push(["a", "b", "c", "d", "e"]);
    await bench.settled();
    expect(history()).toEqual(["400:5"]);
    expect(await bench.metric("promtail_sent_entries_total")).toBe(3);
    expect(await bench.metric("promtail_dropped_entries_total")).toBe(2);
  });

  test("entries of several streams are told apart", async () => {
    await open(({ lines }) => (lines.includes("bad") ? 400 : 204));
    const batch = new EntryBatch();
    for (let i = 0; i < 100; i++) batch.addText(i === 40 ? "bad" : `line ${i}`.padEnd(20), 1, i, LabelSet.fromObject({ job: `j${i % 7}` }));
    bench.consume(batch);
    await bench.settled();
    expect(server.accepted).toHaveLength(99);
  });
});

describe("limits", () => {
  test("long lines are dropped", async () => {
    await open([], {}, { maxLineBytes: 10 });
    bench.push(["12345678901", "1234567890", "x"]);
    await bench.settled();
    expect(server.accepted).toEqual(["1234567890", "x"]);
    expect(await bench.metric("promtail_dropped_bytes_total", { reason: "line_too_long" })).toBe(11);
    expect(bench.ledger.committed()).toBe(3);
  });

  test("a batch of nothing but long lines is dealt with", async () => {
    await open([], {}, { maxLineBytes: 1 });
    bench.push(["abc"]);
    expect(bench.clients.idle()).toBe(true);
    expect(bench.ledger.committed()).toBe(1);
  });

  test("a tenant's counters begin with its first batch, not with a line that is too long for one", async () => {
    await open([], {}, { maxLineBytes: 2 });
    const ofTenant = async (): Promise<string[]> =>
      (await bench.registry.metrics()).split("\n").filter((line) => line.includes('tenant="t"'));
    bench.push(["abc"], { __tenant_id__: "t" });
    expect(await ofTenant()).toEqual([
      `promtail_dropped_bytes_total{host="${server.host}",reason="line_too_long",tenant="t"} 3`,
      `promtail_dropped_entries_total{host="${server.host}",reason="line_too_long",tenant="t"} 1`,
    ]);
    bench.push(["ab"], { __tenant_id__: "t" });
    await bench.settled();
    expect(await ofTenant()).toHaveLength(4 * DROP_REASONS.length + 1);
  });

  test("long lines are cut between characters", async () => {
    await open([], {}, { maxLineBytes: 10, maxLineTruncate: true });
    bench.push(["aaaaaaaaaé", "日本日本", "ok"]);
    await bench.settled();
    expect(server.accepted).toEqual(["aaaaaaaaa", "日本日", "ok"]);
    expect(await bench.metric("promtail_mutated_entries_total", { reason: "line_too_long" })).toBe(2);
  });

  for (const [name, truncate, line, sent] of [
    ["fits", false, "gr\xfcn", ["gr\ufffdn"]],
    ["is dropped", false, "gr\xfcne", []],
    ["is cut", true, "gr\xfcne", ["gr\ufffdn"]],
    ["is cut within what might be a character, and is none", true, "x\x80\x80\x80\x80\x80", ["x\ufffd\ufffd\ufffd"]],
  ] as const) {
    test(`a line that is no UTF-8 counts with the bytes it had, and ${name}`, async () => {
      await open([], {}, { maxLineBytes: 4, maxLineTruncate: truncate });
      bench.push([Buffer.from(line, "latin1")]);
      await bench.settled();
      expect(server.accepted).toEqual(sent);
    });
  }

  test("streams beyond the bound are dropped, and the client goes on", async () => {
    await open([], {}, { maxStreams: 2 });
    for (const job of ["a", "b", "c", "a"]) bench.push([job], { job });
    await bench.settled();
    expect(server.accepted.sort()).toEqual(["a", "a", "b"]);
    expect(await bench.metric("promtail_dropped_entries_total", { reason: "stream_limited" })).toBe(1);
    bench.push(["c"], { job: "c" });
    await bench.settled();
    expect(server.accepted).toContain("c");
  });
});

describe("pressure and end", () => {
  test("times longer than a timer takes do not fire at once", async () => {
    await open([], { batchWaitMs: 1e13, timeoutMs: 1e13 });
    bench.push(["x"]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(server.requests).toEqual([]);
    await bench.clients.drain(2_000);
    expect(server.accepted).toEqual(["x"]);
  });

  test("a remote that is away makes sources wait, and they go on when it is back", async () => {
    let away = true;
    await open(() => (away ? 503 : 204), { batchBytes: 10_000, backoff: { minMs: 20, maxMs: 20, retriesMax: 0 } });
    let waited: Promise<void> | undefined;
    let handed = 0;
    while (waited === undefined && handed < 1e6) {
      waited = bench.push(["x".repeat(1000)]) ?? undefined;
      handed++;
    }
    expect(handed).toBeLessThan(1_200);
    away = false;
    await waited;
    await bench.settled();
    expect(server.accepted).toHaveLength(handed);
  });

  test("draining sends what waits for its batch to fill", async () => {
    await open([], { batchWaitMs: 60_000 });
    bench.push(["one", "two"]);
    await bench.clients.drain(2_000);
    expect(history()).toEqual(["204:2"]);
    expect(bench.ledger.committed()).toBe(2);
  });

  test("draining ends at its deadline, and what was not acknowledged keeps its position", async () => {
    await open(() => 500, { backoff: { minMs: 10, maxMs: 10, retriesMax: 0 } });
    bench.push(["x"]);
    const startedMs = Date.now();
    await bench.clients.drain(100);
    expect(Date.now() - startedMs).toBeLessThan(1_500);
    expect(bench.ledger.committed()).toBe(0);
  });

  test("what comes after the stop is not taken for delivered", async () => {
    await open();
    bench.clients.stopNow();
    bench.push(["x"]);
    expect(bench.ledger.committed()).toBe(0);
  });

  test("two clients get everything; a position waits for both", async () => {
    await open();
    const second = await PushServer.open([500, 204]);
    bench = new Bench([
      { ...OPTIONS, url: server.url, name: "a" },
      { ...OPTIONS, url: second.url, name: "b", tenantId: "b", backoff: { minMs: 60, maxMs: 60, retriesMax: 3 } },
    ]);
    bench.push(["one", "two"]);
    while (server.accepted.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(bench.ledger.committed()).toBe(0);
    await bench.settled();
    expect(second.accepted).toEqual(["one", "two"]);
    expect(bench.ledger.committed()).toBe(2);
    await second.close();
  });
});
