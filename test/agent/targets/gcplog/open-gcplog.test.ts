import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { labelNameOf } from "../../../../agent/targets/gcplog/log-entry.ts";
import { openGcplog } from "../../../../agent/targets/gcplog/open-gcplog.ts";
import type { RelabelConfig } from "../../../../lib/text/relabel.ts";
import { ReceiverRun } from "../receiver-harness.ts";

let run: ReceiverRun;
beforeEach(() => {
  run = new ReceiverRun();
});
afterEach(() => run.close());

const PUSH = "/gcp/api/v1/push";
const open = (yaml = "", relabel: Partial<RelabelConfig>[] = []): Promise<void> =>
  run.open("gcplog", openGcplog, `subscription_type: push\n${yaml}`, { relabel });
const ENTRY = {
  insertId: "4affa858",
  labels: { "k8s-pod/app": "shop", NodeName: "n1" },
  logName: "projects/p/logs/stdout",
  receiveTimestamp: "2022-09-06T18:07:43.417714046Z",
  resource: { type: "k8s_cluster", labels: { cluster_name: "c", projectId: "p" } },
  severity: "WARNING",
  timestamp: "2022-09-06T18:07:42.363113Z",
};
const bodyOf = (entry: unknown, message: object = {}): string =>
  JSON.stringify({
    message: {
      attributes: { "logging.googleapis.com/timestamp": "2022-07-25T22:19:09Z" },
      data: Buffer.from(typeof entry === "string" ? entry : JSON.stringify(entry)).toString("base64"),
      messageId: "5187",
      message_id: "5187",
      publish_time: "2022-07-25T22:19:15.56Z",
      ...message,
    },
    subscription: "projects/p/subscriptions/s",
  });
const to = (source: string, target: string): Partial<RelabelConfig> => ({ source_labels: [source], target_label: target });
const errors = (reason: string): Promise<number> => run.metric("promtail_gcp_push_target_parsing_errors_total", { reason });

describe("an entry", () => {
  test("is a line of JSON, with the configured labels", async () => {
    await open("labels: {job: gcp}");
    expect((await run.post(PUSH, bodyOf(ENTRY))).status).toBe(204);
    expect(run.entries.map(({ labels, line }) => [labels, line])).toEqual([[{ job: "gcp" }, JSON.stringify(ENTRY)]]);
    expect(Number(run.entries[0]!.ns) / 1e6).toBeGreaterThan(Date.now() - 60_000);
    expect(await run.metric("promtail_gcp_push_target_entries_total")).toBe(1);
  });

  test("with a text is that text", async () => {
    await open();
    await run.post(PUSH, bodyOf({ ...ENTRY, textPayload: "hello\n" }));
    await run.post(PUSH, bodyOf({ ...ENTRY, textPayload: "  " }));
    expect(run.lines).toEqual(["hello\n", JSON.stringify({ ...ENTRY, textPayload: "  " })]);
  });

  test("with a text is JSON all the same when the full line is wanted", async () => {
    await open("use_full_line: true");
    await run.post(PUSH, bodyOf({ ...ENTRY, textPayload: "hello" }));
    expect(run.lines).toEqual([JSON.stringify({ ...ENTRY, textPayload: "hello" })]);
  });

  test.each([
    [ENTRY, "1662487662363113000"],
    [{ ...ENTRY, timestamp: "" }, "1662487663417714046"],
  ])("keeps its time when asked to, or that of its arrival at Google", async (entry, ns) => {
    await open("use_incoming_timestamp: true");
    await run.post(PUSH, bodyOf(entry));
    expect(run.entries[0]!.ns).toBe(ns);
  });

  test("shows its fields to the rules, over which the configured labels win", async () => {
    await open("labels: {job: gcp, severity: fixed}", [
      to("__gcp_message_id", "id"),
      to("__gcp_subscription_name", "subscription"),
      to("__gcp_attributes_logging_googleapis_com_timestamp", "sent"),
      to("__gcp_logname", "log"),
      to("__gcp_severity", "severity"),
      to("__gcp_resource_type", "type"),
      to("__gcp_resource_labels_cluster_name", "cluster"),
      to("__gcp_resource_labels_project_id", "project"),
      to("__gcp_labels_k8s_pod_app", "app"),
      to("__gcp_labels_node_name", "node"),
      to("__tenant_id__", "tenant"),
    ]);
    await run.post(PUSH, bodyOf(ENTRY), { "x-scope-orgid": "42" });
    expect(run.entries[0]!.labels).toEqual({
      __tenant_id__: "42",
      app: "shop",
      cluster: "c",
      id: "5187",
      job: "gcp",
      log: "projects/p/logs/stdout",
      node: "n1",
      project: "p",
      sent: "2022-07-25T22:19:09Z",
      severity: "fixed",
      subscription: "projects/p/subscriptions/s",
      tenant: "42",
      type: "k8s_cluster",
    });
  });

  test("that the rules drop is counted", async () => {
    await open("", [{ action: "drop", source_labels: ["__gcp_severity"], regex: "WARNING" }]);
    expect((await run.post(PUSH, bodyOf(ENTRY))).status).toBe(204);
    expect(run.entries).toEqual([]);
    expect(await run.metric("logentry_dropped_lines_total", { reason: "relabel" })).toBe(1);
  });
});

describe("what is no entry is refused and counted", () => {
  test.each([
    ["invalid JSON", "{", "format"],
    ["a list", "[]", "format"],
    ["a number where a text belongs", bodyOf(ENTRY, { message_id: 5 }), "format"],
    ["nothing in it", "{}", "invalid_message"],
    ["no subscription", JSON.stringify({ message: { message_id: "1", data: "e30=" } }), "invalid_message"],
    ["no ID", JSON.stringify({ subscription: "s", message: { data: "e30=" } }), "invalid_message"],
    ["no data", bodyOf(ENTRY, { data: "" }), "invalid_message"],
    ["no base64", bodyOf(ENTRY, { data: "some data" }), "translation"],
    ["no JSON in it", bodyOf("text"), "translation"],
    ["no time, though it is wanted", bodyOf({ logName: "x" }), "translation"],
  ])("%s", async (_, body, reason) => {
    await open("use_incoming_timestamp: true");
    expect((await run.post(PUSH, body)).status).toBe(400);
    expect(await errors(reason)).toBe(1);
    expect(run.entries).toEqual([]);
  });
});

test("who is not safe in time is told to come again", async () => {
  await open("push_timeout: 30ms");
  run.holding = true;
  const { status, text, retryAfter } = await run.post(PUSH, bodyOf(ENTRY));
  expect([status, text, retryAfter]).toEqual([503, "timeout exceeded: entries were not safe within 30 ms", "5"]);
  expect(await run.metric("promtail_gcp_push_target_entries_total")).toBe(0);
});

test.each([
  ["subscription_type: both", 'subscription_type is "both", expected push or pull'],
  ["subscription_type: pull", "needs project_id and subscription"],
])("%s is refused", (yaml, says) => expect(run.open("gcplog", openGcplog, yaml)).rejects.toThrow(says));

test.each([
  ["logging.googleapis.com/timestamp", "logging_googleapis_com_timestamp"],
  ["NodeName", "node_name"],
  ["a-B_C", "a_b_c"],
  ["HTTPStatus", "h_t_t_p_status"],
])("%s as a label is %s", (key, name) => expect(labelNameOf(key)).toBe(name));
