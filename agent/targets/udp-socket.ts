import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { ListenAddress } from "./listen-address.ts";

/** Asked of the kernel for datagrams that wait to be read; it gives at most `net.core.rmem_max`. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** A bound socket. Without a host it takes datagrams of IPv6 and IPv4. @throws Error of the system, such as EADDRINUSE */
export async function openUdpSocket(
  { host, port }: ListenAddress,
  onDatagram: (bytes: Buffer, from: RemoteInfo) => void,
  onError: (error: Error) => void,
): Promise<Socket> {
  if (host !== undefined) {
    const { address } = await lookup(host);
    return bind(isIPv6(address) ? "udp6" : "udp4", address, port, onDatagram, onError);
  }
  try {
    return await bind("udp6", "::", port, onDatagram, onError);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(code)) throw error;
    return bind("udp4", "0.0.0.0", port, onDatagram, onError);
  }
}

async function bind(
  type: "udp4" | "udp6",
  address: string,
  port: number,
  onDatagram: (bytes: Buffer, from: RemoteInfo) => void,
  onError: (error: Error) => void,
): Promise<Socket> {
  const socket = createSocket({ type, recvBufferSize: RECEIVE_BUFFER_BYTES });
  socket.bind(port, address);
  try {
    await once(socket, "listening");
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on("message", onDatagram).on("error", onError);
  return socket;
}

/** Resolves when the port is free again. */
export function closeUdpSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}
