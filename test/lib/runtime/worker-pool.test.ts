import { afterEach, expect, test } from "vitest";
import { WorkerPool } from "../../../lib/runtime/worker-pool.ts";

type Task = { readonly kind: "say" | "fail" | "wait" | "end" };
const pools: WorkerPool<Task, string>[] = [];

function start(count: number, onCrash: (error: Error) => void = () => {}): WorkerPool<Task, string> {
  const pool = new WorkerPool<Task, string>({
    script: new URL("worker-pool-script.mjs", import.meta.url),
    count,
    workerData: { greeting: "hello" },
    onCrash,
  });
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

test("more tasks than workers are all answered", async () => {
  const pool = start(2);
  expect(await Promise.all(Array.from({ length: 10 }, () => pool.run({ kind: "say" })))).toEqual(Array<string>(10).fill("hello say"));
});

test("a task's failure keeps its name and status", async () => {
  await expect(start(1).run({ kind: "fail" })).rejects.toMatchObject({ message: "no", originalName: "QueryError", status: 418 });
});

test("a running task is told to stop, and its worker goes on", async () => {
  const pool = start(1);
  const abort = new AbortController();
  const waiting = pool.run({ kind: "wait" }, abort.signal);
  const behind = pool.run({ kind: "say" });
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  expect(await behind).toBe("hello say");
});

test("a waiting task that is stopped never runs", async () => {
  const pool = start(1);
  const [first, second] = [new AbortController(), new AbortController()];
  const running = pool.run({ kind: "wait" }, first.signal);
  const waiting = pool.run({ kind: "end" }, second.signal);
  second.abort();
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  first.abort();
  await expect(running).rejects.toMatchObject({ name: "AbortError" });
  expect(await pool.run({ kind: "say" })).toBe("hello say");
});

test("a worker that ends fails its task only, and is replaced", async () => {
  const crashes: Error[] = [];
  const pool = start(1, (error) => crashes.push(error));
  await expect(pool.run({ kind: "end" })).rejects.toThrow("the worker thread ended");
  expect(await pool.run({ kind: "say" })).toBe("hello say");
  expect(crashes).toHaveLength(1);
});

test("groups take turns", async () => {
  const pool = start(1);
  const done: string[] = [];
  const run = (group: string, name: string) => pool.run({ kind: "say" }, undefined, group).then(() => done.push(name));
  await Promise.all([...[1, 2, 3, 4].map((i) => run("large", `large ${i}`)), run("small", "small")]);
  expect(done).toEqual(["large 1", "large 2", "small", "large 3", "large 4"]);
});

test("a closed pool takes no tasks", async () => {
  const pool = start(1);
  await pool.close();
  await expect(pool.run({ kind: "say" })).rejects.toThrow("closed");
});
