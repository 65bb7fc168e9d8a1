// Reading several tenants at once (`X-Scope-OrgID: a|b`): their streams carry `__tenant_id__`, which selectors may filter on.

import type { Matcher } from "../../lib/logql/ast.ts";
import { compileMatcher } from "../../lib/logql/matcher.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { DataView as PageView, StreamPages, TimeRange } from "../page.ts";

const TENANT_LABEL = "__tenant_id__";
/** Where a stream's own label of that name goes. */
const OWN_TENANT_LABEL = "original___tenant_id__";

/** The streams of all tenants; with more than one, each is labelled with its tenant. */
export function selectTenants(view: PageView, tenants: readonly string[], matchers: readonly Matcher[], range: TimeRange): StreamPages[] {
  const [only, ...others] = tenants;
  if (only === undefined) return [];
  if (others.length === 0) return view.select(only, matchers, range);
  const ofTenant = matchers.filter(({ name }) => name === TENANT_LABEL).map(compileMatcher);
  const ofStream = matchers.filter(({ name }) => name !== TENANT_LABEL);
  const streams: StreamPages[] = [];
  for (const tenant of tenants) {
    if (!ofTenant.every((matches) => matches(tenant))) continue;
    for (const { labels, pages } of view.select(tenant, ofStream, range)) streams.push({ labels: withTenant(labels, tenant), pages });
  }
  return streams;
}

function withTenant(labels: LabelSet, tenant: string): LabelSet {
  const own = labels.get(TENANT_LABEL);
  const kept = own === "" ? labels : labels.with(OWN_TENANT_LABEL, own);
  return kept.with(TENANT_LABEL, tenant);
}
