import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../../lib/runtime/clock.ts";
import { limitsSchema } from "../../../../server/config/limits.ts";
import { rulerSchema } from "../../../../server/config/ruler.ts";
import type { RecordedSample } from "../../../../server/ruler/evaluate-recording.ts";
import { RemoteWrite } from "../../../../server/ruler/remote-write/remote-write.ts";
import { encodeSample } from "../../../../server/ruler/remote-write/write-request.ts";
import { createRulerMetrics } from "../../../../server/ruler/ruler-metrics.ts";
import { remoteWriteSettings } from "../../../../server/ruler/settings.ts";
import { silentLog } from "../../../silent-log.ts";
import { type FakeRemote, fakeRemote } from "../fake-remote.ts";

/** Not our own kernel: the remote has another, too. */
const { uncompress } = createRequire(import.meta.url)("snappyjs") as { uncompress(packed: Uint8Array): Uint8Array };

let folder: string;
let remote: FakeRemote;
let registry: Registry;
const open: RemoteWrite[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "skald-remote-"));
  remote = await fakeRemote();
  registry = new Registry();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await remote.close();
  rmSync(folder, { recursive: true, force: true });
});

const QUEUE = { batch_send_deadline: "1ms", min_backoff: "1ms", max_backoff: "5ms" };

function writerOf(client: object = {}, limits: object = {}): RemoteWrite {
  registry = new Registry();
  const config = rulerSchema.parse({
    remote_write: { enabled: true, clients: { main: { url: remote.url, queue_config: QUEUE, ...client } } },
  });
  const writer = new RemoteWrite({
    folder,
    ageMaxMs: config.wal.max_age,
    settingsOf: (tenant) => remoteWriteSettings(config, tenant, limitsSchema.parse(limits)),
    clock: systemClock,
    log: silentLog,
    metrics: createRulerMetrics(registry),
  });
  open.push(writer);
  return writer;
}

