// Who asks: the tenant of a request, from X-Scope-OrgID (reference server-features §1.2 "Tenant header").

import type { IncomingMessage } from "node:http";
import { RequestError } from "../errors.ts";

/** The tenant of every request when auth_enabled is false: Loki's name for it, so that migrated data is found. */
export const SINGLE_TENANT = "fake";
const TENANT_BYTES_MAX = 150;

export interface TenantResolver {
  /** The one tenant of a write, a tail or a delete. @throws RequestError 401 without one, 400 for several or a bad id */
  one(request: IncomingMessage): string;
  /** The tenants of a read, sorted and without repeats. @throws RequestError */
  many(request: IncomingMessage): readonly string[];
}

export function createTenantResolver(options: { authEnabled: boolean; multiTenantQueries: boolean }): TenantResolver {
  const idsOf = (request: IncomingMessage): string[] => {
    if (!options.authEnabled) return [SINGLE_TENANT];
    const header = String(request.headers["x-scope-orgid"] ?? "");
    if (header === "") throw new RequestError(401, "no org id", { reason: "tenant" });
    const ids = [...new Set(header.split("|").filter((id) => id !== ""))].sort();
    if (ids.length === 0) throw new RequestError(401, "no org id", { reason: "tenant" });
    return ids;
  };
  return {
    one(request) {
      const ids = idsOf(request);
      if (ids.length > 1) throw new RequestError(400, "multiple org IDs present", { reason: "tenant" });
      const problem = tenantProblem(ids[0]!);
      if (problem !== undefined) throw new RequestError(400, problem, { reason: "tenant" });
      return ids[0]!;
    },
    many(request) {
      const ids = idsOf(request);
      for (const id of ids) {
        const problem = tenantProblem(id);
        if (problem !== undefined)
          throw new RequestError(400, `rpc error: code = Code(400) desc = ${problem}`, { reason: "tenant", newline: false });
      }
      if (ids.length > 1 && !options.multiTenantQueries) throw new RequestError(400, "multiple org IDs present", { reason: "tenant" });
      return ids;
    },
  };
}

/** Why a text cannot be a tenant id, in Loki's words. */
export function tenantProblem(id: string): string | undefined {
  if (id === "." || id === "..") return "tenant ID is '.' or '..'";
  const odd = /[^0-9a-zA-Z!\-_.*'()]/.exec(id)?.[0];
  if (odd !== undefined) return `tenant ID '${id}' contains unsupported character '${odd}'`;
  if (Buffer.byteLength(id) > TENANT_BYTES_MAX) return `tenant ID is too long: max ${TENANT_BYTES_MAX} characters`;
  return undefined;
}
