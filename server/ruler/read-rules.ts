// Rule groups in Prometheus' YAML, read and checked. The texts of faults are Loki's where it has one; all faults of a group are told at
// once, as Loki does.

import { visit } from "yaml";
import { z } from "zod";
import { LogqlError } from "../../lib/logql/index.ts";
import {
  type ConfigDocument,
  ConfigError,
  type ConfigPath,
  describe,
  issuesOf,
  type PrepareDocument,
  parseYaml,
} from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { parsePrometheusDurationMs } from "../../lib/text/duration.ts";
import { compareCodePoints } from "../../lib/text/go-quote.ts";
import { isLabelName } from "../../lib/wire/labels.ts";
import { parseQuery } from "../query/engine.ts";
import type { Rule, RuleGroup } from "./rules.ts";
import { alertTemplateFault } from "./template.ts";

/** Faults of rules, in words for the answer. */
export class RuleError extends Error {
  override readonly name = "RuleError";
}

/** Of a file, or of a posted group. */
export const RULES_BYTES_MAX = 4 * 1024 * 1024;
/** Of names, labels and annotations; LogQL has a bound of its own. */
const TEXT_CHARS_MAX = 65_536;

const text = (charsMax = TEXT_CHARS_MAX) =>
  z
    .string({ error: "expected a text" })
    .max(charsMax, { error: `longer than ${charsMax} characters` })
    .nullable()
    .transform((value) => value ?? "");

const durationMs = () =>
  z
    .string({ error: "expected a duration such as 5m" })
    .nullable()
    .transform((value, context) => {
      try {
        return value === null ? 0 : parsePrometheusDurationMs(value);
      } catch (error) {
        context.addIssue({ code: "custom", message: messageOf(error) });
        return z.NEVER;
      }
    });

const texts = () => z.record(z.string(), text()).nullish();

const ruleSchema = z.strictObject({
  record: text().optional(),
  alert: text().optional(),
  expr: text(RULES_BYTES_MAX).optional(),
  for: durationMs().optional(),
  keep_firing_for: durationMs().optional(),
  labels: texts(),
  annotations: texts(),
});

/** What lokitool, Mimir's clients and Grafana may send along; none of it changes anything here. */
const foreign = () => z.unknown().optional();

const groupSchema = z.strictObject({
  name: text().optional(),
  interval: durationMs().optional(),
  query_offset: durationMs().optional(),
  limit: z
    .string({ error: "expected a number" })
    .regex(/^\d{1,9}$/, { error: "expected a whole number" })
    .transform(Number)
    .nullish(),
  labels: texts(),
  rules: z.array(ruleSchema).nullish(),
  remote_write: foreign(),
  source_tenants: foreign(),
  evaluation_delay: foreign(),
  align_evaluation_time_on_interval: foreign(),
});

const fileSchema = z.strictObject({ namespace: foreign(), groups: z.array(groupSchema).nullish() });

type RawGroup = z.output<typeof groupSchema>;

/** The group that was posted. @throws RuleError */
export function readRuleGroup(yaml: string): RuleGroup {
  const document = parse(yaml, "rule group", "unable to decode rule group");
  const raw = check(document, groupSchema, "unable to decode rule group");
  const faults = [...groupFaults([raw])].map(([, fault]) => fault);
  if (faults.length > 0) throw new RuleError(faults.join(", "));
  return toGroup(raw);
}

/** The groups of a file (`groups: […]`). @throws RuleError naming file, line and column of each fault */
export function readRuleFile(yaml: string, file: string): RuleGroup[] {
  const document = parse(yaml, file, `error parsing ${file}`);
  const { groups } = check(document, fileSchema, `error parsing ${file}`);
  const faults = [...groupFaults(groups ?? [])].map(([path, message]) => describe(document, { path: ["groups", ...path], message }));
  if (faults.length > 0) throw new RuleError(`error parsing ${file}: ${faults.join(", ")}`);
  return (groups ?? []).map(toGroup);
}

function parse(yaml: string, file: string, what: string): ConfigDocument {
  if (Buffer.byteLength(yaml) > RULES_BYTES_MAX)
    throw new RuleError(`${what}: ${Buffer.byteLength(yaml)} bytes, limit ${RULES_BYTES_MAX}; split it`);
  try {
    return parseYaml(yaml, file, keepTexts);
  } catch (error) {
    if (error instanceof ConfigError) throw new RuleError(`${what}: ${error.issues.join(", ")}`);
    throw error;
  }
}

