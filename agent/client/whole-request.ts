// One request with a body that is there, by Node's HTTP client, and its whole answer. Pushes go this way:
// they have no use for what a library does for each request beside (defaults, interceptors, decompression, progress, events of its own).

import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import { basicHeader } from "./credentials.ts";
import type { Route } from "./routes.ts";

export interface WholeRequest {
  readonly method: "POST" | "GET";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Undefined: none. */
  readonly body: Buffer | undefined;
  readonly route: Route;
  /** Until the whole answer is there; of a success, its beginning. */
  readonly timeoutMs: number;
  /** The request is cut when it aborts. */
  readonly stop: AbortSignal;
}

export interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const NO_BYTES = Buffer.alloc(0);
const ANSWER_BYTES_MAX = 1024 * 1024;
/** How long the rest of a success is waited for: a connection can only be kept when it has come. */
const REST_OF_SUCCESS_MS = 500;

/** @throws Error when there is no whole answer, and no success: the network's, `no answer within … ms`, or that the answer is too large */
export function sendWhole({ method, url, headers, body, route, timeoutMs, stop }: WholeRequest): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    if (stop.aborted) return reject(new Error("stopped"));
    if (!/^https?:$/.test(url.protocol)) return reject(new Error(`nothing can be sent to an address of the kind ${url.protocol}`));
    const isSecure = (route.proxy === false ? url.protocol : `${route.proxy.protocol}:`) === "https:";
    const request = (isSecure ? requestHttps : requestHttp)({
      method,
      ...placeOf(url, route),
      headers: { ...headers, ...proxyHeaders(url, route), ...(body !== undefined && { "Content-Length": body.length }) },
      agent: isSecure ? route.httpsAgent : route.httpAgent,
    });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", giveUp);
      settle();
    };
    let succeed: (() => void) | undefined;
    const fail = (error: Error): void => end(succeed ?? (() => reject(withText(error))));
    // Without a reason, for a connection that is cut has an error of its own, which would come first where there is an answer already.
    const cut = (why: string): void => {
      fail(new Error(why));
      request.destroy();
    };
    const giveUp = (): void => cut("stopped");
    let timer = setTimeout(() => cut(`no answer within ${timeoutMs} ms`), Math.min(timeoutMs, TIMER_MS_MAX));
    stop.addEventListener("abort", giveUp);
    request.on("error", fail);
    request.on("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      const take = (body: Buffer): void => end(() => resolve({ status, headers, body }));
      if (status >= 200 && status <= 299) {
        // What has been accepted must not be sent again, whatever becomes of the rest.
        succeed = () => resolve({ status, headers, body: NO_BYTES });
        clearTimeout(timer);
        timer = setTimeout(() => cut("the answer goes on"), Math.min(timeoutMs, REST_OF_SUCCESS_MS));
      }
      readWhole(response, take, fail, () => cut(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`));
    });
    request.end(body);
  });
}

/** Where the request goes: to the server, or for plain HTTP to the proxy, which is told the whole address. */
function placeOf(url: URL, { proxy }: Route): RequestOptions {
  if (proxy === false) return { host: bare(url.hostname), port: url.port, path: url.pathname + url.search };
  return { host: bare(proxy.host), port: proxy.port, path: url.href };
}

function proxyHeaders(url: URL, { proxy }: Route): Record<string, string> {
  if (proxy === false) return {};
  const { auth } = proxy;
  return { Host: url.host, ...(auth !== undefined && { "Proxy-Authorization": basicHeader(auth.username, auth.password) }) };
}

function bare(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function readWhole(response: IncomingMessage, take: (body: Buffer) => void, fail: (error: Error) => void, tooLarge: () => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  response.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) tooLarge();
    else parts.push(part);
  });
  response.on("error", fail);
  response.on("end", () => take(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
}

/** Several addresses that could not be reached are one error without a text, which has theirs inside. */
function withText(error: Error): Error {
  if (error.message !== "" || !(error instanceof AggregateError)) return error;
  return new Error(error.errors.map(({ message }: Error) => message).join(", "));
}
