// Questions to an HTTP API: Docker's, Consul's. The way there and the credentials are those of Prometheus' HTTP client configuration, as
// for clients; the server may also listen on a unix socket.

import type { Readable } from "node:stream";
import type { AxiosResponse } from "axios";
import { VERSION } from "../../lib/runtime/version.ts";
import { loadAxios } from "./axios.ts";
import type { HttpOptions } from "./client-options.ts";
import { type Credentials, openCredentials } from "./credentials.ts";
import { ExtraHeaders } from "./extra-headers.ts";
import { postForm } from "./post-form.ts";
import { Routes } from "./routes.ts";
import type { TransportShared } from "./transport.ts";
import { withDeadline } from "./with-deadline.ts";

export interface ApiOptions extends HttpOptions {
  /** Without a slash at the end; may carry user, password and the first part of the path. */
  readonly url: string;
  /** A unix socket or named pipe the server listens on; the URL's host is only told to it. */
  readonly socketPath?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers that do not end keep a connection each. */
  readonly socketsMax?: number;
}

export interface Question {
  readonly query?: URLSearchParams | undefined;
  readonly signal: AbortSignal;
  /** To the first byte of the answer, and for JSON to the last. */
  readonly timeoutMs: number;
  /** Statuses that are answers and no errors; 200 to 299 always are. */
  readonly statuses?: readonly number[];
}

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  /** The first value of a header, `""` when it is not there. */
  header(name: string): string;
}

/** The server has answered, and refused. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const REDIRECTS_MAX = 10;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const MESSAGE_BYTES_MAX = 4_096;
const TOKEN_TIMEOUT_MS = 30_000;
const USER_AGENT = `skald/${VERSION}`;

export class ApiClient {
  readonly #options: ApiOptions;
  readonly #url: URL;
  readonly #credentials: Credentials;
  readonly #extraHeaders: ExtraHeaders;
  readonly #routes: Routes;
  readonly #tokenRoutes: Routes;

  /** @throws Error when a certificate cannot be read or an address is malformed */
  constructor(options: ApiOptions, shared: Omit<TransportShared, "userAgent">) {
    this.#options = options;
    const url = new URL(options.url);
    this.#routes = new Routes({ ...options, ...(options.socketPath !== undefined && { proxy: undefined }) }, shared);
    const { tls = options.tls, proxy = options.proxy } = options.oauth2 ?? {};
    this.#tokenRoutes = new Routes({ tls, proxy }, shared);
    this.#credentials = openCredentials(options, url, shared.clock, (to, form, basic) =>
      postForm(to, form, basic, { routes: this.#tokenRoutes, userAgent: USER_AGENT, timeoutMs: TOKEN_TIMEOUT_MS }),
    );
    url.username = "";
    url.password = "";
    this.#url = url;
    this.#extraHeaders = new ExtraHeaders(options.httpHeaders ?? {}, shared.clock);
  }

  /** @param path with a slash in front. @throws ApiError for another status, Error when there is no answer or it is no JSON */
  async json(path: string, question: Question): Promise<Answer<unknown>> {
    const { signal, timeoutMs } = question;
    return withDeadline(timeoutMs, signal, async (within) => {
      const answer = await this.#get(path, question, within);
      const text = await readText(answer.data, ANSWER_BYTES_MAX);
      try {
        return answerOf(answer, text === "" ? null : (JSON.parse(text) as unknown));
      } catch {
        throw new Error(`${path} answered with something that is no JSON: ${text.slice(0, 100)}`);
      }
    });
  }

  /** Resolves with the beginning of the answer. The caller destroys the stream. @throws as `json` */
  async stream(path: string, question: Question): Promise<Answer<Readable>> {
    const { signal, timeoutMs } = question;
    return withDeadline(timeoutMs, signal, async (within) => {
      const answer = await this.#get(path, question, within);
      return answerOf(answer, answer.data);
    });
  }

  close(): void {
    this.#routes.close();
    this.#tokenRoutes.close();
  }

  async #get(path: string, { query, statuses = [] }: Question, signal: AbortSignal): Promise<AxiosResponse<Readable>> {
    const { socketPath, followRedirects } = this.#options;
    const target = `${this.#url.href.replace(/\/+$/, "")}${path}${query === undefined || query.size === 0 ? "" : `?${query}`}`;
    const answer = await loadAxios().request<Readable>({
      url: target,
      headers: await this.#headers(),
      ...this.#routes.to(this.#url),
      ...(socketPath !== undefined && { socketPath }),
      maxRedirects: followRedirects ? REDIRECTS_MAX : 0,
      responseType: "stream",
      decompress: true,
      validateStatus: () => true,
      signal,
    });
    if ((answer.status >= 200 && answer.status < 300) || statuses.includes(answer.status)) return answer;
    if (answer.status === 401) this.#credentials.refused();
    const text = await readText(answer.data, MESSAGE_BYTES_MAX).catch(() => "");
    throw new ApiError(answer.status, `${path} answered ${answer.status} ${explanationOf(text)}`.trimEnd());
  }

  /** The configured headers win over credentials. */
  async #headers(): Promise<Record<string, string | string[]>> {
    const headers: Record<string, string | string[]> = { ...this.#options.headers, Accept: "application/json", "User-Agent": USER_AGENT };
    for (const [name, value] of await this.#extraHeaders.read()) headers[name] = value;
    if (!Object.keys(headers).some((name) => name.toLowerCase() === "authorization")) {
      const value = await this.#credentials.header();
      if (value !== undefined) headers.Authorization = value;
    }
    return headers;
  }
}

function answerOf<Body>({ status, headers }: AxiosResponse, body: Body): Answer<Body> {
  return { status, body, header: (name) => String(headers[name.toLowerCase()] ?? "") };
}

/** @throws Error when it is longer than `bytesMax` */
async function readText(stream: Readable, bytesMax: number): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Docker answers `{"message": "…"}`, others with a line of text. */
function explanationOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // A text then.
  }
  return text.split("\n", 1)[0]!.slice(0, 300);
}