/** Every value of a rule is a text: `version: 1.10` and `enabled: yes` mean what is written. */
const keepTexts: PrepareDocument = (document) => {
  visit(document, {
    Scalar(_, node) {
      if (node.type === "PLAIN" && typeof node.value !== "string" && node.value !== null) node.value = node.source;
    },
  });
  return [];
};

function check<T>(document: ConfigDocument, schema: z.ZodType<T>, what: string): T {
  const value = document.value ?? {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RuleError(
    `${what}: ${issuesOf(result.error, value, schema)
      .map((issue) => describe(document, issue))
      .join(", ")}`,
  );
}

function* groupFaults(groups: readonly RawGroup[]): Generator<readonly [path: ConfigPath, fault: string]> {
  const names = new Set<string>();
  for (const [g, group] of groups.entries()) {
    const name = group.name ?? "";
    if (name === "") yield [[g], `group ${g}: Groupname must not be empty`];
    if (names.has(name)) yield [[g, "name"], `groupname: "${name}" is repeated in the same file`];
    names.add(name);
    for (const [r, rule] of (group.rules ?? []).entries()) {
      const fault = ruleFault(rule, name);
      if (fault !== undefined) yield [[g, "rules", r], fault];
    }
  }
}

function ruleFault(rule: z.output<typeof ruleSchema>, groupName: string): string | undefined {
  const { record = "", alert = "", expr = "" } = rule;
  if (record !== "" && alert !== "") return "only one of 'record' and 'alert' must be set";
  if (record === "" && alert === "") return "one of 'record' or 'alert' must be set";
  if (expr === "") return "field 'expr' must be set in rule";
  const query = queryFault(expr);
  const what = record === "" ? `alert '${alert}'` : `record '${record}'`;
  if (query !== undefined) return `could not parse expression for ${what} in group '${groupName}': ${query}`;
  if (record !== "") {
    if (Object.keys(rule.annotations ?? {}).length > 0) return "invalid field 'annotations' in recording rule";
    if ((rule.for ?? 0) !== 0) return "invalid field 'for' in recording rule";
    if ((rule.keep_firing_for ?? 0) !== 0) return "invalid field 'keep_firing_for' in recording rule";
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(record)) return `invalid recording rule name: ${record}`;
  }
  const label = Object.keys(rule.labels ?? {}).find((name) => !isLabelName(name) || name === "__name__");
  if (label !== undefined) return `invalid label name: ${label}`;
  const annotation = Object.keys(rule.annotations ?? {}).find((name) => !isLabelName(name));
  if (annotation !== undefined) return `invalid annotation name: ${annotation}`;
  return record === "" ? templateFault(rule, alert) : undefined;
}

/** Loki takes a log query, and fails each time it is evaluated; here it is refused with what its evaluation would say. */
function queryFault(expr: string): string | undefined {
  try {
    return parseQuery(expr).kind === "log" ? "rule result is not a vector or scalar" : undefined;
  } catch (error) {
    if (error instanceof LogqlError) return error.message;
    throw error;
  }
}

function templateFault({ labels, annotations }: z.output<typeof ruleSchema>, alert: string): string | undefined {
  for (const [kind, values] of [
    ["label", labels],
    ["annotation", annotations],
  ] as const) {
    for (const [name, value] of Object.entries(values ?? {})) {
      const fault = alertTemplateFault(alert, value);
      if (fault !== undefined) return `${kind} "${name}": ${fault}`;
    }
  }
  return undefined;
}

function toGroup(raw: RawGroup): RuleGroup {
  const rules = (raw.rules ?? []).map((rule): Rule => {
    const common = { expr: rule.expr!, labels: sortedPairs({ ...raw.labels, ...rule.labels }) };
    if ((rule.record ?? "") !== "") return { kind: "recording", name: rule.record!, ...common };
    return {
      kind: "alerting",
      name: rule.alert!,
      ...common,
      forMs: rule.for ?? 0,
      keepFiringForMs: rule.keep_firing_for ?? 0,
      annotations: sortedPairs(rule.annotations ?? {}),
    };
  });
  return {
    name: raw.name!,
    intervalMs: raw.interval === 0 ? undefined : raw.interval,
    queryOffsetMs: raw.query_offset ?? 0,
    limit: raw.limit ?? 0,
    rules,
  };
}

function sortedPairs(texts: Readonly<Record<string, string>>): (readonly [string, string])[] {
  return Object.entries(texts).sort((a, b) => compareCodePoints(a[0], b[0]));
}
