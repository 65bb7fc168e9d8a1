// One request: headers, credentials, TLS, proxy, redirects, time limit. What its answer means is decided elsewhere (client.ts).

import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { parseRetryAfterMs } from "./backoff.ts";
import type { ClientOptions } from "./client-options.ts";
import { type Credentials, openCredentials } from "./credentials.ts";
import { ExtraHeaders } from "./extra-headers.ts";
import { HeaderValues } from "./header-values.ts";
import { postForm } from "./post-form.ts";
import { Routes } from "./routes.ts";
import { sendWhole, type WholeRequest } from "./whole-request.ts";

export interface PushAnswer {
  /** HTTP status, or -1 when there was no answer. */
  readonly status: number;
  /** First line of the body, or what went wrong. */
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

type PushRequest = Pick<WholeRequest, "method" | "url" | "headers" | "body">;
type PlacedAnswer = PushAnswer & { readonly location: string | undefined };

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const HOPS_MAX = 10;
/** Below this a time has passed before a request is out: such a timeout (`5`, without a unit) lets none out. */
const TIMEOUT_MS_MIN = 1;
const MESSAGE_BYTES_MAX = 1024;

export interface TransportShared {
  readonly userAgent: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class Transport {
  readonly #options: ClientOptions;
  readonly #shared: TransportShared;
  readonly #url: URL;
  readonly #credentials: Credentials;
  readonly #extraHeaders: ExtraHeaders;
  readonly #routes: Routes;
  /** To the endpoint that gives tokens, which may have TLS and a proxy of its own. */
  readonly #tokenRoutes: Routes;
  #warnedHeaders = false;

  /** @throws Error when a certificate cannot be read or an address is malformed */
  constructor(options: ClientOptions, shared: TransportShared) {
    this.#options = options;
    this.#shared = shared;
    const url = new URL(options.url);
    this.#credentials = openCredentials(options, url, shared.clock, (to, form, basic) =>
      postForm(to, form, basic, { routes: this.#tokenRoutes, userAgent: shared.userAgent, timeoutMs: options.timeoutMs }),
    );
    url.username = "";
    url.password = "";
    this.#url = url;
    this.#extraHeaders = new ExtraHeaders(options.httpHeaders ?? {}, shared.clock);
    this.#routes = new Routes({ tls: options.tls, proxy: options.proxy }, shared);
    const { tls = options.tls, proxy = options.proxy } = options.oauth2 ?? {};
    this.#tokenRoutes = tls === options.tls && proxy === options.proxy ? this.#routes : new Routes({ tls, proxy }, shared);
  }

  /** Sends one body. Never rejects: what goes wrong on the way is an answer of status -1. */
  async push(body: Buffer, tenant: string, stop: AbortSignal): Promise<PushAnswer> {
    try {
      if (this.#options.timeoutMs < TIMEOUT_MS_MIN) throw new Error(`no answer within ${this.#options.timeoutMs} ms`);
      const headers = await this.#headers(tenant);
      const answer = await this.#follow({ method: "POST", url: this.#url, body, headers }, stop);
      if (answer.status === 401) this.#credentials.refused();
      return answer;
    } catch (error) {
      return { status: -1, message: messageOf(error), retryAfterMs: undefined };
    }
  }

  close(): void {
    this.#routes.close();
    this.#tokenRoutes.close();
  }

  /** `headers` cannot replace the agent's own; `http_headers` come beside them. Credentials are for where neither has any. */
  async #headers(tenant: string): Promise<Record<string, string[]>> {
    const headers = new HeaderValues({ "Content-Type": "application/x-protobuf", "User-Agent": this.#shared.userAgent });
    if (tenant !== "") headers.set("X-Scope-OrgID", tenant);
    const skipped: string[] = [];
    for (const [name, value] of Object.entries(this.#options.headers)) {
      if (headers.has(name)) skipped.push(name);
      else headers.set(name, value);
    }
    if (skipped.length > 0 && !this.#warnedHeaders) {
      this.#warnedHeaders = true;
      this.#shared.log.warn({ client: this.#options.name, headers: skipped }, "configured headers are skipped: they are set already");
    }
    for (const [name, values] of await this.#extraHeaders.read()) headers.add(name, values);
    if (!headers.has("Authorization")) {
      const value = await this.#credentials.header();
      if (value !== undefined) headers.set("Authorization", value);
    }
    return headers.sent();
  }

  /** Sends a request, and those its answers ask for instead. */
  async #follow(request: PushRequest, stop: AbortSignal): Promise<PushAnswer> {
    let next = request;
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      const answer = await this.#request(next, stop);
      const asked = redirected(next, answer);
      if (asked === undefined || !this.#options.followRedirects) return answer;
      next = asked;
    }
    throw new Error(`stopped after ${HOPS_MAX} redirects`);
  }

  async #request(request: PushRequest, stop: AbortSignal): Promise<PlacedAnswer> {
    const route = this.#routes.to(request.url);
    const { status, headers, body } = await sendWhole({ ...request, route, timeoutMs: this.#options.timeoutMs, stop });
    return {
      status,
      message: firstLine(body),
      location: headers.location,
      retryAfterMs: parseRetryAfterMs(headers["retry-after"], this.#shared.clock.nowMs()),
    };
  }
}

/**
 * What an answer asks for instead of the request; undefined when it is no redirect. The rules are those of Go's HTTP client.
 *
 * @throws Error when it asks for an address that is none, which may pass, and is no refusal
 */
function redirected(request: PushRequest, { status, location }: { status: number; location: string | undefined }): PushRequest | undefined {
  if (!REDIRECTS.has(status) || location === undefined || location === "") return undefined;
  if (!URL.canParse(location, request.url.href)) throw new Error(`redirected to ${JSON.stringify(location)}, which is no address`);
  const url = new URL(location, request.url);
  const keeps = status === 307 || status === 308;
  const isElsewhere = url.host !== request.url.host || (request.url.protocol === "https:" && url.protocol !== "https:");
  const dropped = (name: string): boolean =>
    (isElsewhere && /^(?:authorization|cookie)$/i.test(name)) || (!keeps && /^content-/i.test(name));
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !dropped(name)));
  return keeps ? { method: "POST", url, body: request.body, headers } : { method: "GET", url, body: undefined, headers };
}

function firstLine(body: Buffer): string {
  const text = body.toString("utf8", 0, MESSAGE_BYTES_MAX);
  return text.split("\n", 1)[0]!.trim();
}
