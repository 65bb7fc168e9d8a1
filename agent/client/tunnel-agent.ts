import { type ClientRequest, request as httpRequest, type RequestOptions } from "node:http";
import { type AgentOptions, Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { basicHeader } from "./credentials.ts";

const CONNECT_TIMEOUT_MS = 30_000;

type Created = (error: Error | null, socket: Duplex) => void;

/** TLS to a server through a proxy: each connection asks it for a tunnel (CONNECT), and is kept for further requests as any other. */
export class TunnelAgent extends HttpsAgent {
  readonly #proxy: URL;
  readonly #headers: Readonly<Record<string, readonly string[]>>;
  readonly #proxyTls: AgentOptions;

  /**
   * @param headers sent with CONNECT, beside the credentials of the proxy's address
   * @param options of the server's connection; its authorities are also those of a proxy that is spoken to over TLS
   */
  constructor(proxy: URL, headers: Readonly<Record<string, readonly string[]>>, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
    this.#headers = headers;
    this.#proxyTls = {
      ...(options.ca !== undefined && { ca: options.ca }),
      ...(options.rejectUnauthorized !== undefined && { rejectUnauthorized: options.rejectUnauthorized }),
    };
  }

  // Node's agent calls this for each new connection, and takes the connection from the callback.
  override createConnection(options: RequestOptions, created?: Created): Duplex | null | undefined {
    const host = options.host ?? "localhost";
    const asked = this.#ask(`${host.includes(":") ? `[${host}]` : host}:${options.port}`);
    let settled = false;
    const settle = (error: Error | null, socket?: Duplex): void => {
      if (settled) return;
      settled = true;
      // Node passes an error on without a socket, which its types do not say.
      created?.(error, socket as Duplex);
    };
    asked.once("connect", ({ statusCode, statusMessage }, socket) => {
      if (statusCode === 200) return settle(null, super.createConnection({ ...options, socket } as RequestOptions) ?? socket);
      socket.destroy();
      settle(new Error(`the proxy ${this.#proxy.host} opens no tunnel to ${host}: ${statusCode} ${statusMessage ?? ""}`.trimEnd()));
    });
    // A proxy that takes CONNECT for an ordinary request answers like that.
    asked.once("response", (response) => {
      response.destroy();
      settle(new Error(`the proxy ${this.#proxy.host} opens no tunnel to ${host}: ${response.statusCode}`));
    });
    asked.once("timeout", () => asked.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`)));
    asked.once("error", (error) => settle(new Error(`could not reach the proxy ${this.#proxy.host}: ${error.message}`)));
    asked.end();
    return undefined;
  }

  #ask(authority: string): ClientRequest {
    const { protocol, hostname, port, username, password } = this.#proxy;
    const secure = protocol === "https:";
    const credentials = username === "" ? undefined : basicHeader(decodeURIComponent(username), decodeURIComponent(password));
    const configured = Object.entries(this.#headers).map(([name, values]) => [name, [...values]] as const);
    return (secure ? httpsRequest : httpRequest)({
      method: "CONNECT",
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port || (secure ? 443 : 80),
      path: authority,
      headers: {
        Host: authority,
        ...(credentials !== undefined && { "Proxy-Authorization": credentials }),
        ...Object.fromEntries(configured),
      },
      agent: false,
      timeout: CONNECT_TIMEOUT_MS,
      ...(secure && this.#proxyTls),
    });
  }
}
