import { expect, test } from "vitest";
import { Hostnames, namesInHosts } from "../../../../agent/targets/syslog/hostnames.ts";
import { manualClock } from "../../../../lib/runtime/clock.ts";

/** Answers when the test says so. */
function asked() {
  const clock = manualClock(1_000);
  const questions: { address: string; answer: (name: string) => void; fail: () => void }[] = [];
  const hostnames = new Hostnames(clock, (address) => new Promise((resolve, reject) => questions.push({ address, answer: resolve, fail: () => reject(new Error("ENOTFOUND")) }))); // biome-ignore format: one line
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { clock, questions, hostnames, turn };
}

test("a name is there when it was answered, and is asked for once", async () => {
  const { questions, hostnames, turn } = asked();
  expect(hostnames.nameOf("10.0.0.1")).toBe("");
  expect(hostnames.nameOf("10.0.0.1")).toBe("");
  questions[0]!.answer("a.example.");
  await turn();
  expect(hostnames.nameOf("10.0.0.1")).toBe("a.example.");
  expect(questions).toHaveLength(1);
});

test("names are asked for anew after ten minutes, missing ones after one, and the old one serves meanwhile", async () => {
  const { clock, questions, hostnames, turn } = asked();
  hostnames.nameOf("1");
  hostnames.nameOf("2");
  questions[0]!.answer("one");
  questions[1]!.fail();
  await turn();
  await clock.advance(61_000);
  hostnames.nameOf("1");
  hostnames.nameOf("2");
  expect(questions.map(({ address }) => address)).toEqual(["1", "2", "2"]);
  await clock.advance(600_000);
  expect(hostnames.nameOf("1")).toBe("one");
  expect(questions).toHaveLength(4);
});

test("waiting ends with the answer, or when it takes too long", async () => {
  const { clock, questions, hostnames, turn } = asked();
  const found = hostnames.find("1", 500);
  await turn();
  questions[0]!.answer("one");
  expect(await found).toBe("one");
  const missed = hostnames.find("2", 500);
  await turn();
  await clock.advance(500);
  expect(await missed).toBe("");
});

test("a flood of addresses asks a bounded number of questions", () => {
  const { questions, hostnames } = asked();
  for (let i = 0; i < 10_000; i++) hostnames.nameOf(`10.0.${i >> 8}.${i & 255}`);
  expect(questions).toHaveLength(32);
});

test("the table of the machine", () =>
  expect(namesInHosts("# c\n127.0.0.1\tlocalhost lo # x\n::1 six\n10.0.0.1 a\n", "127.0.0.1")).toEqual(["localhost", "lo"]));
