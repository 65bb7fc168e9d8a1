// Syslog over TCP and TLS. A sender that is faster than the entries can be made safe is not read from until they are, so that its own
// queue holds them; one that sends nothing whole for `idle_timeout` is cut off.

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { Clock } from "../../../lib/runtime/clock.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import { type ListenAddress, plainAddress } from "../listen-address.ts";
import type { ReceivedEntries } from "../received-entries.ts";
import { FrameReader } from "./frames.ts";
import type { Hostnames } from "./hostnames.ts";
import type { MessageReader } from "./message-reader.ts";
import type { SyslogMetrics } from "./syslog-metrics.ts";

const CONNECTIONS_MAX = 1_024;
const TLS_HANDSHAKE_MS = 10_000;
/** How long a connection's first bytes wait for the name of its address. */
const HOSTNAME_WAIT_MS = 500;
/** At the end senders have this long to notice, while what they have sent is read. */
const FAREWELL_MS = 500;

export interface TcpListenerOptions {
  readonly address: ListenAddress;
  readonly tls: TlsOptions | undefined;
  readonly idleMs: number;
  readonly messageBytesMax: number;
  readonly reader: MessageReader;
  readonly received: ReceivedEntries;
  /** Undefined when no rule asks for names. */
  readonly hostnames: Hostnames | undefined;
  readonly metrics: SyslogMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

interface Connection {
  readonly socket: Socket;
  readonly frames: FrameReader;
  /** When the last whole message came, or the connection itself. */
  progressMs: number;
}

export class TcpListener {
  readonly #options: TcpListenerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #stop = new AbortController();
  readonly #sweep: NodeJS.Timeout;

  private constructor(options: TcpListenerOptions) {
    this.#options = options;
    const { tls, idleMs, log } = options;
    this.#server = tls === undefined ? createServer() : createTlsServer({ ...tls, handshakeTimeout: TLS_HANDSHAKE_MS });
    this.#server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => void this.#serve(socket));
    this.#server.on("tlsClientError", (error: Error) => log.debug({ error: error.message }, "TLS connection refused"));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("drop", () => {
      options.metrics.dropped.inc({ reason: "connection_limit" });
      log.warn({ limit: CONNECTIONS_MAX }, "too many connections at a time, another one is refused");
    });
    this.#sweep = setInterval(() => this.#cutIdle(), Math.min(Math.max(idleMs / 4, 10), 5_000));
  }

  /** @throws Error of the system, such as EADDRINUSE, or of a certificate that cannot be used */
  static async open(options: TcpListenerOptions): Promise<TcpListener> {
    const listener = new TcpListener(options);
    const { host, port } = options.address;
    listener.#server.listen(host === undefined ? { port } : { host, port });
    try {
      await once(listener.#server, "listening");
    } catch (error) {
      clearInterval(listener.#sweep);
      throw error;
    }
    listener.#server.on("error", (error) => options.log.error({ error: error.message }, "syslog listener failed"));
    return listener;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { socket } of this.#connections) socket.end();
    const timer = setTimeout(() => {
      for (const { socket } of this.#connections) socket.destroy();
    }, FAREWELL_MS);
    await closed;
    clearTimeout(timer);
    this.#stop.abort();
  }

  async #serve(socket: Socket): Promise<void> {
    const { hostnames, reader, messageBytesMax, log } = this.#options;
    const address = plainAddress(socket.remoteAddress ?? "");
    const sender = { address, hostname: "" };
    const frames = new FrameReader(
      {
        message: (bytes, start, end) => {
          connection.progressMs = this.#options.clock.nowMs();
          reader.message(bytes, start, end, sender);
        },
        fault: (fault) => reader.fault(fault, sender),
      },
      messageBytesMax,
    );
    const connection: Connection = { socket, frames, progressMs: this.#options.clock.nowMs() };
    this.#connections.add(connection);
    socket.on("error", (error) => log.debug({ error: error.message, from: address }, "syslog connection failed"));
    socket.on("end", () => frames.end());
    socket.on("close", () => {
      frames.abort();
      this.#connections.delete(connection);
    });
    if (hostnames !== undefined) sender.hostname = await hostnames.find(address, HOSTNAME_WAIT_MS);
    socket.on("data", (chunk: Buffer) => this.#take(connection, chunk));
  }

  #take({ socket, frames }: Connection, chunk: Buffer): void {
    const { received } = this.#options;
    frames.push(chunk);
    if (received.hasRoom || socket.isPaused()) return;
    socket.pause();
    void received.room(this.#stop.signal).then(() => socket.resume());
  }

  /** Whoever waits for us is not idle. */
  #cutIdle(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const connection of this.#connections) {
      if (connection.socket.isPaused()) connection.progressMs = nowMs;
      else if (nowMs - connection.progressMs >= this.#options.idleMs) {
        this.#options.log.debug({ from: connection.socket.remoteAddress }, "syslog connection idle, closed");
        connection.socket.destroy();
      }
    }
  }
}
