// A small HTTP server under both programs: a route table, request bodies with a limit, HEAD answered as GET, metrics per route, and
// a drain that lets requests in flight finish.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

export interface Request {
  readonly raw: IncomingMessage;
  readonly method: string;
  /** Path without prefix and query, percent-decoding left to the handler of `{name}` parts (see `params`). */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Values of the route's `{name}` parts, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * The whole body.
   *
   * @param allocate gives the memory it is put into, of at least so many bytes; by default memory of its own
   * @throws BodyTooLarge before more than `limitBytes` are kept
   */
  body(limitBytes: number, allocate?: (bytes: number) => Buffer): Promise<Buffer>;
  /** Aborts when the client goes away before the answer is finished. */
  readonly signal: AbortSignal;
}

export type Handler = (request: Request, response: ServerResponse) => Promise<void> | void;

export interface Route {
  /** Empty: any method. `GET` also answers HEAD, unless `noHead`. */
  readonly methods: readonly string[];
  readonly noHead?: boolean;
  /** `/loki/api/v1/label/{name}/values` */
  readonly path: string;
  readonly handler: Handler;
}

export interface HttpServerOptions {
  readonly address: string;
  readonly port: number;
  readonly prefix?: string;
  readonly routes: readonly Route[];
  readonly notFound?: Handler;
  /** Called once per answered request, with the route's path or "other". */
  readonly observe?: (route: string, method: string, status: number, seconds: number) => void;
  /** A handler threw; the answer is written here. */
  readonly onError: (error: unknown, request: Request, response: ServerResponse) => void;
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Speak HTTPS. `requestCert` asks clients for a certificate of `ca`. */
  readonly tls?: Pick<ServerOptions, "cert" | "key" | "ca" | "requestCert" | "rejectUnauthorized">;
  readonly timeouts?: { readonly readMs: number; readonly idleMs: number };
}

export interface HttpServer {
  readonly port: number;
  readonly server: Server;
  /** Stops listening, waits up to `graceMs` for requests in flight, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
  readonly gotBytes: number;
  readonly limitBytes: number;
  constructor(gotBytes: number, limitBytes: number) {
    super(`request body too large: ${gotBytes} bytes, limit: ${limitBytes} bytes`);
    this.gotBytes = gotBytes;
    this.limitBytes = limitBytes;
  }
}

export async function listen(options: HttpServerOptions): Promise<HttpServer> {
  const match = compileRoutes(options.routes);
  const listener = (raw: IncomingMessage, response: ServerResponse): void => void answer(raw, response);
  const server = options.tls === undefined ? createServer(listener) : (await import("node:https")).createServer(options.tls, listener);
  server.keepAliveTimeout = options.timeouts?.idleMs ?? 120_000;
  server.headersTimeout = 30_000;
  server.requestTimeout = options.timeouts?.readMs ?? 300_000;
  const { onUpgrade } = options;
  if (onUpgrade !== undefined) {
    server.on("upgrade", (request, socket: Duplex, head: Buffer) => {
      if (String(request.headers.upgrade).toLowerCase() === "websocket") onUpgrade(request, socket, head);
      else serveWithoutUpgrade(server, request, socket, head);
    });
  }
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address === "" ? undefined : options.address, resolve);
  });
  return { port: (server.address() as AddressInfo).port, server, close: (graceMs) => closeGracefully(server, connections, graceMs) };

  async function answer(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const [target, queryText = ""] = splitOnce(raw.url ?? "/", "?");
    const path = stripPrefix(target, options.prefix ?? "");
    const method = raw.method ?? "GET";
    const found = path === undefined ? undefined : match(method, path);
    const request = toRequest(raw, response, path ?? target, queryText, found?.params ?? {});
    if (options.observe !== undefined) {
      response.once("close", () =>
        options.observe?.(found?.route?.path ?? "other", method, response.statusCode, (performance.now() - started) / 1000),
      );
    }
    try {
      if (found?.route !== undefined) await found.route.handler(request, response);
      else if (found !== undefined) response.writeHead(405, { allow: found.allowed.join(", "), "content-length": 0 }).end();
      else if (options.notFound !== undefined) await options.notFound(request, response);
      else plain(response, 404, "404 page not found\n");
    } catch (error) {
      options.onError(error, request, response);
    }
  }
}

/**
 * Clients may offer other protocols, as Java's offer HTTP/2 with each first request, and are content with an answer in this one. Node has
 * given up the connection by now, so the request is put back on it without the offer.
 */
function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (!/^(?:upgrade|connection|http2-settings)$/i.test(request.rawHeaders[i]!))
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  }
  if (head.length > 0) socket.unshift(head);
  socket.unshift(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  server.emit("connection", socket);
}

