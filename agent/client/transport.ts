// One request: headers, credentials, TLS, proxy, redirects, time limit. What its answer means is decided elsewhere (client.ts).

import { createRequire } from "node:module";
import type { AxiosInstance, AxiosRequestConfig } from "axios";
import { type Clock, TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { parseRetryAfterMs } from "./backoff.ts";
import type { ClientOptions } from "./client-options.ts";
import { type Credentials, openCredentials } from "./credentials.ts";
import { ExtraHeaders } from "./extra-headers.ts";
import { Routes } from "./routes.ts";

export interface PushAnswer {
  /** HTTP status, or -1 when there was no answer. */
  readonly status: number;
  /** First line of the body, or what went wrong. */
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

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

  /** @throws Error when a certificate cannot be read or an address is malformed */
  constructor(options: ClientOptions, shared: TransportShared) {
    this.#options = options;
    this.#shared = shared;
    const url = new URL(options.url);
    this.#credentials = openCredentials(options, url, shared.clock, (to, form, basic) => this.#postForm(to, form, basic));
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
      const answer = await this.#request({ method: "POST", url: this.#url.href, data: body, headers }, stop);
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

  async #request(request: AxiosRequestConfig, stop: AbortSignal): Promise<PushAnswer> {
    const abort = new AbortController();
    let late = false;
    const timer = setTimeout(
      () => {
        late = true;
        abort.abort();
      },
      Math.min(this.#options.timeoutMs, TIMER_MS_MAX),
    );
    const onStop = (): void => abort.abort();
    stop.addEventListener("abort", onStop, { once: true });
    try {
      const response = await loadAxios().request<Buffer>({
        ...request,
        ...this.#routes.to(this.#url),
        maxRedirects: this.#options.followRedirects ? REDIRECTS_MAX : 0,
        responseType: "arraybuffer",
        maxContentLength: ANSWER_BYTES_MAX,
        maxBodyLength: Number.POSITIVE_INFINITY,
        validateStatus: () => true,
        signal: abort.signal,
      });
      return {
        status: response.status,
        message: firstLine(response.data),
        retryAfterMs: parseRetryAfterMs(headerText(response.headers["retry-after"]), this.#shared.clock.nowMs()),
      };
    } catch (error) {
      if (late) throw new Error(`no answer within ${this.#options.timeoutMs} ms`);
      throw error;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener("abort", onStop);
    }
  }

  async #postForm(url: string, form: URLSearchParams, basic: string | undefined): Promise<{ status: number; text: string }> {
    const response = await loadAxios().request<string>({
      method: "POST",
      url,
      data: form.toString(),
      headers: {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": this.#shared.userAgent,
        ...(basic !== undefined && { Authorization: basic }),
      },
      ...this.#tokenRoutes.to(new URL(url)),
      timeout: Math.min(this.#options.timeoutMs, TIMER_MS_MAX),
      responseType: "text",
      transformResponse: (data: string) => data,
      maxContentLength: ANSWER_BYTES_MAX,
      validateStatus: () => true,
    });
    return { status: response.status, text: response.data };
  }
}

let axiosInstance: AxiosInstance | undefined;

/** Loaded with the first send. As one CommonJS file, which costs 65 ms where the tree of modules costs 115. */
export function loadAxios(): AxiosInstance {
  axiosInstance ??= (createRequire(import.meta.url)("axios") as { default: { create(): AxiosInstance } }).default.create();
  return axiosInstance;
}

function firstLine(body: Buffer): string {
  const text = Buffer.from(body).subarray(0, MESSAGE_BYTES_MAX).toString("utf8");
  return text.split("\n", 1)[0]!.trim();
}

function headerText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
