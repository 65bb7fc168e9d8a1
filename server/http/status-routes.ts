// What operators and probes ask: ready, metrics, config, services, build info, log level, flush.

import type { Registry } from "prom-client";
import { plain, type Route } from "../../lib/runtime/http-server.ts";
import type { Log, LogLevel } from "../../lib/runtime/log.ts";
import { VERSION } from "../../lib/runtime/version.ts";
import type { TenantLimits } from "../config/overrides.ts";
import { printServerConfig } from "../config/print.ts";
import type { ServerConfig } from "../config/schema.ts";
import { json, parametersOf } from "./answers.ts";

export interface StatusOptions {
  readonly config: ServerConfig;
  readonly tenantLimits: TenantLimits;
  readonly registry: Registry;
  readonly log: Log;
  /** Why the server is not ready yet; undefined when it is. */
  readonly notReady: () => string | undefined;
  readonly flush: () => Promise<void>;
  readonly services: () => Readonly<Record<string, string>>;
}

export function statusRoutes(options: StatusOptions): Route[] {
  const { registry, log } = options;
  return [
    {
      methods: ["GET"],
      path: "/ready",
      handler: (_, response) => {
        const reason = options.notReady();
        plain(response, reason === undefined ? 200 : 503, reason === undefined ? "ready\n" : `${reason}\n`);
      },
    },
    {
      methods: ["GET"],
      path: "/metrics",
      handler: async (_, response) => {
        const text = await registry.metrics();
        response.writeHead(200, { "content-type": registry.contentType }).end(text);
      },
    },
    { methods: ["GET"], path: "/config", handler: (_, response) => plain(response, 200, printServerConfig(options.config)) },
    {
      methods: ["GET"],
      path: "/runtime_config",
      handler(request, response) {
        const { overrides, differences } = options.tenantLimits;
        if (overrides === undefined) return plain(response, 200, "runtime config file doesn't exist");
        plain(response, 200, printServerConfig({ overrides: request.query.get("mode") === "diff" ? differences : overrides }));
      },
    },
    {
      methods: ["GET"],
      path: "/services",
      handler: (_, response) =>
        plain(
          response,
          200,
          Object.entries(options.services())
            .map(([name, state]) => `${name} => ${state}\n`)
            .join(""),
        ),
    },
    {
      methods: ["GET"],
      path: "/loki/api/v1/status/buildinfo",
      handler: (request, response) =>
        json(
          request,
          response,
          { version: VERSION, revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
          200,
          "application/json",
        ),
    },
    {
      methods: ["GET", "POST"],
      path: "/log_level",
      handler: async (request, response) => {
        const level = (await parametersOf(request)).get("log_level");
        if (request.method !== "POST" || level === null) return json(request, response, { message: `Current log level is ${log.level}` });
        if (!["debug", "info", "warn", "error"].includes(level)) {
          return json(
            request,
            response,
            { message: `unrecognized level "${level}"; levels are debug, info, warn, error`, status: "failed" },
            400,
          );
        }
        log.level = level as LogLevel;
        json(request, response, { message: `Log level set to ${level}`, status: "success" });
      },
    },
    {
      methods: ["GET", "POST"],
      path: "/flush",
      handler: async (_, response) => {
        await options.flush();
        response.writeHead(204).end();
      },
    },
    ...["/ring", "/distributor/ring", "/indexgateway/ring", "/ruler/ring", "/compactor/ring", "/memberlist"].map(
      (path): Route => ({ methods: ["GET"], path, handler: (_, response) => plain(response, 200, "one process: there is no ring\n") }),
    ),
  ];
}
