// How rules and alerts stand, as Prometheus' API tells it: what Grafana's alerting pages read.

import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { printGoFloat } from "../../lib/logql/go-number.ts";
import type { Request, Route } from "../../lib/runtime/http-server.ts";
import { quoteGo } from "../../lib/text/go-quote.ts";
import { type Alert, isActive } from "../ruler/alert.ts";
import { AlertingState } from "../ruler/evaluate-alerting.ts";
import type { GroupRunner, RuleStatus } from "../ruler/group-runner.ts";
import type { Ruler } from "../ruler/ruler.ts";
import { body } from "./answers.ts";
import type { TenantResolver } from "./tenant.ts";

const INT32_MAX = 2_147_483_647;

export function ruleStateRoutes(ruler: Pick<Ruler, "runners">, tenants: TenantResolver): Route[] {
  return [
    { methods: ["GET"], path: "/prometheus/api/v1/rules", handler: rules },
    { methods: ["GET"], path: "/prometheus/api/v1/alerts", handler: alerts },
  ];

  function rules(request: Request, response: ServerResponse): void {
    const tenant = tenants.one(request.raw);
    try {
      const filter = filterOf(request.query);
      const groups = sorted(ruler.runners(tenant)).flatMap((runner) => groupJson(runner, filter) ?? []);
      success(request, response, pageOf(groups, request.query));
    } catch (error) {
      if (!(error instanceof BadParameter)) throw error;
      const text = JSON.stringify({ status: "error", data: null, errorType: "bad_data", error: error.message });
      body(request, response, 400, "text/plain; charset=utf-8", text);
    }
  }

  function alerts(request: Request, response: ServerResponse): void {
    const active = sorted(ruler.runners(tenants.one(request.raw))).flatMap(({ rules }) => rules.flatMap(alertsJson));
    success(request, response, { alerts: active });
  }
}

interface GroupJson {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly object[];
  readonly interval: number;
  readonly limit: number;
  readonly lastEvaluation: string;
  readonly evaluationTime: number;
}

interface RuleFilter {
  readonly type: string;
  readonly names: readonly string[];
  readonly groups: readonly string[];
  readonly files: readonly string[];
  readonly withoutAlerts: boolean;
}

class BadParameter extends Error {
  override readonly name = "BadParameter";
}

/** @throws BadParameter */
function filterOf(parameters: URLSearchParams): RuleFilter {
  const type = (parameters.get("type") ?? "").toLowerCase();
  if (!["", "alert", "record"].includes(type)) throw new BadParameter(`not supported value ${quoteGo(type)}`);
  // Loki's names, and Prometheus'.
  const all = (name: string): string[] => [...parameters.getAll(name), ...parameters.getAll(`${name}[]`)];
  return {
    type,
    names: all("rule_name"),
    groups: all("rule_group"),
    files: all("file"),
    withoutAlerts: /^(1|t|true)$/i.test(parameters.get("exclude_alerts") ?? ""),
  };
}

/**
 * Prometheus' pages of groups: `group_limit` of them, from the one on that `group_next_token` names. @throws BadParameter with its texts
 */
function pageOf(groups: readonly GroupJson[], parameters: URLSearchParams): object {
  const limitText = parameters.get("group_limit") ?? "";
  const token = parameters.get("group_next_token") ?? "";
  if (limitText === "") {
    if (token === "") return { groups };
    throw badParameter("group_next_token", "group_limit needs to be present in order to paginate over the groups");
  }
  const limit = /^[+-]?\d+$/.test(limitText) ? Number(limitText) : Number.NaN;
  if (!(Math.abs(limit) <= INT32_MAX)) {
    const why = Number.isNaN(limit) ? "invalid syntax" : "value out of range";
    throw badParameter("group_limit", `group_limit needs to be a valid number: strconv.ParseInt: parsing ${quoteGo(limitText)}: ${why}`);
  }
  if (limit <= 0) throw badParameter("group_limit", "group_limit needs to be greater than 0");
  const first = token === "" ? 0 : groups.findIndex((group) => tokenOf(group) === token);
  if (first < 0) throw badParameter("group_next_token", `invalid group_next_token '${token}'. were rule groups changed?`);
  const next = groups[first + limit];
  return { groups: groups.slice(first, first + limit), ...(next === undefined ? {} : { groupNextToken: tokenOf(next) }) };
}

function tokenOf({ file, name }: GroupJson): string {
  return createHash("sha1").update(`${file};${name}`).digest("hex");
}

function badParameter(name: string, why: string): BadParameter {
  return new BadParameter(`invalid parameter "${name}": ${why}`);
}

const sorted = (runners: readonly GroupRunner[]): GroupRunner[] =>
  [...runners].sort((a, b) => (a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0));

const passes = (wanted: readonly string[], value: string): boolean => wanted.length === 0 || wanted.includes(value);

/** @returns undefined when the filter leaves no rule of it */
function groupJson(runner: GroupRunner, filter: RuleFilter): GroupJson | undefined {
  if (!passes(filter.groups, runner.group.name) || !passes(filter.files, runner.namespace)) return undefined;
  const rules = runner.rules.filter(
    ({ work }) =>
      passes(filter.names, work.rule.name) && (filter.type === "" || (filter.type === "alert") === (work.rule.kind === "alerting")),
  );
  const narrowed = filter.names.length > 0 || filter.type !== "";
  if (narrowed && rules.length === 0) return undefined;
  return {
    name: runner.group.name,
    file: runner.namespace,
    rules: rules.map((rule) => ruleJson(rule, filter.withoutAlerts)),
    interval: runner.intervalMs / 1000,
    limit: runner.group.limit,
    lastEvaluation: timeJson(runner.lastEvalMs),
    evaluationTime: runner.evalSeconds,
  };
}

function ruleJson(status: RuleStatus, withoutAlerts: boolean): object {
  const { work, health, lastError } = status;
  const common = { name: work.rule.name, query: work.rule.expr };
  const evaluation = { lastEvaluation: timeJson(status.lastEvalMs), evaluationTime: status.evalSeconds };
  const labels = Object.fromEntries(work.rule.labels);
  if (!(work instanceof AlertingState)) return { ...common, labels, health, lastError, type: "recording", ...evaluation };
  return {
    state: work.state,
    ...common,
    duration: work.rule.forMs / 1000,
    labels,
    annotations: Object.fromEntries(work.rule.annotations),
    alerts: withoutAlerts ? [] : alertsJson(status),
    health,
    lastError,
    type: "alerting",
    ...evaluation,
  };
}

function alertsJson({ work }: RuleStatus): object[] {
  return work instanceof AlertingState ? work.alerts.filter(isActive).map(alertJson) : [];
}

function alertJson({ labels, annotations, state, activeAtMs, value }: Alert): object {
  return {
    labels: Object.fromEntries(labels.names.map((name, i) => [name, labels.values[i]!])),
    annotations: Object.fromEntries(annotations),
    state,
    activeAt: timeJson(activeAtMs),
    value: Number.isFinite(value) ? value.toExponential().replace(/e([+-])(\d)$/, "e$10$2") : printGoFloat(value),
  };
}

/** As Go writes a time.Time; 0 is its zero time. */
function timeJson(ms: number): string {
  if (ms === 0) return "0001-01-01T00:00:00Z";
  return new Date(ms).toISOString().replace(/\.?0*Z$/, "Z");
}

function success(request: Request, response: ServerResponse, data: object): void {
  body(request, response, 200, "application/json", JSON.stringify({ status: "success", data, errorType: "", error: "" }));
}