/** A short text answer, as Go's http.Error writes it. */
export function plain(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  if (response.headersSent) return void response.end();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", ...headers });
  response.end(text);
}

function toRequest(
  raw: IncomingMessage,
  response: ServerResponse,
  path: string,
  queryText: string,
  params: Record<string, string>,
): Request {
  let abort: AbortController | undefined;
  return {
    raw,
    method: raw.method ?? "GET",
    path,
    query: new URLSearchParams(queryText),
    params,
    body: (limitBytes, allocate) => readBody(raw, limitBytes, allocate),
    get signal() {
      if (abort === undefined) {
        const controller = new AbortController();
        abort = controller;
        response.once("close", () => {
          if (!response.writableFinished) controller.abort();
        });
      }
      return abort.signal;
    },
  };
}

async function readBody(raw: IncomingMessage, limitBytes: number, allocate: ((bytes: number) => Buffer) | undefined): Promise<Buffer> {
  const declared = Number(raw.headers["content-length"] ?? 0);
  if (declared > limitBytes) {
    raw.resume();
    throw new BodyTooLarge(declared, limitBytes);
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of raw as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > limitBytes) {
      raw.resume();
      throw new BodyTooLarge(bytes, limitBytes);
    }
    parts.push(part);
  }
  if (allocate === undefined) return parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes);
  const body = allocate(bytes);
  let at = 0;
  for (const part of parts) at += part.copy(body, at);
  return body.subarray(0, bytes);
}

interface Found {
  readonly route: Route | undefined;
  readonly params: Record<string, string>;
  readonly allowed: readonly string[];
}

function compileRoutes(routes: readonly Route[]): (method: string, path: string) => Found | undefined {
  const exact = new Map<string, Route[]>();
  const patterns: { readonly parts: readonly string[]; readonly route: Route }[] = [];
  for (const route of routes) {
    if (route.path.includes("{")) patterns.push({ parts: route.path.split("/"), route });
    else exact.set(route.path, [...(exact.get(route.path) ?? []), route]);
  }
  return (method, path) => {
    const same = exact.get(path);
    if (same !== undefined) return choose(same, method, {});
    const parts = path.split("/");
    for (const pattern of patterns) {
      const params = matchParts(pattern.parts, parts);
      if (params === undefined) continue;
      const chosen = choose(
        patterns.filter((p) => matchParts(p.parts, parts)).map((p) => p.route),
        method,
        params,
      );
      return chosen;
    }
    return undefined;
  };
}

function choose(routes: readonly Route[], method: string, params: Record<string, string>): Found {
  const route = routes.find(
    (r) => r.methods.length === 0 || r.methods.includes(method) || (method === "HEAD" && r.methods.includes("GET") && r.noHead !== true),
  );
  return { route, params, allowed: routes.flatMap((r) => r.methods) };
}

function matchParts(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (let i = 0; i < pattern.length; i++) {
    const name = /^\{(\w+)\}$/.exec(pattern[i]!)?.[1];
    if (name === undefined) {
      if (pattern[i] !== parts[i]) return undefined;
    } else {
      try {
        params[name] = decodeURIComponent(parts[i]!);
      } catch {
        return undefined;
      }
    }
  }
  return params;
}

function stripPrefix(path: string, prefix: string): string | undefined {
  if (prefix === "" || prefix === "/") return path;
  const clean = prefix.replace(/\/$/, "");
  return path === clean ? "/" : path.startsWith(`${clean}/`) ? path.slice(clean.length) : undefined;
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

async function closeGracefully(server: Server, connections: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const closeIdle = (): void => {
    server.closeIdleConnections();
    // Browsers and others open connections ahead of their requests; Node takes them for busy.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };
  closeIdle();
  // A kept-alive connection becomes idle only after its answer.
  const sweep = setInterval(closeIdle, 20);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(timer);
}
