// The rules API of a server without a ruler: Grafana's alerting pages ask it, and learn that there are no rules.

import { plain, type Route } from "../../lib/runtime/http-server.ts";
import { body } from "./answers.ts";
import type { TenantResolver } from "./tenant.ts";

export function rulesRoutes(tenants: TenantResolver): Route[] {
  const none = (path: string, data: object): Route => ({
    methods: ["GET"],
    path,
    handler(request, response) {
      tenants.one(request.raw);
      body(request, response, 200, "application/json", JSON.stringify({ status: "success", data, errorType: "", error: "" }));
    },
  });
  const missing = (path: string, text: string): Route => ({
    methods: ["GET"],
    path,
    handler(request, response) {
      tenants.one(request.raw);
      plain(response, 404, text);
    },
  });
  return [
    none("/prometheus/api/v1/rules", { groups: [] }),
    none("/prometheus/api/v1/alerts", { alerts: [] }),
    missing("/loki/api/v1/rules", "no rule groups found\n"),
    missing("/api/prom/rules", "no rule groups found\n"),
    missing("/loki/api/v1/rules/{namespace}", "no rule groups found\n"),
    missing("/loki/api/v1/rules/{namespace}/{group}", "group does not exist\n"),
  ];
}
