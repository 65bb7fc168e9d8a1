// What becomes of an OTLP attribute: its name as a label name, and whether it is a stream label, structured metadata, or dropped.

import { quoteGo } from "../../lib/text/go-quote.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import type { Limits } from "../config/limits.ts";
import { OtlpError, type OtlpMap, type OtlpValue, valueText } from "./otlp-tree.ts";

/** `distributor.otlp_config.default_resource_attributes_as_index_labels` when the file does not name any. */
export const DEFAULT_INDEX_ATTRIBUTES: readonly string[] = [
  "service.name",
  "service.namespace",
  "service.instance.id",
  "deployment.environment",
  "deployment.environment.name",
  "cloud.region",
  "cloud.availability_zone",
  "k8s.cluster.name",
  "k8s.namespace.name",
  "k8s.pod.name",
  "k8s.container.name",
  "container.name",
  "k8s.replicaset.name",
  "k8s.deployment.name",
  "k8s.statefulset.name",
  "k8s.daemonset.name",
  "k8s.cronjob.name",
  "k8s.job.name",
];

export type AttributeAction = "index_label" | "structured_metadata" | "drop";
export type ActionOf = (attribute: string) => AttributeAction;

export interface OtlpActions {
  readonly resource: ActionOf;
  readonly scope: ActionOf;
  readonly log: ActionOf;
}

interface Rule {
  readonly action: AttributeAction;
  readonly attributes: readonly string[];
  readonly regex: string;
}

/** A tenant's `otlp_config`: the first rule that names an attribute counts, the default index labels come before the tenant's own. */
export function compileOtlpActions(config: Limits["otlp_config"], defaultIndex: readonly string[]): OtlpActions {
  const { ignore_defaults: ignoreDefaults, attributes_config: rules } = config.resource_attributes;
  const defaults: Rule[] = ignoreDefaults ? [] : [{ action: "index_label", attributes: defaultIndex, regex: "" }];
  return {
    resource: compileRules([...defaults, ...rules]),
    scope: compileRules(config.scope_attributes),
    log: compileRules(config.log_attributes),
  };
}

/** Distinct names remembered per list of rules; past this the memory is emptied. */
const NAMES_MAX = 10_000;

function compileRules(rules: readonly Rule[]): ActionOf {
  const tests = rules.map(({ action, attributes, regex }) => {
    const names = new Set(attributes);
    const pattern = regex === "" ? undefined : compileRegex(regex, { anchored: true, dotAll: true });
    return { action, accepts: (name: string) => names.has(name) || pattern?.test(name) === true };
  });
  const known = new Map<string, AttributeAction>();
  return (name) => {
    let action = known.get(name);
    if (action === undefined) {
      action = tests.find(({ accepts }) => accepts(name))?.action ?? "structured_metadata";
      if (known.size >= NAMES_MAX) known.clear();
      known.set(name, action);
    }
    return action;
  };
}

const labelNames = new Map<string, string>();

/**
 * An attribute's name as a label name: runs of other characters and of underscores become one `_`, a digit at the start goes behind
 * `key_`; `__x__` keeps its underscores. @throws OtlpError for a name of which nothing is left
 */
export function otlpLabelName(name: string): string {
  let label = labelNames.get(name);
  if (label === undefined) {
    label = normalise(name);
    if (labelNames.size >= NAMES_MAX) labelNames.clear();
    labelNames.set(name, label);
  }
  return label;
}

function normalise(name: string): string {
  if (name === "") throw new OtlpError("symbolizer lookup: label name is empty");
  const reserved = /^__(.*)__$/s.exec(name)?.[1];
  const clean = (reserved ?? name).replace(/[^a-zA-Z0-9]+/gu, "_");
  const label = reserved !== undefined ? `__${clean}__` : /^\d/.test(clean) ? `key_${clean}` : clean;
  if (/^_*$/.test(label))
    throw new OtlpError(`symbolizer lookup: normalization for label name ${quoteGo(name)} resulted in invalid name ${quoteGo(label)}`);
  return label;
}

/** Appends the attribute as label pairs: maps flattened with `_` between the levels, anything else as one text. @throws OtlpError */
export function addAttribute(pairs: MetadataPair[], name: string, value: OtlpValue): void {
  const label = otlpLabelName(name);
  if (!(value instanceof Map)) {
    pairs.push([label, valueText(value)]);
    return;
  }
  for (const [key, inner] of value as OtlpMap) addAttribute(pairs, `${label}_${key}`, inner);
}
