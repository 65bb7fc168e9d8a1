// What a rule and a group of rules are, after they have been read and checked.

interface RuleBase {
  readonly expr: string;
  /** Sorted by name. */
  readonly labels: readonly (readonly [name: string, value: string])[];
}

export interface AlertingRule extends RuleBase {
  readonly kind: "alerting";
  readonly name: string;
  /** How long the expression must hold before the alert fires. */
  readonly forMs: number;
  /** How long a firing alert goes on when the expression holds no more. */
  readonly keepFiringForMs: number;
  readonly annotations: readonly (readonly [name: string, value: string])[];
}

export interface RecordingRule extends RuleBase {
  readonly kind: "recording";
  readonly name: string;
}

export type Rule = AlertingRule | RecordingRule;

export interface RuleGroup {
  readonly name: string;
  /** undefined: ruler.evaluation_interval */
  readonly intervalMs: number | undefined;
  /** How far behind the evaluation's time its queries look. */
  readonly queryOffsetMs: number;
  /** Most alerts or series of a rule; 0: any number. */
  readonly limit: number;
  readonly rules: readonly Rule[];
}

/** A group where it belongs. */
export interface PlacedGroup {
  readonly namespace: string;
  readonly group: RuleGroup;
}

/** Stands for a group within its tenant, and for no other. */
export const groupKey = (namespace: string, name: string): string => JSON.stringify([namespace, name]);

/** Names a group for people, in logs and as the `rule_group` label of metrics. */
export const groupLabel = (namespace: string, name: string): string => `${namespace};${name}`;

/** What makes two versions of a group the same: nothing of it has changed. */
export const groupVersion = (group: RuleGroup): string => JSON.stringify(group);

/** What a rule keeps its state under when its group is edited or the server restarts, as in Prometheus: its name and labels. */
export const ruleIdentity = (rule: Rule): string => JSON.stringify([rule.kind, rule.name, rule.labels]);

/** The rules' identities; equal ones are told apart by their order. */
export function ruleIdentities(rules: readonly Rule[]): string[] {
  const seen = new Map<string, number>();
  return rules.map((rule) => {
    const identity = ruleIdentity(rule);
    const count = seen.get(identity) ?? 0;
    seen.set(identity, count + 1);
    return count === 0 ? identity : `${identity}#${count}`;
  });
}
