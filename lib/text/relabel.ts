// Relabelling: rules over the labels of a target, an entry, an alert or a sample, run in turn. Semantics, defaults and
// messages: Prometheus' relabel_configs as Promtail 3.5 has them, where label names are any text.

import { createHash } from "node:crypto";
import { compileRegex, expandTemplate, type Regex } from "./regex.ts";

export const RELABEL_ACTIONS = [
  "replace",
  "keep",
  "drop",
  "keepequal",
  "dropequal",
  "hashmod",
  "labelmap",
  "labeldrop",
  "labelkeep",
  "lowercase",
  "uppercase",
] as const;
export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** One rule as it is configured, defaults filled in. */
export interface RelabelConfig {
  readonly source_labels?: readonly string[] | null | undefined;
  readonly separator: string;
  readonly regex: string;
  readonly modulus: number;
  readonly target_label: string;
  readonly replacement: string;
  readonly action: RelabelAction;
}

export const RELABEL_DEFAULTS = {
  separator: ";",
  regex: "(.*)",
  modulus: 0,
  target_label: "",
  replacement: "$1",
  action: "replace",
} as const;

/** Changes labels in place; `false` when a rule dropped the target. */
export type Relabel = (labels: Map<string, string>) => boolean;

/** @throws RegexError for a pattern RE2 refuses; rules are expected to have passed `relabelFault` */
export function compileRelabel(configs: readonly RelabelConfig[]): Relabel {
  const rules = configs.map(compileRule);
  return (labels) => rules.every((rule) => rule(labels));
}

function compileRule(config: RelabelConfig): Relabel {
  const { action, target_label: target, separator, modulus } = config;
  const sources = config.source_labels ?? [];
  const regex = compileRegex(config.regex, { anchored: true, dotAll: true });
  const joined = (labels: Map<string, string>): string => sources.map((name) => labels.get(name) ?? "").join(separator);
  const always =
    (change: (labels: Map<string, string>) => void): Relabel =>
    (labels) => {
      change(labels);
      return true;
    };
  switch (action) {
    case "keep":
      return (labels) => regex.test(joined(labels));
    case "drop":
      return (labels) => !regex.test(joined(labels));
    case "keepequal":
      return (labels) => (labels.get(target) ?? "") === joined(labels);
    case "dropequal":
      return (labels) => (labels.get(target) ?? "") !== joined(labels);
    case "replace":
      return always((labels) => replace(labels, joined(labels), config, regex));
    case "lowercase":
      return always((labels) =>
        setLabel(
          labels,
          target,
          eachCharacter(joined(labels), (char) => char.toLowerCase()),
        ),
      );
    case "uppercase":
      return always((labels) =>
        setLabel(
          labels,
          target,
          eachCharacter(joined(labels), (char) => char.toUpperCase()),
        ),
      );
    case "hashmod":
      return always((labels) => setLabel(labels, target, hashModulo(joined(labels), modulus)));
    case "labelmap":
      return always((labels) => mapNames(labels, config.replacement, regex));
    case "labeldrop":
      return always((labels) => removeNames(labels, (name) => regex.test(name)));
    case "labelkeep":
      return always((labels) => removeNames(labels, (name) => !regex.test(name)));
  }
}

function replace(labels: Map<string, string>, value: string, config: RelabelConfig, regex: Regex): void {
  const match = regex.exec(value);
  if (match === null) return;
  const target = expandTemplate(config.target_label, match, regex.groupNames);
  if (target === "") return;
  setLabel(labels, target, expandTemplate(config.replacement, match, regex.groupNames));
}

function mapNames(labels: Map<string, string>, replacement: string, regex: Regex): void {
  for (const [name, value] of [...labels]) {
    const match = regex.exec(name);
    if (match !== null) setLabel(labels, expandTemplate(replacement, match, regex.groupNames), value);
  }
}

function removeNames(labels: Map<string, string>, unwanted: (name: string) => boolean): void {
  for (const name of [...labels.keys()]) if (unwanted(name)) labels.delete(name);
}

/** An empty value is no label. */
function setLabel(labels: Map<string, string>, name: string, value: string): void {
  if (value === "") labels.delete(name);
  else labels.set(name, value);
}

/** As Go does: one character for one, so that `ß` stays as it is. */
function eachCharacter(text: string, change: (char: string) => string): string {
  return text.replace(/./gsu, (char) => {
    const changed = change(char);
    return [...changed].length === 1 ? changed : char;
  });
}

/** The last eight bytes of the MD5, as an unsigned big-endian number, modulo. */
function hashModulo(text: string, modulus: number): string {
  const digest = createHash("md5").update(text).digest();
  return String(digest.readBigUInt64BE(8) % BigInt(modulus));
}

const NEEDS_TARGET: ReadonlySet<RelabelAction> = new Set(["replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"]);

/** What is wrong with a rule, in Prometheus' words; undefined when it is right. The pattern is not looked at. */
export function relabelFault(config: RelabelConfig): string | undefined {
  const { action, target_label: target, replacement } = config;
  if (action === "hashmod" && config.modulus === 0) return "relabel configuration for hashmod requires non-zero modulus";
  if (NEEDS_TARGET.has(action) && target === "") return `relabel configuration for ${action} action requires 'target_label' value`;
  if (action === "replace" && target.includes("$") && !isNameTemplate(target))
    return `${JSON.stringify(target)} is invalid 'target_label' for ${action} action`;
  const hasReplacement = replacement !== RELABEL_DEFAULTS.replacement;
  if (["lowercase", "uppercase", "keepequal", "dropequal"].includes(action) && hasReplacement)
    return `'replacement' can not be set for ${action} action`;
  if (action === "labelmap" && !isNameTemplate(replacement))
    return `${JSON.stringify(replacement)} is invalid 'replacement' for ${action} action`;
  const plain = config.modulus === 0 && config.separator === RELABEL_DEFAULTS.separator && !hasReplacement;
  if ((action === "keepequal" || action === "dropequal") && !(plain && config.regex === RELABEL_DEFAULTS.regex))
    return `${action} action requires only 'source_labels' and 'target_label', and no other fields`;
  if ((action === "labeldrop" || action === "labelkeep") && !(plain && target === "" && (config.source_labels ?? null) === null))
    return `${action} action requires only 'regex', and no other fields`;
  return undefined;
}

/** Any text with `$name` and `${name}` in it, but no stray `$`, `{` or `}`. */
function isNameTemplate(text: string): boolean {
  return text !== "" && !/[${}]/.test(text.replace(/\$(?:\{[^${}]+\}|[^${}]+)/g, ""));
}
