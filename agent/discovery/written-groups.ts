// Target groups as Prometheus has them written, in files and in answers: `[{"targets": ["host:9100"], "labels": {"job": "a"}}, …]`.

import { z } from "zod";
import { type ConfigDocument, ConfigError, describe, issuesOf } from "../../lib/runtime/config-file.ts";
import { labels, list, textList } from "../config/fields.ts";
import { withoutNulls } from "../config/written.ts";
import type { TargetGroup } from "./discovery.ts";

const groupsSchema = list(z.strictObject({ targets: textList(), labels: labels().prefault({}) }));

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
