import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openHerokuDrain } from "../../../../agent/targets/heroku/open-heroku.ts";
import type { RelabelConfig } from "../../../../lib/text/relabel.ts";
import { ReceiverRun } from "../receiver-harness.ts";

let run: ReceiverRun;
beforeEach(() => {
  run = new ReceiverRun();
});
afterEach(() => run.close());

const DRAIN = "/heroku/api/v1/drain";
const open = (yaml = "", relabel: Partial<RelabelConfig>[] = []): Promise<void> =>
  run.open("heroku_drain", openHerokuDrain, yaml, { relabel });
const frame = (message: string): string => `${Buffer.byteLength(message)} ${message}`;
const ROUTER = frame('<158>1 2022-06-13T14:52:23.622778+00:00 host heroku router - at=info method=GET path="/" status=200\n');
const WEB = frame("<190>1 2022-06-13T14:52:23.827271+02:00 host app web.1 - [GIN] 163.92µs | GET\n");
const HEADERS = {
  "content-type": "application/logplex-1",
  "logplex-msg-count": "2",
  "logplex-frame-id": "F1",
  "logplex-drain-token": "d.1",
};
const to = (source: string, target: string): Partial<RelabelConfig> => ({ source_labels: [source], target_label: target });
const parsingErrors = (): Promise<number> => run.metric("promtail_heroku_drain_target_parsing_errors_total");

describe("a drain", () => {
  test("brings the messages of a batch, with the configured labels", async () => {
    await open("labels: {job: heroku}\nuse_incoming_timestamp: true");
    expect((await run.post(DRAIN, ROUTER + WEB, HEADERS)).status).toBe(204);
    expect(run.entries).toEqual([
      { labels: { job: "heroku" }, line: 'at=info method=GET path="/" status=200\n', ns: "1655131943622778000" },
      { labels: { job: "heroku" }, line: "[GIN] 163.92µs | GET\n", ns: "1655124743827271000" },
    ]);
    expect(await run.metric("promtail_heroku_drain_target_entries_total")).toBe(2);
    expect(await parsingErrors()).toBe(0);
  });

  test("gets the present time otherwise", async () => {
    await open();
    await run.post(DRAIN, ROUTER, HEADERS);
    expect(Number(run.entries[0]!.ns) / 1e6).toBeGreaterThan(Date.now() - 60_000);
  });

  test("shows its fields and parameters to the rules, which win over the configured labels", async () => {
    await open("labels: {job: heroku, host: fixed}", [
      ...["host", "app", "proc", "log_id"].map((name) => to(`__heroku_drain_${name}`, name)),
      to("__heroku_drain_param_env", "env"),
      to("job", "not_seen"),
    ]);
    await run.post(`${DRAIN}?env=prod&env=eu`, ROUTER, HEADERS);
    expect(run.entries[0]!.labels).toEqual({ job: "heroku", host: "host", app: "heroku", proc: "router", log_id: "-", env: "prod,eu" });
  });

  test("of a tenant goes to it", async () => {
    await open("", [to("__tenant_id__", "tenant")]);
    await run.post(DRAIN, ROUTER, { ...HEADERS, "x-scope-orgid": "42" });
    expect(run.entries[0]!.labels).toEqual({ __tenant_id__: "42", tenant: "42" });
  });

  test("loses what the rules drop, by count", async () => {
    await open("labels: {job: heroku}", [{ action: "drop", source_labels: ["__heroku_drain_proc"], regex: "router" }]);
    expect((await run.post(DRAIN, ROUTER + WEB + ROUTER, HEADERS)).status).toBe(204);
    expect(run.entries).toHaveLength(1);
    expect(await run.metric("logentry_dropped_lines_total", { reason: "relabel" })).toBe(2);
  });

  test("may be empty", async () => {
    await open();
    expect((await run.post(DRAIN, "", HEADERS)).status).toBe(204);
  });
});

describe("what is malformed ends the batch, and what stands before it is taken", () => {
  test.each([
    ["no length", "garbage", "bad frame: no length and space at byte 0"],
    ["a space first", " 5 hello", "bad frame: no length and space at byte 0"],
    ["a length that is none", "5x hello", "bad frame: no length and space at byte 0"],
    ["a length of many digits", "99999999999 x", "bad frame: no length and space at byte 0"],
    ["half a message", ROUTER.slice(0, -10), "bad frame: the message at byte 4 has 90 bytes of 100"],
    ["too few fields", frame("<1>1 2022-06-13T14:52:23Z host app"), "the message at byte 3 ends after 3 of 6 fields"],
    ["no priority", frame("1 2022-06-13T14:52:23Z host app web - x"), "the message at byte 3 has an invalid pri-val"],
    ["a priority above 255", frame("<256>1 2022-06-13T14:52:23Z h a w - x"), "the message at byte 3 has an invalid pri-val"],
    ["a time that is none", frame("<1>1 yesterday h a w - x"), "parsing time"],
  ])("%s", async (_, bad, says) => {
    await open();
    expect((await run.post(DRAIN, bad, HEADERS)).text.slice(0, says.length)).toBe(says);
    const answer = await run.post(DRAIN, WEB + bad, HEADERS);
    expect(answer.status).toBe(400);
    expect(run.lines).toEqual(["[GIN] 163.92µs | GET\n"]);
    expect(await parsingErrors()).toBe(2);
    expect(await run.metric("promtail_heroku_drain_target_entries_total")).toBe(1);
  });
});

test("a drain that reconnects over and over loses and repeats nothing", async () => {
  await open();
  const message = (number: number): string => frame(`<190>1 2022-06-13T14:52:23Z host app web.1 - n=${number}\n`);
  let number = 0;
  for (let round = 0; round < 20; round++) {
    const whole = Array.from({ length: 50 }, () => message(number++)).join("");
    // Logplex gives up a connection in the middle of a body, and sends it again over another.
    if (round % 3 === 0)
      await run.writeAndLeave(
        `POST ${DRAIN} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(whole)}\r\n\r\n${whole.slice(0, 700)}`,
      );
    expect((await run.post(DRAIN, whole, HEADERS)).status).toBe(204);
  }
  expect(run.lines).toEqual(Array.from({ length: 1_000 }, (_, n) => `n=${n}\n`));
});
