// One request: headers, credentials, TLS, proxy, redirects, time limit. What its answer means is decided elsewhere (client.ts).

import type { AxiosRequestConfig } from "axios";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { sendWhole } from "./axios.ts";
import { parseRetryAfterMs } from "./backoff.ts";
import type { ClientOptions } from "./client-options.ts";
import { type Credentials, openCredentials } from "./credentials.ts";
import { ExtraHeaders } from "./extra-headers.ts";
import { postForm } from "./post-form.ts";
import { Routes } from "./routes.ts";
import { withDeadline } from "./with-deadline.ts";

export interface PushAnswer {
  /** HTTP status, or -1 when there was no answer. */
  readonly status: number;
  /** First line of the body, or what went wrong. */
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

type PushRequest = Pick<AxiosRequestConfig, "data"> & {
  readonly method: "POST" | "GET";
  readonly url: URL;
  readonly headers: Record<string, string | string[]>;
};

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const REDIRECTS_MAX = 10;
const ANSWER_BYTES_MAX = 1024 * 1024;
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
  /** Requests go without the layer that follows redirects, which keeps a copy of every body, until the endpoint answers with the first. */
  #followsRedirects = false;

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
      const headers = await this.#headers(tenant);
      const request: PushRequest = { method: "POST", url: this.#url, data: body, headers };
      const first = await this.#request(request, stop);
      const next = this.#options.followRedirects && !this.#followsRedirects ? redirected(request, first) : undefined;
      this.#followsRedirects ||= next !== undefined;
      const answer = next === undefined ? first : await this.#request(next, stop);
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

  /** The agent's own headers cannot be replaced by configured ones; credentials can. */
  async #headers(tenant: string): Promise<Record<string, string | string[]>> {
    const own: Record<string, string> = { "Content-Type": "application/x-protobuf", "User-Agent": this.#shared.userAgent };
    if (tenant !== "") own["X-Scope-OrgID"] = tenant;
    const taken = new Set(Object.keys(own).map((name) => name.toLowerCase()));
    const headers: Record<string, string | string[]> = { ...own };
    const skipped: string[] = [];
    for (const [name, value] of [...Object.entries(this.#options.headers), ...(await this.#extraHeaders.read())]) {
      if (taken.has(name.toLowerCase())) skipped.push(name);
      else headers[name] = value;
    }
    if (skipped.length > 0 && !this.#warnedHeaders) {
      this.#warnedHeaders = true;
      this.#shared.log.warn({ client: this.#options.name, headers: skipped }, "configured headers are skipped: the agent sets them itself");
    }
    if (!Object.keys(headers).some((name) => name.toLowerCase() === "authorization")) {
      const value = await this.#credentials.header();
      if (value !== undefined) headers.Authorization = value;
    }
    return headers;
  }

  async #request({ url, ...request }: PushRequest, stop: AbortSignal): Promise<PushAnswer & { readonly location: string | undefined }> {
    return withDeadline(this.#options.timeoutMs, stop, async (signal) => {
      const response = await sendWhole<Buffer>({
        ...request,
        url: url.href,
        ...this.#routes.to(url),
        maxRedirects: this.#followsRedirects ? REDIRECTS_MAX : 0,
        responseType: "arraybuffer",
        maxContentLength: ANSWER_BYTES_MAX,
        maxBodyLength: Number.POSITIVE_INFINITY,
        validateStatus: () => true,
        signal,
      });
      return {
        status: response.status,
        message: firstLine(response.data),
        location: headerText(response.headers.location),
        retryAfterMs: parseRetryAfterMs(headerText(response.headers["retry-after"]), this.#shared.clock.nowMs()),
      };
    });
  }
}

/** What an answer asks for instead of the request; undefined when it is no redirect. The rules are those of Go's HTTP client. */
function redirected(request: PushRequest, { status, location }: { status: number; location: string | undefined }): PushRequest | undefined {
  if (!REDIRECTS.has(status) || location === undefined || !URL.canParse(location, request.url.href)) return undefined;
  const url = new URL(location, request.url);
  const keeps = status === 307 || status === 308;
  const isElsewhere = url.host !== request.url.host || (request.url.protocol === "https:" && url.protocol !== "https:");
  const dropped = (name: string): boolean =>
    (isElsewhere && /^(?:authorization|cookie)$/i.test(name)) || (!keeps && /^content-/i.test(name));
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !dropped(name)));
  return keeps ? { method: "POST", url, data: request.data, headers } : { method: "GET", url, headers };
}

function firstLine(body: Buffer): string {
  const text = Buffer.from(body).subarray(0, MESSAGE_BYTES_MAX).toString("utf8");
  return text.split("\n", 1)[0]!.trim();
}

function headerText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
