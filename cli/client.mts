// What the commands that talk to a server share: address, tenant, times, and errors that say what to do.

import type { FlagSpec } from "../lib/runtime/flags.ts";
import { parsePrometheusDurationMs } from "../lib/text/duration.ts";

export const CLIENT_FLAGS: Readonly<Record<string, FlagSpec>> = {
  addr: { kind: "string", help: "Server's address; SKALD_ADDR or LOKI_ADDR in the environment.", default: "http://localhost:3100" },
  "org-id": { kind: "string", help: "Tenant (X-Scope-OrgID); LOKI_ORG_ID in the environment." },
  since: { kind: "string", help: "How far back, from -to.", default: "1h" },
  from: { kind: "string", help: "Start: RFC 3339 or Unix seconds." },
  to: { kind: "string", help: "End: RFC 3339 or Unix seconds; now without it." },
  help: { kind: "boolean", help: "Print this and end." },
};

/** Wrong input or an answer that is an error: said on stderr, exit status 1. */
export class ClientError extends Error {
  override readonly name = "ClientError";
}

export interface Client {
  readonly address: string;
  /** The decoded answer. @throws ClientError with the server's text */
  get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown>;
}

export function createClient(given: ReadonlyMap<string, string>): Client {
  const address = (given.get("addr") ?? process.env.SKALD_ADDR ?? process.env.LOKI_ADDR ?? "http://localhost:3100").replace(/\/$/, "");
  const tenant = given.get("org-id") ?? process.env.LOKI_ORG_ID;
  return {
    address,
    async get(path, parameters) {
      const url = `${address}${path}?${new URLSearchParams(parameters)}`;
      let response: Response;
      try {
        response = await fetch(url, { headers: tenant === undefined ? {} : { "X-Scope-OrgID": tenant } });
      } catch (error) {
        const cause = (error as { cause?: { message?: string } }).cause?.message ?? String(error);
        throw new ClientError(`cannot reach ${address}: ${cause}; is the server running? -addr names another one`);
      }
      const text = await response.text();
      if (!response.ok) throw new ClientError(`${response.status} from ${address}: ${text.trim()}`);
      return JSON.parse(text);
    },
  };
}

/** Start and end in nanoseconds, as the API takes them. */
export function timeRange(given: ReadonlyMap<string, string>, nowMs: number): { start: string; end: string } {
  const endMs = given.has("to") ? timeMs(given.get("to")!, "to") : nowMs;
  const startMs = given.has("from") ? timeMs(given.get("from")!, "from") : endMs - parsePrometheusDurationMs(given.get("since") ?? "1h");
  return { start: `${Math.floor(startMs)}000000`, end: `${Math.floor(endMs)}000000` };
}

function timeMs(text: string, flag: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new ClientError(`-${flag} ${text} is neither RFC 3339 nor Unix seconds`);
  return ms;
}
