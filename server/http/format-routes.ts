// GET/POST /loki/api/v1/format_query: LogQL, printed prettily.

import { LogqlError } from "../../lib/logql/errors.ts";
import { parseForFormat, prettyExpr } from "../../lib/logql/index.ts";
import type { Route } from "../../lib/runtime/http-server.ts";
import { json, parametersOf } from "./answers.ts";

const TYPE = "application/json; charset=utf-8";

export function formatRoutes(): Route[] {
  return [
    {
      methods: ["GET", "POST"],
      path: "/loki/api/v1/format_query",
      async handler(request, response) {
        const query = (await parametersOf(request)).get("query") ?? "";
        try {
          json(request, response, { status: "success", data: prettyExpr(parseForFormat(query)) }, 200, TYPE);
        } catch (error) {
          if (!(error instanceof LogqlError)) throw error;
          json(request, response, { status: "invalid-query", error: error.message }, 400, TYPE);
        }
      },
    },
  ];
}
