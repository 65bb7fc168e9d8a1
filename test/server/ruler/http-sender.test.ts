import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type HttpAccess, type HttpAnswer, HttpSender } from "../../../server/ruler/http-sender.ts";
import { type FakeRemote, fakeRemote } from "./fake-remote.ts";

let remote: FakeRemote;
let folder: string;
beforeEach(async () => {
  remote = await fakeRemote();
  folder = mkdtempSync(join(tmpdir(), "skald-sender-"));
});
afterEach(async () => {
  await remote.close();
  rmSync(folder, { recursive: true, force: true });
});

const TLS = { caFile: "", certFile: "", keyFile: "", serverName: "", insecureSkipVerify: false };
const never = new AbortController().signal;

function senderOf(access: Partial<HttpAccess> = {}): HttpSender {
  return new HttpSender({ headers: {}, login: { kind: "none" }, tls: TLS, followRedirects: true, timeoutMs: 5000, ...access });
}

async function post(access: Partial<HttpAccess> = {}, url = remote.url): Promise<HttpAnswer> {
  const sender = senderOf(access);
  try {
    return await sender.post(url, Buffer.from("body"), { "X-Call": "1" }, never);
  } finally {
    sender.close();
  }
}

test("an answer is its status and the first line", async () => {
  remote.answer = () => ({ status: 429, headers: { "retry-after": "7" }, text: "slow down\nplease" });
  expect(await post({ headers: { "X-Own": "2" } })).toEqual({ status: 429, message: "slow down", retryAfter: "7" });
  expect(remote.received[0]!.headers).toMatchObject({ "x-call": "1", "x-own": "2" });
  expect(remote.received[0]!.body.toString()).toBe("body");
});

for (const [name, login, header] of [
  ["a password", { kind: "basic", username: "u", password: "p", passwordFile: "" }, `Basic ${Buffer.from("u:p").toString("base64")}`],
  [
    "a password in a file",
    { kind: "basic", username: "u", password: "", passwordFile: "secret" },
    `Basic ${Buffer.from("u:from-file").toString("base64")}`,
  ],
  ["a token in a file", { kind: "token", type: "", credentials: "", credentialsFile: "secret" }, "Bearer from-file"],
] as const) {
  test(`${name} is sent`, async () => {
    writeFileSync(join(folder, "secret"), "from-file\n");
    const inFolder = Object.fromEntries(
      Object.entries(login).map(([key, value]) => [key, value === "secret" ? join(folder, value) : value]),
    );
    await post({ login: inFolder as HttpAccess["login"] });
    expect(remote.received[0]!.headers.authorization).toBe(header);
  });
}

test("a configured Authorization header wins", async () => {
  await post({ headers: { authorization: "Own" }, login: { kind: "token", type: "", credentials: "x", credentialsFile: "" } });
  expect(remote.received[0]!.headers.authorization).toBe("Own");
});

test("a file of credentials that is not there is told, and nothing is sent", async () => {
  const answer = await post({ login: { kind: "token", type: "", credentials: "", credentialsFile: join(folder, "none") } });
  expect(answer.status).toBe(-1);
  expect(answer.message).toMatch(/^could not read credentials from .*none: ENOENT/);
  expect(remote.received).toEqual([]);
});

for (const [followRedirects, status] of [
  [true, 200],
  [false, 307],
] as const) {
  test(`redirects ${followRedirects ? "are" : "are not"} followed`, async () => {
    remote.answer = ({ path }) => (path === "/next" ? 200 : { status: 307, headers: { location: "/next" } });
    expect((await post({ followRedirects })).status).toBe(status);
  });
}

test("nobody there, and nobody answering, are told", async () => {
  expect(await post({}, "http://127.0.0.1:1")).toMatchObject({ status: -1, message: expect.stringContaining("ECONNREFUSED") as string });
  remote.answer = () => "hang";
  expect(await post({ timeoutMs: 50 })).toMatchObject({ status: -1, message: "no answer within 50 ms" });
});

test("a CA file that cannot be read is an error at once", () =>
  expect(() => senderOf({ tls: { ...TLS, caFile: join(folder, "none") } })).toThrow(/^could not read the CA file .*none: ENOENT/));