const sample = (name: string, value = 1, timeMs = Date.now()): RecordedSample => ({
  labels: { names: ["__name__"], values: [name] },
  timeMs,
  value,
});
const bodyOf = (i: number): string => Buffer.from(uncompress(remote.received[i]!.body)).toString("hex");
const hexOf = (...samples: RecordedSample[]): string => Buffer.concat(samples.map(encodeSample)).toString("hex");
async function metric(what: string): Promise<number> {
  const { values } = await registry.getSingleMetric(`loki_ruler_wal_prometheus_remote_storage_samples_${what}`)!.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

test("a request is a snappy block with the specification's headers and the tenant", async () => {
  const one = sample("a", 1.5);
  await writerOf({ headers: { "X-Own": "1" } }).append("t1", [one, sample("b", 2, one.timeMs)]);
  await remote.requests(1);
  expect(remote.received[0]!.headers).toMatchObject({
    "content-encoding": "snappy",
    "content-type": "application/x-protobuf",
    "x-prometheus-remote-write-version": "0.1.0",
    "x-scope-orgid": "t1",
    "x-own": "1",
  });
  expect(bodyOf(0)).toBe(hexOf(one, sample("b", 2, one.timeMs)));
  await expect.poll(() => metric("total")).toBe(2);
});

for (const [name, status] of [
  ["a server error", 503],
  ["a rate limit", 429],
] as const) {
  test(`${name} is asked again until the samples are taken`, async () => {
    let left = 3;
    remote.answer = () => (left-- > 0 ? status : 200);
    const one = sample("a");
    await writerOf().append("t1", [one]);
    await remote.requests(4);
    expect(bodyOf(3)).toBe(hexOf(one));
    await expect.poll(() => metric("total")).toBe(1);
    expect(await metric("retried_total")).toBe(3);
  });
}

test("of a request that is refused only the refused part is lost, and counted", async () => {
  const bad = sample("bad");
  const samples = [
    ...Array.from({ length: 500 }, (_, i) => sample(`a${i}`)),
    bad,
    ...Array.from({ length: 499 }, (_, i) => sample(`b${i}`)),
    sample("c"),
  ];
  remote.answer = ({ body }) => (Buffer.from(uncompress(body)).includes("bad") ? 400 : 200);
  await writerOf().append("t1", samples);
  await expect.poll(() => metric("total")).toBe(501);
  expect(await metric("failed_total")).toBe(500);
});

test("nothing listens: samples wait on disk, and the next run sends them in order", async () => {
  const dead = writerOf({ url: "http://127.0.0.1:1" });
  const [one, two] = [sample("a", 1), sample("a", 2)];
  await dead.append("t/1", [one]);
  await expect.poll(() => metric("retried_total")).toBeGreaterThan(1);
  await dead.append("t/1", [two]);
  expect(await metric("pending")).toBe(2);
  await dead.close();
  const next = writerOf();
  await next.resume();
  await remote.requests(1);
  expect(bodyOf(0)).toBe(hexOf(one, two));
});

test("a remote that hangs is given up after the time-out, and asked again", async () => {
  remote.answer = () => (remote.received.length < 2 ? "hang" : 200);
  await writerOf({ remote_timeout: "100ms" }).append("t1", [sample("a")]);
  await remote.requests(2);
  await expect.poll(() => metric("total")).toBe(1);
});

test("the end waits for no remote", async () => {
  remote.answer = () => "hang";
  const writer = writerOf();
  await writer.append("t1", [sample("a")]);
  await remote.requests(1);
  await writer.close();
  await writer.append("t1", [sample("b")]);
});

test("relabelling changes and drops samples before they are kept", async () => {
  const one = sample("a");
  await writerOf({
    write_relabel_configs: [
      { source_labels: ["__name__"], regex: "b", action: "drop" },
      { target_label: "x", replacement: "1" },
    ],
  }).append("t1", [one, sample("b")]);
  await remote.requests(1);
  expect(bodyOf(0)).toBe(hexOf({ ...one, labels: { names: ["__name__", "x"], values: ["a", "1"] } }));
});

test("samples past the age limit are not sent", async () => {
  const writer = writerOf({ queue_config: { ...QUEUE, sample_age_limit: "1h" } });
  await writer.append("t1", [sample("old", 1, Date.now() - 2 * 3_600_000)]);
  const young = sample("young");
  await expect.poll(() => metric("dropped_total")).toBe(1);
  await writer.append("t1", [young]);
  await remote.requests(1);
  expect(bodyOf(0)).toBe(hexOf(young));
});

for (const [name, limits, path, header] of [
  [
    "the old overrides hold for every client",
    { ruler_remote_write_url: "/old", ruler_remote_write_headers: { "X-Own": "2" } },
    "/old",
    "2",
  ],
  [
    "the override of a client wins over them",
    { ruler_remote_write_url: "/old", ruler_remote_write_config: { main: { url: "/new", headers: { "X-Own": "3" } } } },
    "/new",
    "3",
  ],
  ["that of another client changes nothing", { ruler_remote_write_config: { other: { url: "/new" } } }, "/", "1"],
] as const) {
  test(name, async () => {
    const text = JSON.stringify(limits).replaceAll('"/', `"${remote.url}/`);
    await writerOf({ headers: { "X-Own": "1" } }, JSON.parse(text) as object).append("t1", [sample("a")]);
    await remote.requests(1);
    expect(remote.received[0]).toMatchObject({ path, headers: { "x-own": header } });
  });
}

test("a tenant may have remote write switched off", () => {
  const config = rulerSchema.parse({ remote_write: { enabled: true, client: { url: "http://a" } } });
  expect(remoteWriteSettings(config, "t", limitsSchema.parse({})).map(({ id }) => id)).toEqual(["default"]);
  expect(remoteWriteSettings(config, "t", limitsSchema.parse({ ruler_remote_write_disabled: true }))).toEqual([]);
  expect(remoteWriteSettings(rulerSchema.parse({ remote_write: { client: { url: "http://a" } } }), "t", limitsSchema.parse({}))).toEqual(
    [],
  );
});
