// A pool of worker threads that are there before the first task, so that it does not wait for a thread to start. Each thread does one task at
// a time; tasks wait in order, but those of different groups take turns, so that a large job does not shut out a small one. A task is told to stop through a cell of shared memory, which a busy thread can look at.

import { Worker } from "node:worker_threads";

/** What a worker gets: the task, and the cell that is not 0 once it should stop. */
export interface PoolRequest<Task> {
  readonly id: number;
  readonly task: Task;
  readonly stop: Int32Array;
}

/** What a worker answers. Errors are plain data: classes do not survive the way between threads. */
export type PoolReply<Result> =
  | { readonly id: number; readonly ok: true; readonly result: Result }
  | {
      readonly id: number;
      readonly ok: false;
      readonly error: { readonly name: string; readonly message: string; readonly status?: number; readonly stack?: string };
    };

export interface WorkerPoolOptions {
  /** The worker's script; must be JavaScript. */
  readonly script: URL;
  readonly count: number;
  /** Structured-clonable, handed to every worker as `workerData`. */
  readonly workerData?: unknown;
  /** A worker ended by itself; its task has failed and another worker takes its place. */
  readonly onCrash?: (error: Error) => void;
}

/** A task's failure inside a worker. */
export class WorkerTaskError extends Error {
  override readonly name = "WorkerTaskError";
  /** Name and status of the error that the task threw. */
  readonly originalName: string;
  readonly status: number | undefined;
  constructor(message: string, originalName: string, status: number | undefined) {
    super(message);
    this.originalName = originalName;
    this.status = status;
  }
}

interface Job<Task, Result> {
  readonly request: PoolRequest<Task>;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

interface Slot<Task, Result> {
  worker: Worker;
  job: Job<Task, Result> | undefined;
}

/** Crashes in a row after which workers are not replaced any more: something is wrong with all of them. */
const CRASHES_MAX = 16;

export class WorkerPool<Task, Result> {
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot<Task, Result>[] = [];
  /** Jobs by group; the group that is served next comes first. */
  readonly #waiting = new Map<unknown, Job<Task, Result>[]>();
  #nextId = 1;
  #crashesInARow = 0;
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    for (let i = 0; i < options.count; i++) this.#addWorker();
  }

  get size(): number {
    return this.#slots.length;
  }

  /**
   * Runs a task on the next free worker. When the signal aborts, a waiting task is dropped and a running one told to stop.
   * @param group what the task belongs to; groups take turns
   */
  run(task: Task, signal?: AbortSignal, group?: unknown): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#closed || this.#slots.length === 0) return reject(new Error("run a task: the worker pool is closed"));
      if (signal?.aborted) return reject(abortError());
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const onAbort = (): void => this.#stop(job, group);
      const forget = (): void => signal?.removeEventListener("abort", onAbort);
      const job: Job<Task, Result> = {
        request: { id: this.#nextId++, task, stop },
        resolve(result) {
          forget();
          resolve(result);
        },
        reject(error) {
          forget();
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const queue = this.#waiting.get(group);
      if (queue === undefined) this.#waiting.set(group, [job]);
      else queue.push(job);
      this.#dispatch();
    });
  }

  /** Ends the workers; tasks in flight fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectWaiting(abortError());
    const slots = this.#slots.splice(0);
    for (const { job } of slots) job?.reject(abortError());
    await Promise.all(slots.map(({ worker }) => worker.terminate()));
  }

  #dispatch(): void {
    for (const slot of this.#slots) {
      if (slot.job !== undefined) continue;
      const job = this.#next();
      if (job === undefined) return;
      slot.job = job;
      slot.worker.ref();
      slot.worker.postMessage(job.request);
    }
  }

  #next(): Job<Task, Result> | undefined {
    for (const [group, queue] of this.#waiting) {
      const job = queue.shift();
      // Behind the others, or gone when it has nothing left.
      this.#waiting.delete(group);
      if (queue.length > 0) this.#waiting.set(group, queue);
      if (job !== undefined) return job;
    }
    return undefined;
  }

  #rejectWaiting(error: Error): void {
    const jobs = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const job of jobs) job.reject(error);
  }

  #stop(job: Job<Task, Result>, group: unknown): void {
    Atomics.store(job.request.stop, 0, 1);
    const queue = this.#waiting.get(group);
    const at = queue?.indexOf(job) ?? -1;
    if (at >= 0) queue!.splice(at, 1);
    // A running task goes on to its next look at the cell; nobody waits for what it says then.
    job.reject(abortError());
  }

  #addWorker(): void {
    const worker = new Worker(this.#options.script, { workerData: this.#options.workerData });
    // An idle pool does not keep a program alive that is otherwise done.
    worker.unref();
    const slot: Slot<Task, Result> = { worker, job: undefined };
    this.#slots.push(slot);
    worker.on("message", (reply: PoolReply<Result>) => this.#finish(slot, reply));
    worker.on("error", (error: Error) => this.#replace(slot, error));
    worker.on("exit", () => this.#replace(slot, new Error("the worker thread ended")));
  }

  #finish(slot: Slot<Task, Result>, reply: PoolReply<Result>): void {
    this.#crashesInARow = 0;
    const { job } = slot;
    slot.job = undefined;
    slot.worker.unref();
    if (job?.request.id === reply.id) {
      if (reply.ok) job.resolve(reply.result);
      else job.reject(new WorkerTaskError(reply.error.message, reply.error.name, reply.error.status));
    }
    this.#dispatch();
  }

  #replace(slot: Slot<Task, Result>, error: Error): void {
    const at = this.#slots.indexOf(slot);
    if (at < 0) return;
    this.#slots.splice(at, 1);
    slot.job?.reject(error);
    if (this.#closed) return;
    this.#options.onCrash?.(error);
    if (++this.#crashesInARow <= CRASHES_MAX) this.#addWorker();
    else if (this.#slots.length === 0) this.#rejectWaiting(error);
    this.#dispatch();
  }
}

function abortError(): Error {
  return new DOMException("the task was stopped", "AbortError");
}
