// Reading several tenants at once (`X-Scope-OrgID: a|b`): what comes out is labelled with its tenant. The label is put on behind the
// pipeline, so ops and groupings of the scan do not see it; selectors may filter on it.

import type { Matcher } from "../../lib/logql/ast.ts";
import { compileMatcher, validateMatchers } from "../../lib/logql/index.ts";
import type { EntryLabels, LogPartial } from "./entry-keeper.ts";
import type { MetricPartial } from "./scan-metric.ts";
import { type ResultLabels, sortedLabels } from "./series-table.ts";

const TENANT_LABEL = "__tenant_id__";
/** Where a result's own label of that name goes. */
const OWN_TENANT_LABEL = "original___tenant_id__";

export interface TenantSelection {
  readonly tenants: readonly string[];
  /** What is left of the selector for a tenant's streams. */
  readonly matchers: readonly Matcher[];
}

/**
 * Which of the tenants a selector means. Loki takes the tenant's matchers out of log selectors only: those of metric queries are still
 * held against the streams, none of which has the label. @throws LogqlError for a selector of nothing else
 */
export function chooseTenants(tenants: readonly string[], matchers: readonly Matcher[], kind: "log" | "metric"): TenantSelection {
  if (tenants.length < 2) return { tenants, matchers };
  const ofTenant = matchers.filter(({ name }) => name === TENANT_LABEL).map(compileMatcher);
  const others = matchers.filter(({ name }) => name !== TENANT_LABEL);
  validateMatchers(others);
  return {
    tenants: tenants.filter((tenant) => ofTenant.every((matches) => matches(tenant))),
    matchers: kind === "log" ? others : matchers,
  };
}

export function labelSeries(partial: MetricPartial, tenant: string): MetricPartial {
  return { ...partial, labels: partial.labels.map((labels) => withTenant(labels, tenant)) };
}

export function labelEntries(entries: LogPartial, tenant: string, firstStream: number): LogPartial {
  const known = new Map<EntryLabels, EntryLabels>();
  return entries.map((entry) => {
    let labels = known.get(entry.labels);
    if (labels === undefined) {
      const { stream, all } = entry.labels;
      known.set(entry.labels, (labels = { ...entry.labels, stream: withTenant(stream, tenant), all: withTenant(all, tenant) }));
    }
    return { ...entry, labels, stream: entry.stream + firstStream };
  });
}

function withTenant({ names, values }: ResultLabels, tenant: string): ResultLabels {
  const pairs = names.map((name, i): [string, string] => [name === TENANT_LABEL ? OWN_TENANT_LABEL : name, values[i]!]);
  return sortedLabels([...pairs, [TENANT_LABEL, tenant]]);
}
