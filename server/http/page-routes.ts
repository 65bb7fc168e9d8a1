// The page at `/`: for browsers. Whoever does not ask for HTML gets Loki's 404 there, as clients that probe it expect.

import { readFileSync } from "node:fs";
import { plain, type Route } from "../../lib/runtime/http-server.ts";

const FILES: Readonly<Record<string, string>> = { "page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8" };
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
} as const;

const read = (name: string): Buffer => readFileSync(new URL(`../ui/${name}`, import.meta.url));

export function pageRoutes(): Route[] {
  return [
    {
      methods: ["GET"],
      path: "/",
      handler(request, response) {
        if (!/\btext\/html\b/.test(String(request.raw.headers.accept ?? ""))) return plain(response, 404, "404 page not found\n");
        response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...HEADERS }).end(read("index.html"));
      },
    },
    ...Object.entries(FILES).map(
      ([name, type]): Route => ({
        methods: ["GET"],
        path: `/ui/${name}`,
        handler: (_, response) => void response.writeHead(200, { "content-type": type, ...HEADERS }).end(read(name)),
      }),
    ),
  ];
}
