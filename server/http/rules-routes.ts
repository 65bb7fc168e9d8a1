// The rules API: a tenant's rule groups as YAML, read, written and removed. Paths, codes and texts: Loki's (reference §1.14).

import type { ServerResponse } from "node:http";
import { BodyTooLarge, plain, type Request, type Route } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { RequestError } from "../errors.ts";
import { printNamespaces, printRuleGroup } from "../ruler/print-rules.ts";
import { RULES_BYTES_MAX, RuleError, readRuleGroup } from "../ruler/read-rules.ts";
import { RuleLimitError, type Ruler } from "../ruler/ruler.ts";
import type { PlacedGroup } from "../ruler/rules.ts";
import { body } from "./answers.ts";
import type { TenantResolver } from "./tenant.ts";

/** The part of the ruler that the rules API stands on. */
export type RuleGroups = Pick<Ruler, "readOnly" | "groups" | "setGroup" | "removeGroup" | "removeNamespace">;

const YAML_TYPE = "application/yaml";
const PREFIXES = ["/loki/api/v1/rules", "/api/prom/rules"];

export function rulesRoutes(ruler: RuleGroups, tenants: TenantResolver): Route[] {
  return PREFIXES.flatMap((prefix): Route[] => [
    { methods: ["GET"], path: prefix, handler: list },
    { methods: ["GET"], path: `${prefix}/{namespace}`, handler: list },
    { methods: ["POST"], path: `${prefix}/{namespace}`, handler: set },
    { methods: ["DELETE"], path: `${prefix}/{namespace}`, handler: removeNamespace },
    { methods: ["GET"], path: `${prefix}/{namespace}/{group}`, handler: get },
    { methods: ["DELETE"], path: `${prefix}/{namespace}/{group}`, handler: removeGroup },
  ]);

  function list(request: Request, response: ServerResponse): void {
    const { namespace } = request.params;
    const all = ruler.groups(tenants.one(request.raw));
    const groups = namespace === undefined ? all : all.filter((placed) => placed.namespace === namespace);
    if (groups.length === 0) return plain(response, 404, "no rule groups found\n");
    body(request, response, 200, YAML_TYPE, printNamespaces(withLabels(groups, request.query.get("labels") ?? "")));
  }

  function get(request: Request, response: ServerResponse): void {
    const { namespace, group } = request.params;
    const found = ruler.groups(tenants.one(request.raw)).find((placed) => placed.namespace === namespace && placed.group.name === group);
    if (found !== undefined) return body(request, response, 200, YAML_TYPE, printRuleGroup(found.group));
    // Grafana asks for a group that cannot be there, and knows by this text that rules cannot be edited.
    if (ruler.readOnly) return plain(response, 400, "GetRuleGroup unsupported in rule local store\n");
    plain(response, 404, "group does not exist\n");
  }

  async function set(request: Request, response: ServerResponse): Promise<void> {
    const tenant = tenants.one(request.raw);
    const yaml = await bodyOf(request);
    try {
      const group = readRuleGroup(yaml);
      if (ruler.readOnly) return plain(response, 500, "SetRuleGroup unsupported in rule local store\n");
      await ruler.setGroup(tenant, request.params.namespace!, group);
    } catch (error) {
      throw asRequestError(error);
    }
    accepted(request, response);
  }

  async function removeGroup(request: Request, response: ServerResponse): Promise<void> {
    const tenant = tenants.one(request.raw);
    const { namespace, group } = request.params;
    await remove(request, response, "DeleteRuleGroup", "group does not exist", () => ruler.removeGroup(tenant, namespace!, group!));
  }

  async function removeNamespace(request: Request, response: ServerResponse): Promise<void> {
    const tenant = tenants.one(request.raw);
    const { namespace } = request.params;
    await remove(request, response, "DeleteNamespace", "group namespace does not exist", () => ruler.removeNamespace(tenant, namespace!));
  }

  async function remove(
    request: Request,
    response: ServerResponse,
    call: string,
    missing: string,
    work: () => Promise<boolean>,
  ): Promise<void> {
    if (ruler.readOnly) return answer(request, response, 500, "server_error", `${call} unsupported in rule local store`);
    let removed: boolean;
    try {
      removed = await work();
    } catch (error) {
      throw asRequestError(error);
    }
    if (removed) accepted(request, response);
    else plain(response, 404, `${missing}\n`);
  }
}

/** Rules that have one of the labels `a:b,c:d`, and the groups that still have some; all of them when none is named. */
function withLabels(groups: readonly PlacedGroup[], text: string): readonly PlacedGroup[] {
  if (text === "") return groups;
  const wanted = new Set(text.split(","));
  return groups.flatMap((placed) => {
    const rules = placed.group.rules.filter(({ labels }) => labels.some(([name, value]) => wanted.has(`${name}:${value}`)));
    return rules.length === 0 ? [] : [{ ...placed, group: { ...placed.group, rules } }];
  });
}

async function bodyOf(request: Request): Promise<string> {
  try {
    return (await request.body(RULES_BYTES_MAX)).toString("utf8");
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new RequestError(413, `${error.message}; split the rule group`, { cause: error });
    throw error;
  }
}

/** What the client can change is a 400; what the disk says is not. */
function asRequestError(error: unknown): unknown {
  return error instanceof RuleError || error instanceof RuleLimitError ? new RequestError(400, messageOf(error), { cause: error }) : error;
}

function accepted(request: Request, response: ServerResponse): void {
  answer(request, response, 202, "", "");
}

function answer(request: Request, response: ServerResponse, status: number, errorType: string, error: string): void {
  const text = JSON.stringify({ status: error === "" ? "success" : "error", data: null, errorType, error });
  body(request, response, status, "application/json", text);
}
