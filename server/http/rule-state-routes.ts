// How rules and alerts stand, as Prometheus' API tells it: what Grafana's alerting pages read.

import type { ServerResponse } from "node:http";
import { printGoFloat } from "../../lib/logql/go-number.ts";
import type { Request, Route } from "../../lib/runtime/http-server.ts";
import { type Alert, isActive } from "../ruler/alert.ts";
import { AlertingState } from "../ruler/evaluate-alerting.ts";
import type { GroupRunner, RuleStatus } from "../ruler/group-runner.ts";
import type { Ruler } from "../ruler/ruler.ts";
import { body } from "./answers.ts";
import type { TenantResolver } from "./tenant.ts";

export function ruleStateRoutes(ruler: Pick<Ruler, "runners">, tenants: TenantResolver): Route[] {
  return [
    { methods: ["GET"], path: "/prometheus/api/v1/rules", handler: rules },
    { methods: ["GET"], path: "/prometheus/api/v1/alerts", handler: alerts },
  ];

  function rules(request: Request, response: ServerResponse): void {
    const tenant = tenants.one(request.raw);
    const parameters = request.query;
    const type = (parameters.get("type") ?? "").toLowerCase();
    if (!["", "alert", "record"].includes(type)) {
      const error = `invalid parameter "type": not supported value "${type}"`;
      return body(
        request,
        response,
        400,
        "application/json",
        JSON.stringify({ status: "error", data: null, errorType: "bad_data", error }),
      );
    }
    const filter = filterOf(parameters, type);
    const groups = sorted(ruler.runners(tenant)).flatMap((runner) => groupJson(runner, filter) ?? []);
    success(request, response, { groups });
  }

  function alerts(request: Request, response: ServerResponse): void {
    const active = sorted(ruler.runners(tenants.one(request.raw))).flatMap(({ rules }) => rules.flatMap(alertsJson));
    success(request, response, { alerts: active });
  }
}

interface RuleFilter {
  readonly type: string;
  readonly names: readonly string[];
  readonly groups: readonly string[];
  readonly files: readonly string[];
  readonly withoutAlerts: boolean;
}

function filterOf(parameters: URLSearchParams, type: string): RuleFilter {
  return {
    type,
    names: parameters.getAll("rule_name[]"),
    groups: parameters.getAll("rule_group[]"),
    files: parameters.getAll("file[]"),
    withoutAlerts: /^(1|t|true)$/i.test(parameters.get("exclude_alerts") ?? ""),
  };
}

const sorted = (runners: readonly GroupRunner[]): GroupRunner[] =>
  [...runners].sort((a, b) => (a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0));

const passes = (wanted: readonly string[], value: string): boolean => wanted.length === 0 || wanted.includes(value);

/** @returns undefined when the filter leaves no rule of it */
function groupJson(runner: GroupRunner, filter: RuleFilter): object | undefined {
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
