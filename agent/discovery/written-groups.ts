// Target groups as Prometheus has them written, in files and in answers: `[{"targets": ["host:9100"], "labels": {"job": "a"}}, …]`.

import { z } from "zod";
import { type ConfigDocument, ConfigError, describe, issuesOf } from "../../lib/runtime/config-file.ts";
import { labels, list, textList } from "../config/fields.ts";
import { withoutNulls } from "../config/written.ts";
import type { TargetGroup } from "./discovery.ts";

const groupSchema = z.strictObject({ targets: textList(), labels: labels().prefault({}) });
const groupsSchema = list(groupSchema);
const KEYS = Object.keys(groupSchema.shape);

/** Groups in JSON may have their keys in any case, as Go reads them. */
export function withFoldedKeys(groups: unknown): unknown {
  return Array.isArray(groups) ? groups.map(foldKeys) : groups;
}

function foldKeys(group: unknown): unknown {
  if (typeof group !== "object" || group === null || Array.isArray(group)) return group;
  return Object.fromEntries(Object.entries(group).map(([key, value]) => [KEYS.find((known) => known === key.toLowerCase()) ?? key, value]));
}

/**
 * @param origin names the groups, each with its number, and is the value of each group's label `originLabel`
 * @throws ConfigError that names each fault's place
 */
export function writtenGroups(document: ConfigDocument, origin: string, originLabel: string): TargetGroup[] {
  const value = withoutNulls(document.value ?? []);
  const result = groupsSchema.safeParse(value);
  if (!result.success) throw new ConfigError(issuesOf(result.error, value, groupsSchema).map((issue) => describe(document, issue)));
  return result.data.map(({ targets, labels: shared }, i) => ({
    source: `${origin}:${i}`,
    targets: targets.map((address) => ({ __address__: address })),
    labels: { ...shared, [originLabel]: origin },
  }));
}
