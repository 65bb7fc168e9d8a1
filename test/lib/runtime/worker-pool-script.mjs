// A worker for the pool's tests: answers, fails, waits to be stopped, or ends.
import { parentPort, workerData } from "node:worker_threads";

parentPort.on("message", ({ id, task, stop }) => {
  if (task.kind === "end") process.exit(3);
  if (task.kind === "fail") return parentPort.postMessage({ id, ok: false, error: { name: "QueryError", message: "no", status: 418 } });
  if (task.kind === "wait") while (Atomics.load(stop, 0) === 0);
  parentPort.postMessage({ id, ok: true, result: `${workerData.greeting} ${task.kind}` });
});
