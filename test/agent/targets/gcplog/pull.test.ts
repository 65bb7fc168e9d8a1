import { createVerify, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GoogleToken } from "../../../../agent/targets/gcplog/google-token.ts";
import { openPull } from "../../../../agent/targets/gcplog/open-gcplog.ts";
import { Subscription } from "../../../../agent/targets/gcplog/pubsub.ts";
import { type Clock, manualClock, systemClock } from "../../../../lib/runtime/clock.ts";
import { ReceiverRun } from "../receiver-harness.ts";
import { FakeGoogle } from "./fake-google.ts";

let google: FakeGoogle;
let host: string;
let run: ReceiverRun;
beforeEach(async () => {
  google = new FakeGoogle();
  host = await google.open();
  run = new ReceiverRun();
});
afterEach(async () => {
  await run.close();
  await google.close();
});

const YAML = "project_id: p\nsubscription: s\nlabels: {job: gcp}";
/** Waits pass at once. */
const hasty: Clock = { nowMs: () => Date.now(), sleep: () => new Promise((resolve) => setImmediate(resolve)) };
const open = (clock: Clock = systemClock): Promise<void> =>
  run.open("gcplog", (config, context) => openPull(config, context, { PUBSUB_EMULATOR_HOST: host }), YAML, { clock });
const count = (name: string): Promise<number> => run.metric(`promtail_gcplog_target_${name}_total`, { project: "p" });

describe("a subscription that is pulled", () => {
  test("is acknowledged when the entries are safe", async () => {
    google.publish("one", "two");
    run.holding = true;
    await open();
    await run.until(() => run.entries.length === 2);
    expect(run.entries.map(({ labels, line }) => [labels.job, line])).toEqual([
      ["gcp", "one"],
      ["gcp", "two"],
    ]);
    expect(google.waiting.size).toBe(2);
    run.acknowledge();
    await run.until(() => google.waiting.size === 0);
    await run.until(async () => (await count("entries")) === 2);
    expect(google.requests[0]).toMatchObject({ path: "/v1/projects/p/subscriptions/s:pull", authorization: undefined });
    expect(await run.metric("promtail_gcplog_target_last_success_scrape", { target: "s" })).toBeGreaterThan(1.7e9);
  });

  test("loses nothing when Google fails, and tries again", async () => {
    google.faults.set("pull", [503, 0]);
    google.publish("one");
    await open(hasty);
    await run.until(() => google.waiting.size === 0);
    expect(run.lines).toEqual(["one"]);
    expect(await count("parsing_errors")).toBe(2);
    expect(run.logged.filter((line) => line.includes("could not pull"))).toHaveLength(2);
  });

  test("repeats entries whose acknowledgement did not arrive", async () => {
    google.faults.set("acknowledge", [500]);
    google.publish("one");
    await open(hasty);
    await run.until(() => google.waiting.size === 0);
    expect(run.lines).toEqual(["one", "one"]);
    await run.until(async () => (await count("entries")) === 1);
  });

  test("gets more time for entries that take long to be safe", async () => {
    google.publish("one");
    run.holding = true;
    await open(hasty);
    await run.until(() => google.requests.some(({ path }) => path.endsWith(":modifyAckDeadline")));
    run.acknowledge();
    await run.until(() => google.waiting.size === 0);
    const { body } = google.requests.find(({ path }) => path.endsWith(":modifyAckDeadline"))!;
    expect(JSON.parse(body)).toEqual({ ackIds: ["ack-0-one"], ackDeadlineSeconds: 60 });
  });

  test("is rid of messages that are no entries", async () => {
    google.waiting.set("bad", "garbage");
    google.publish("good");
    await open();
    await run.until(() => google.waiting.size === 0);
    expect(run.lines).toEqual(["good"]);
    expect(await count("parsing_errors")).toBe(1);
  });

  test("keeps what is not safe when the agent ends", async () => {
    google.publish("one");
    run.holding = true;
    await open();
    await run.until(() => run.entries.length === 1);
    await run.source!.stop({ drain: false });
    expect(google.waiting.size).toBe(1);
  });
});

describe("a token", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "skald-google-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const credentials = (content: object): Record<string, string> => {
    const file = join(folder, "key.json");
    writeFileSync(file, JSON.stringify({ token_uri: `http://${host}/token`, ...content }));
    return { GOOGLE_APPLICATION_CREDENTIALS: file };
  };
  const serviceAccount = (): Record<string, string> =>
    credentials({
      type: "service_account",
      client_email: "agent@p.iam.gserviceaccount.com",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      private_key_id: "k1",
    });
  const clock = manualClock(1_700_000_000_000);
  const tokenOf = (env: Record<string, string>): GoogleToken => new GoogleToken({ scope: "pubsub", clock, env });

  test("of a service account is asked for with a signed claim, once an hour", async () => {
    const token = tokenOf(serviceAccount());
    expect([await token.get(), await token.get()]).toEqual(["token-1", "token-1"]);
    const form = new URLSearchParams(google.requests[0]!.body);
    expect(form.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
    const [header, claims, signature] = form.get("assertion")!.split(".");
    expect(createVerify("RSA-SHA256").update(`${header}.${claims}`).verify(publicKey, signature!, "base64url")).toBe(true);
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(read(header!)).toEqual({ alg: "RS256", typ: "JWT", kid: "k1" });
    const aud = `http://${host}/token`;
    expect(read(claims!)).toEqual({ iss: "agent@p.iam.gserviceaccount.com", scope: "pubsub", aud, iat: 1_700_000_000, exp: 1_700_003_600 });
    await clock.advance(3_550_000);
    expect(await token.get()).toBe("token-2");
  });

  test("of a person is refreshed", async () => {
    const env = credentials({ type: "authorized_user", client_id: "i", client_secret: "s", refresh_token: "r" });
    expect(await tokenOf(env).get()).toBe("token-1");
    expect(google.requests[0]!.body).toBe("grant_type=refresh_token&client_id=i&client_secret=s&refresh_token=r");
  });

  test("of a machine at Google comes from its metadata server", async () => {
    expect(await tokenOf({ CLOUDSDK_CONFIG: folder, GCE_METADATA_HOST: host }).get()).toBe("token-1");
    expect(google.requests[0]!.path).toBe("/computeMetadata/v1/instance/service-accounts/default/token?scopes=pubsub");
  });

  test("goes with each request, and another is asked for when it is refused", async () => {
    const subscription = new Subscription({ project: "p", subscription: "s", origin: `http://${host}`, token: tokenOf(serviceAccount()) });
    const { signal } = new AbortController();
    google.faults.set("pull", [401]);
    await expect(subscription.pull(signal)).rejects.toThrow("Pub/Sub answered 401 to pull");
    await subscription.pull(signal);
    const used = google.requests.filter(({ path }) => path.endsWith(":pull")).map(({ authorization }) => authorization);
    expect(used).toEqual(["Bearer token-1", "Bearer token-2"]);
  });

  test.each([
    ["a file that is not there", { GOOGLE_APPLICATION_CREDENTIALS: "/nowhere.json" }, "cannot read Google credentials from /nowhere.json"],
    ["no credentials at all", { CLOUDSDK_CONFIG: "/nowhere", GCE_METADATA_HOST: "127.0.0.1:9" }, "no Google credentials"],
  ])("with %s is an error that says so", (_, env, says) => expect(tokenOf(env).get()).rejects.toThrow(says));

  test("of credentials of another kind is refused", () =>
    expect(tokenOf(credentials({ type: "external_account" })).get()).rejects.toThrow('type "external_account" are not supported'));
});
