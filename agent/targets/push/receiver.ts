// What sources that listen on HTTP have in common: a server of their own, bodies within bounds, and an answer that comes when the
// entries are safe.
//
//   body (limit, budget) ──> translate ──> intake.secure ──> 204
//
// A sender is told to come again (503, Retry-After) when more bytes are under way than may be, when the spool is full, and when the
// agent ends before the entries are safe. Nothing of such a request counts as taken.

import type { ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import { BodyTooLarge, type HttpServer, listen, plain, type Request, type Route } from "../../../lib/runtime/http-server.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { EntryBatch } from "../../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import type { ServerConfig } from "../../config/server.ts";
import { readTls } from "../../http/tls.ts";
import { counter } from "../../metric.ts";
import { Seldom } from "../../spool/seldom.ts";
import { InFlightBudget } from "../../tail/in-flight-budget.ts";
import type { Source, SourceContext } from "../source.ts";
import { type Held, readBody } from "./read-body.ts";
import { Refusal } from "./refusal.ts";

/** What a request brought. */
export interface Received {
  readonly batch: EntryBatch;
  /** What was wrong with a part of it. The rest is taken, and the answer is 400 with this text. */
  readonly fault?: string;
}

export interface ReceiverRoute {
  readonly path: string;
  /** @throws Refusal */
  readonly translate: (body: Buffer, request: Request) => Promise<Received> | Received;
  /** Counts requests that were refused, or taken only in part, for what is in them. */
  readonly onFault?: () => void;
  /** Counts entries that are safe. */
  readonly onTaken?: (entryCount: number) => void;
}

export interface ReceiverOptions {
  /** `Push`, `HerokuDrain`, …: for the page of targets. */
  readonly kind: string;
  /** The block's name: `loki_push_api`. */
  readonly block: string;
  readonly server: ServerConfig;
  readonly labels: Readonly<Record<string, string>>;
  readonly routes: readonly ReceiverRoute[];
  /** Others than those that take entries. */
  readonly otherRoutes?: readonly Route[];
  /** After this long a sender is told to come again; 0: never. */
  readonly timeoutMs?: number;
  /** Of request bodies that are not answered yet. */
  readonly bytesMax?: number;
}

/** Of a body as it comes over the wire. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Of a body after decompression. */
export const DECODED_BYTES_MAX = 64 * 1024 * 1024;
const UNANSWERED_BYTES_MAX = 64 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 5;
/** What is not safe this long after the end of listening is cut off, so that its sender sends it again. */
const STOP_GRACE_MS = 1_000;

/** @throws Error when the address is taken or a certificate cannot be read */
export async function openReceiver(options: ReceiverOptions, context: SourceContext): Promise<Source> {
  const receiver = new Receiver(options, context);
  await receiver.listen();
  return receiver;
}

class Receiver implements Source {
  readonly dropped = [];
  readonly #options: ReceiverOptions;
  readonly #context: SourceContext;
  readonly #budget: InFlightBudget;
  readonly #labels: LabelSet;
  readonly #answered: (status: string) => void;
  readonly #seldom: Seldom;
  readonly #counts = { entries: 0, requests: 0, refused: 0 };
  #server: HttpServer | undefined;
  /** Bodies are translated one after the other: what they become in memory is bounded by the largest. */
  #translating: Promise<unknown> = Promise.resolve();

  constructor(options: ReceiverOptions, context: SourceContext) {
    this.#options = options;
    this.#context = context;
    this.#seldom = new Seldom(context.clock);
    this.#budget = new InFlightBudget(options.bytesMax ?? UNANSWERED_BYTES_MAX);
    this.#labels = LabelSet.fromObject(options.labels);
    this.#answered = openAnswerCounter(context.registry, context.jobName);
  }

  get targets(): Source["targets"] {
    if (this.#server === undefined) return [];
    return [
      {
        kind: this.#options.kind,
        labels: this.#labels,
        discovered: {},
        ready: this.#server.server.listening,
        details: () => ({ address: this.#address(), ...this.#counts, unansweredBytes: this.#budget.usedBytes }),
        stop: (how) => this.stop(how),
      },
    ];
  }

  async listen(): Promise<void> {
    const { block, server, routes, otherRoutes = [] } = this.#options;
    const tls = readTls(server.http_tls_config, `${block}.server`);
    try {
      this.#server = await listen({
        address: server.http_listen_address,
        port: server.http_listen_port,
        prefix: server.http_path_prefix.replace(/\/+$/, ""),
        routes: [...routes.map((route) => this.#route(route)), ...otherRoutes],
        timeouts: { readMs: server.http_server_read_timeout, idleMs: server.http_server_idle_timeout },
        ...(tls === undefined ? {} : { tls }),
        onError: (error, request, response) => this.#refuse(error, request, response),
      });
    } catch (error) {
      const { http_listen_address: address, http_listen_port: port } = server;
      throw new Error(`cannot listen on ${address}:${port}: ${messageOf(error)}; change ${block}.server.http_listen_port`);
    }
    this.#context.log.info({ block, address: this.#address() }, "receiving on HTTP");
  }

  async stop(_options: { readonly drain: boolean }): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close(Math.min(STOP_GRACE_MS, this.#options.server.graceful_shutdown_timeout));
  }

  #address(): string {
    return `${this.#options.server.http_listen_address}:${this.#server?.port ?? this.#options.server.http_listen_port}`;
  }

  #route(route: ReceiverRoute): Route {
    return {
      methods: ["POST"],
      path: route.path,
      handler: async (request, response) => {
        const held: Held = { bytes: 0 };
        try {
          const { fault, batch } = await this.#take(request, route, held);
          const { liveCount } = batch;
          await this.#secure(batch);
          this.#counts.entries += liveCount;
          route.onTaken?.(liveCount);
          if (fault !== undefined) throw new Refusal(400, fault);
          this.#counts.requests++;
          response.writeHead(204).end();
          this.#answered("204");
        } catch (error) {
          if (error instanceof Refusal && error.status === 400) route.onFault?.();
          throw error;
        } finally {
          this.#budget.release(held.bytes);
        }
      },
    };
  }

  async #take(request: Request, route: ReceiverRoute, held: Held): Promise<Received> {
    const body = await readBody(request.raw, BODY_BYTES_MAX, this.#budget, held);
    const translating = this.#translating.then(() => route.translate(body, request));
    this.#translating = translating.catch(() => {});
    const received = await translating;
    // The batch is what stays in memory until the answer.
    this.#budget.take(received.batch.bytesUsed);
    this.#budget.release(held.bytes);
    held.bytes = received.batch.bytesUsed;
    return received;
  }

  async #secure(batch: EntryBatch): Promise<void> {
    if (batch.liveCount === 0) return;
    const { timeoutMs = 0 } = this.#options;
    const safe = this.#context.intake.secure(batch);
    if (timeoutMs === 0) return safe;
    const answered = new AbortController();
    const late = this.#context.clock.sleep(timeoutMs, answered.signal).then(() => {
      if (!answered.signal.aborted) throw new Refusal(503, `timeout exceeded: entries were not safe within ${timeoutMs} ms`);
    });
    try {
      await Promise.race([safe, late]);
    } finally {
      answered.abort();
      // Whoever comes too late is not answered.
      safe.catch(() => {});
    }
  }

  #refuse(error: unknown, { raw, path }: Request, response: ServerResponse): void {
    this.#counts.refused++;
    if (raw.socket.destroyed) return this.#answered("gone");
    const status = error instanceof Refusal ? error.status : error instanceof BodyTooLarge ? 413 : 503;
    this.#answered(String(status));
    const text = messageOf(error);
    this.#seldom.say(`${path} ${status}`, 1, (requests) =>
      this.#context.log.warn({ path, status, requests, error: text }, "requests of senders refused"),
    );
    plain(response, status, `${text}\n`, status === 503 ? { "retry-after": String(RETRY_AFTER_SECONDS) } : {});
  }
}

/** `gone` counts senders that went away before they were answered. */
function openAnswerCounter(registry: Registry, job: string): (status: string) => void {
  const help = "Requests of senders, by the status of the answer; gone: the sender did not wait for it.";
  const answers = counter(registry, "skald_receiver_requests_total", help, ["job", "status_code"]);
  return (status) => answers.inc({ job, status_code: status });
}

/** Who the sender says it is; empty when it does not. */
export function tenantOf({ raw }: Request): string {
  const header = raw.headers["x-scope-orgid"];
  return Array.isArray(header) ? (header[0] ?? "") : (header ?? "");
}
