// Names of discovered labels: Prometheus' `__meta_kubernetes_*`, which relabelling rules are written for.

import type { ObjectMeta } from "../objects.ts";

/** Labels while they are put together. */
export type Labels = Record<string, string>;

export const PREFIX = "__meta_kubernetes_";
export const NAMESPACE = `${PREFIX}namespace`;

/** Every character that a label's name may not have becomes an underscore. */
export function labelName(text: string): string {
  return text.replace(/[^a-zA-Z0-9_]/g, "_");
}

/** `<what>_name`, and of each label and annotation its value and that it is there. */
export function metaLabels(what: string, meta: ObjectMeta): Labels {
  return { [`${PREFIX}${what}_name`]: meta.name, ...labelsAndAnnotations(what, meta) };
}

export function labelsAndAnnotations(what: string, { labels, annotations }: Pick<ObjectMeta, "labels" | "annotations">): Labels {
  const made: Labels = {};
  const add = (kind: string, values: Readonly<Record<string, string>> = {}): void => {
    for (const [name, value] of Object.entries(values)) {
      made[`${PREFIX}${what}_${kind}_${labelName(name)}`] = value;
      made[`${PREFIX}${what}_${kind}present_${labelName(name)}`] = "true";
    }
  };
  add("label", labels);
  add("annotation", annotations);
  return made;
}

/** Sets a label whose value may not be known. */
export function setKnown(labels: Labels, name: string, value: string | number | boolean | undefined): void {
  if (value !== undefined) labels[name] = String(value);
}

/** An address with its port, IPv6 in brackets. */
export function hostPort(host: string, port: number | undefined): string {
  const shown = host.includes(":") ? `[${host}]` : host;
  return port === undefined ? host : `${shown}:${port}`;
}
