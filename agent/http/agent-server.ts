// The agent's HTTP server: health, metrics, pages for people with a JSON twin each, reload. Paths and answers are Promtail's.

import type { ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import { type Handler, type HttpServer, listen, plain, type Request, type Route } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { printMetrics } from "../agent-metrics.ts";
import type { ServerConfig } from "../config/server.ts";
import { type AgentView, configText, jobsStatus } from "./status.ts";
import { allTaps, TapStreams } from "./tap.ts";
import { readTls } from "./tls.ts";

const NOT_READY = "Not ready: Unable to find any logs to tail. Please verify permissions, volumes, scrape_config, etc.\n";
const LOG_LEVELS = ["debug", "info", "warn", "error"];

/** @throws Error when the address is taken or a certificate cannot be read */
export async function openAgentServer(config: ServerConfig, view: AgentView, registry: Registry, log: Log): Promise<HttpServer> {
  const tls = readTls(config.http_tls_config, "server");
  const prefix = config.http_path_prefix.replace(/\/+$/, "");
  const taps = new TapStreams(view);
  try {
    const server = await listen({
      address: config.http_listen_address,
      port: config.http_listen_port,
      prefix,
      routes: [...routesOf(config, view, registry, log, prefix), tapRoute(view, taps, prefix)],
      timeouts: { readMs: config.http_server_read_timeout, idleMs: config.http_server_idle_timeout },
      ...(tls === undefined ? {} : { tls }),
      onError: (error, request, response) => {
        log.error({ path: request.path, error: messageOf(error) }, "request failed");
        plain(response, 500, `${messageOf(error)}\n`);
      },
    });
    return {
      ...server,
      close(graceMs) {
        taps.close();
        return server.close(graceMs);
      },
    };
  } catch (error) {
    throw new Error(
      `cannot listen on ${config.http_listen_address}:${config.http_listen_port}: ${messageOf(error)}; change server.http_listen_port, or set server.disable`,
    );
  }
}

function routesOf(config: ServerConfig, view: AgentView, registry: Registry, log: Log, prefix: string): Route[] {
  const get = (path: string, handler: Handler): Route => ({ methods: ["GET"], path, handler });
  const routes = [
    get("/", (_, response) => void response.writeHead(303, { location: `${prefix}/targets` }).end()),
    get("/ready", (_, response) => (view.ready ? plain(response, 200, "Ready\n") : plain(response, 500, NOT_READY))),
    get("/targets", async (request, response) => {
      const status = jobsStatus(view);
      if (wantsJson(request))
        return json(
          response,
          status.map(({ job, targets, spool }) => ({ job, targets, spool })),
        );
      page(response, (await import("./status-pages.ts")).targetsPage(prefix, status));
    }),
    get("/service-discovery", async (request, response) => {
      const status = jobsStatus(view);
      if (wantsJson(request)) return json(response, status);
      page(response, (await import("./status-pages.ts")).discoveryPage(prefix, status));
    }),
    get("/config", async (request, response) => {
      const yaml = configText(view);
      if (wantsJson(request)) return json(response, (await import("yaml")).parse(yaml));
      if (request.query.get("format") === "yaml") return plain(response, 200, yaml, { "content-type": "application/yaml; charset=utf-8" });
      page(response, (await import("./status-pages.ts")).configPage(prefix, yaml));
    }),
    {
      methods: ["GET", "POST"],
      path: "/log_level",
      handler: (request: Request, response: ServerResponse) => logLevel(request, response, log),
    },
  ];
  if (config.register_instrumentation) {
    routes.push(
      get("/metrics", async (_, response) => plain(response, 200, await printMetrics(registry), { "content-type": registry.contentType })),
    );
  }
  if (config.enable_runtime_reload) {
    routes.push({ methods: [], path: "/reload", handler: (_, response) => reload(view, response) });
  }
  return routes;
}

/** A browser gets a page, whose script asks again for the events. */
function tapRoute(view: AgentView, taps: TapStreams, prefix: string): Route {
  const handler: Handler = async (request, response) => {
    const { raw, query } = request;
    if (query.get("format") !== "stream" && (raw.headers.accept ?? "").includes("text/html")) {
      const { tapListPage, tapPage, TAP_PAGE_POLICY } = await import("./tap-page.ts");
      const text = query.size === 0 ? tapListPage(prefix, allTaps(view)) : tapPage(prefix, query);
      return page(response, text, TAP_PAGE_POLICY);
    }
    if (wantsJson(request))
      return json(
        response,
        allTaps(view).map(({ job, point }) => ({ job, stage: point.id })),
      );
    taps.serve(request, response);
  };
  return { methods: ["GET"], noHead: true, path: "/tap", handler };
}

async function reload(view: AgentView, response: ServerResponse): Promise<void> {
  try {
    await view.reload();
    plain(response, 200, "");
  } catch (error) {
    plain(response, 500, `failed to reload config: ${messageOf(error)}\n`);
  }
}

function logLevel(request: Request, response: ServerResponse, log: Log): void {
  if (request.method === "POST") {
    const wanted = request.query.get("log_level") ?? "";
    if (!LOG_LEVELS.includes(wanted)) {
      plain(response, 400, `unrecognized level ${JSON.stringify(wanted)}: use ?log_level= with ${LOG_LEVELS.join(", ")}\n`);
      return;
    }
    log.level = wanted;
  }
  json(response, { message: `Current log level is ${log.level}`, status: "success" });
}

function wantsJson(request: Request): boolean {
  const format = request.query.get("format");
  return format === null ? (request.raw.headers.accept ?? "").includes("application/json") : format === "json";
}

function json(response: ServerResponse, value: unknown): void {
  plain(response, 200, `${JSON.stringify(value, undefined, 2)}\n`, { "content-type": "application/json; charset=utf-8" });
}

const NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

function page(response: ServerResponse, text: string, policy = NO_SCRIPTS): void {
  plain(response, 200, text, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
}
