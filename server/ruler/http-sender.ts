// One POST of the ruler: headers, credentials, TLS, redirects, a time limit. What the answer means is decided by whoever asked.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { type AgentOptions, Agent as HttpsAgent } from "node:https";
import type { AxiosStatic } from "axios";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { VERSION } from "../../lib/runtime/version.ts";

export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly serverName: string;
  readonly insecureSkipVerify: boolean;
}

/** What goes into the Authorization header; of a text and a file the text counts. */
export type Login =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly username: string; readonly password: string; readonly passwordFile: string }
  | { readonly kind: "token"; readonly type: string; readonly credentials: string; readonly credentialsFile: string };

export interface HttpAccess {
  readonly headers: Readonly<Record<string, string>>;
  readonly login: Login;
  readonly tls: TlsFiles;
  readonly followRedirects: boolean;
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  /** HTTP status, or -1 when there was no answer. */
  readonly status: number;
  /** First line of the body, or what went wrong. */
  readonly message: string;
  /** Seconds or a date, as the server wrote it. */
  readonly retryAfter: string | undefined;
}

const SOCKETS_MAX = 4;
const REDIRECTS_MAX = 10;
const ANSWER_BYTES_MAX = 1024 * 1024;
const MESSAGE_BYTES_MAX = 1024;

export class HttpSender {
  readonly #access: HttpAccess;
  readonly #agents: { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent };

  /** @throws Error when a certificate cannot be read */
  constructor(access: HttpAccess) {
    this.#access = access;
    const keep = { keepAlive: true, maxSockets: SOCKETS_MAX };
    this.#agents = { httpAgent: new HttpAgent(keep), httpsAgent: new HttpsAgent({ ...keep, ...tlsOptions(access.tls) }) };
  }

  /** Sends one body. Never rejects: what goes wrong on the way is an answer of status -1. */
  async post(url: string, body: Uint8Array, headers: Readonly<Record<string, string>>, stop: AbortSignal): Promise<HttpAnswer> {
    const { timeoutMs } = this.#access;
    const abort = new AbortController();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      abort.abort();
    }, timeoutMs);
    const onStop = (): void => abort.abort();
    stop.addEventListener("abort", onStop, { once: true });
    try {
      const axios = await loadAxios();
      const response = await axios.request<Buffer>({
        method: "POST",
        url,
        data: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
        headers: { ...(await this.#headers(url)), ...headers },
        ...this.#agents,
        proxy: false,
        maxRedirects: this.#access.followRedirects ? REDIRECTS_MAX : 0,
        responseType: "arraybuffer",
        maxContentLength: ANSWER_BYTES_MAX,
        maxBodyLength: Number.POSITIVE_INFINITY,
        validateStatus: () => true,
        signal: abort.signal,
      });
      const after: unknown = response.headers["retry-after"];
      return { status: response.status, message: firstLine(response.data), retryAfter: typeof after === "string" ? after : undefined };
    } catch (error) {
      return { status: -1, message: late ? `no answer within ${timeoutMs} ms` : messageOf(error), retryAfter: undefined };
    } finally {
      clearTimeout(timer);
      stop.removeEventListener("abort", onStop);
    }
  }

  close(): void {
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  async #headers(url: string): Promise<Record<string, string>> {
    const headers: Record<string, string> = { "User-Agent": `skald/${VERSION}`, ...this.#access.headers };
    if (Object.keys(headers).some((name) => name.toLowerCase() === "authorization")) return headers;
    const authorization = await authorizationOf(this.#access.login, new URL(url));
    if (authorization !== undefined) headers.Authorization = authorization;
    return headers;
  }
}

let axiosLoading: Promise<AxiosStatic> | undefined;

/** With the first send: most servers have no rules. */
function loadAxios(): Promise<AxiosStatic> {
  axiosLoading ??= import("axios").then((module) => module.default);
  return axiosLoading;
}

/** Files are read anew for each request, since secrets are rotated under a running server. */
async function authorizationOf(login: Login, url: URL): Promise<string | undefined> {
  switch (login.kind) {
    case "basic":
      return basic(login.username, login.password || (await secretOf(login.passwordFile)));
    case "token":
      return `${login.type || "Bearer"} ${login.credentials || (await secretOf(login.credentialsFile))}`;
    case "none":
      return url.username === "" ? undefined : basic(decodeURIComponent(url.username), decodeURIComponent(url.password));
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function secretOf(file: string): Promise<string> {
  if (file === "") return "";
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw new Error(`could not read credentials from ${file}: ${messageOf(error)}`);
  }
}

function tlsOptions({ caFile, certFile, keyFile, serverName, insecureSkipVerify }: TlsFiles): AgentOptions {
  const read = (path: string, what: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Error(`could not read ${what} ${path}: ${messageOf(error)}`);
    }
  };
  return {
    ...(caFile !== "" && { ca: read(caFile, "the CA file") }),
    ...(certFile !== "" && { cert: read(certFile, "the certificate") }),
    ...(keyFile !== "" && { key: read(keyFile, "the key") }),
    ...(serverName !== "" && { servername: serverName }),
    rejectUnauthorized: !insecureSkipVerify,
  };
}

function firstLine(body: Buffer): string {
  return Buffer.from(body).subarray(0, MESSAGE_BYTES_MAX).toString("utf8").split("\n", 1)[0]!.trim();
}
