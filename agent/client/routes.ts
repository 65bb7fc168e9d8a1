// The ways to a server: connections kept open, with TLS, directly or through a proxy. Certificates are read again when their files
// change, for they are renewed under a running agent.

import { Agent as HttpAgent, type AgentOptions as HttpAgentOptions } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { AxiosProxyConfig } from "axios";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { TlsOptions } from "./client-options.ts";
import { type ProxyOptions, proxyFor } from "./proxy.ts";
import { readTls, stampOfTls } from "./tls.ts";
import { TunnelAgent } from "./tunnel-agent.ts";

const SOCKETS_MAX = 16;
const SOCKET_IDLE_MS = 90_000;
/** How often files of certificates are looked at. */
const CERTIFICATES_PERIOD_MS = 5_000;

/** What a request needs to take its way. */
export interface Route {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
  /** For plain HTTP, which a proxy forwards; TLS goes through the agent's tunnel. */
  readonly proxy: AxiosProxyConfig | false;
}

export interface RouteOptions {
  readonly tls?: TlsOptions | undefined;
  readonly proxy?: ProxyOptions | undefined;
  /** To one host at a time; answers that do not end (`follow`) each keep one. Standard: 16. */
  readonly socketsMax?: number;
}

export class Routes {
  readonly #options: RouteOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #keep: HttpAgentOptions;
  readonly #httpAgent: HttpAgent;
  /** By proxy; the empty text stands for none. */
  readonly #httpsAgents = new Map<string, HttpsAgent>();
  #tls: ReturnType<typeof readTls>;
  #stamp: string;
  #lookedMs: number;

  /** @throws Error when a certificate cannot be read */
  constructor(options: RouteOptions, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#options = options;
    this.#keep = { keepAlive: true, maxSockets: options.socketsMax ?? SOCKETS_MAX, timeout: SOCKET_IDLE_MS };
    this.#httpAgent = new HttpAgent(this.#keep);
    this.#clock = clock;
    this.#log = log;
    this.#stamp = options.tls === undefined ? "" : stampOfTls(options.tls);
    this.#tls = readTls(options.tls);
    this.#lookedMs = clock.nowMs();
  }

  /** @throws Error when the proxy's address cannot be used */
  to(url: URL): Route {
    this.#readChanged();
    const proxy = this.#options.proxy === undefined ? undefined : proxyFor(url, this.#options.proxy);
    const forwards = proxy !== undefined && url.protocol === "http:";
    return { httpAgent: this.#httpAgent, httpsAgent: this.#httpsAgent(proxy), proxy: forwards ? forwardConfig(proxy) : false };
  }

  close(): void {
    this.#httpAgent.destroy();
    for (const agent of this.#httpsAgents.values()) agent.destroy();
  }

  #httpsAgent(proxy: URL | undefined): HttpsAgent {
    const key = proxy?.href ?? "";
    let agent = this.#httpsAgents.get(key);
    if (agent === undefined) {
      const options = { ...this.#keep, ...this.#tls };
      agent = proxy === undefined ? new HttpsAgent(options) : new TunnelAgent(proxy, this.#options.proxy?.connectHeaders ?? {}, options);
      this.#httpsAgents.set(key, agent);
    }
    return agent;
  }

  #readChanged(): void {
    const { tls } = this.#options;
    if (tls === undefined || this.#clock.nowMs() - this.#lookedMs < CERTIFICATES_PERIOD_MS) return;
    this.#lookedMs = this.#clock.nowMs();
    const stamp = stampOfTls(tls);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#tls = readTls(tls);
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, "certificates have changed and cannot be read, the former ones stay");
      return;
    }
    // Requests under way end on their connections; idle ones close by themselves.
    this.#httpsAgents.clear();
  }
}

function forwardConfig(proxy: URL): AxiosProxyConfig {
  const { protocol, hostname, port, username, password } = proxy;
  return {
    protocol: protocol.replace(":", ""),
    host: hostname,
    port: Number(port || (protocol === "https:" ? 443 : 80)),
    ...(username !== "" && { auth: { username: decodeURIComponent(username), password: decodeURIComponent(password) } }),
  };
}
