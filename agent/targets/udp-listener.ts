// Datagrams, and how many of them the kernel threw away because they came faster than they were read.

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import type { ListenAddress } from "./listen-address.ts";

/** Asked of the kernel for datagrams that wait to be read; it gives at most `net.core.rmem_max`. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const LOOK_PERIOD_MS = 5_000;
/** Sockets with their local address, `…:PORT` in hexadecimal, and in the last column the datagrams dropped (proc(5)). */
const SOCKET_TABLES = ["/proc/net/udp", "/proc/net/udp6"];

export interface UdpOptions {
  readonly onDatagram: (bytes: Buffer, from: RemoteInfo) => void;
  readonly onError: (error: Error) => void;
  /** Told of datagrams that came and were never seen here, where the kernel counts them. */
  readonly onLost: (count: number) => void;
  readonly receiveBufferBytes?: number;
}

export class UdpListener {
  readonly port: number;
  readonly #socket: Socket;
  readonly #onLost: (count: number) => void;
  readonly #looking: NodeJS.Timeout;
  #lostCount = 0;

  private constructor(socket: Socket, { onDatagram, onError, onLost }: UdpOptions) {
    this.#socket = socket;
    this.port = socket.address().port;
    this.#onLost = onLost;
    socket.on("message", onDatagram).on("error", onError);
    this.#looking = setInterval(() => void this.#lookForLost(), LOOK_PERIOD_MS);
  }

  /** Without a host it takes datagrams of IPv6 and IPv4. @throws Error of the system, such as EADDRINUSE */
  static async open({ host, port }: ListenAddress, options: UdpOptions): Promise<UdpListener> {
    return new UdpListener(await openSocket(host, port, options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES), options);
  }

  /** Resolves when the port is free again. */
  async close(): Promise<void> {
    clearInterval(this.#looking);
    await this.#lookForLost();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  async #lookForLost(): Promise<void> {
    const tables = await Promise.all(SOCKET_TABLES.map((path) => readFile(path, "latin1").catch(() => "")));
    const lost = tables.reduce((sum, table) => sum + droppedOf(table, this.port), 0);
    if (lost > this.#lostCount) this.#onLost(lost - this.#lostCount);
    this.#lostCount = Math.max(lost, this.#lostCount);
  }
}

/** Datagrams dropped at sockets of a port, by a table such as /proc/net/udp. */
export function droppedOf(table: string, port: number): number {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").reduce((sum, line) => {
    const columns = line.trim().split(/\s+/);
    return columns[1]?.endsWith(ending) === true ? sum + Number(columns.at(-1)) : sum;
  }, 0);
}

async function openSocket(host: string | undefined, port: number, recvBufferSize: number): Promise<Socket> {
  if (host !== undefined) {
    const { address } = await lookup(host);
    return bind(isIPv6(address) ? "udp6" : "udp4", address, port, recvBufferSize);
  }
  try {
    return await bind("udp6", "::", port, recvBufferSize);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(code)) throw error;
    return bind("udp4", "0.0.0.0", port, recvBufferSize);
  }
}

async function bind(type: "udp4" | "udp6", address: string, port: number, recvBufferSize: number): Promise<Socket> {
  const socket = createSocket({ type, recvBufferSize });
  socket.bind(port, address);
  try {
    await once(socket, "listening");
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}
