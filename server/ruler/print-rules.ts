// Rule groups as YAML, keys in the order of Loki's answers.

import { stringify } from "yaml";
import { printPrometheusDuration } from "../../lib/text/duration.ts";
import type { PlacedGroup, Rule, RuleGroup } from "./rules.ts";

/** As YAML 1.1, in which a text `yes` needs its quotes. */
const YAML_STYLE = { version: "1.1", indent: 2, lineWidth: 0, aliasDuplicateObjects: false } as const;

export function printRuleGroup(group: RuleGroup): string {
  return stringify(groupFields(group), YAML_STYLE);
}

/** A file of one group. */
export function printRuleFile(group: RuleGroup): string {
  return stringify({ groups: [groupFields(group)] }, YAML_STYLE);
}

/** Namespaces and their groups. */
export function printNamespaces(groups: readonly PlacedGroup[]): string {
  const byNamespace = new Map<string, object[]>();
  for (const { namespace, group } of groups) byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), groupFields(group)]);
  return stringify(Object.fromEntries(byNamespace), YAML_STYLE);
}

function groupFields({ name, intervalMs, queryOffsetMs, limit, rules }: RuleGroup): object {
  return {
    name,
    ...(intervalMs !== undefined && { interval: printPrometheusDuration(intervalMs) }),
    ...(queryOffsetMs > 0 && { query_offset: printPrometheusDuration(queryOffsetMs) }),
    ...(limit > 0 && { limit }),
    rules: rules.map(ruleFields),
  };
}

function ruleFields(rule: Rule): object {
  const labels = rule.labels.length > 0 && { labels: Object.fromEntries(rule.labels) };
  if (rule.kind === "recording") return { record: rule.name, expr: rule.expr, ...labels };
  return {
    alert: rule.name,
    expr: rule.expr,
    ...(rule.forMs > 0 && { for: printPrometheusDuration(rule.forMs) }),
    ...(rule.keepFiringForMs > 0 && { keep_firing_for: printPrometheusDuration(rule.keepFiringForMs) }),
    ...labels,
    ...(rule.annotations.length > 0 && { annotations: Object.fromEntries(rule.annotations) }),
  };
}
