// OTLP logs become a push: a resource's index attributes are its stream's labels, everything else around a record is its structured
// metadata (reference server-features §1.4).

import { createTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import { compareCodePoints, quoteGo } from "../../lib/text/go-quote.ts";
import type { MetadataPair } from "../../lib/wire/entry-batch.ts";
import { PushBuilder, type PushColumns } from "../../lib/wire/push-columns.ts";
import { type ActionOf, addAttribute, type OtlpActions } from "./otlp-attributes.ts";
import { type OtlpAttribute, type OtlpRecord, type OtlpResource, type OtlpScope, valueText } from "./otlp-tree.ts";

export interface OtlpPushOptions {
  readonly actions: OtlpActions;
  /** limits_config.discover_service_name; empty: no service_name is made up. */
  readonly discoverServiceName: readonly string[];
  /** otlp_config.severity_text_as_label */
  readonly severityTextAsLabel: boolean;
  /** Time of records that name none. */
  readonly nowNs: bigint;
}

const SERVICE_NAME = "service_name";
const NS_PER_SECOND = 1_000_000_000n;

/** A push without streams when there is no record in it. @throws OtlpError for an attribute without a usable name */
export async function otlpToPush(
  resources: readonly OtlpResource[],
  options: OtlpPushOptions,
  takeTurn: TakeTurn = createTurns(),
): Promise<PushColumns> {
  const builder = new PushBuilder();
  for (const resource of resources) {
    if (resource.scopes.some(({ records }) => records.length > 0)) await addResource(builder, resource, options, takeTurn);
  }
  return builder.finish();
}

async function addResource(builder: PushBuilder, resource: OtlpResource, options: OtlpPushOptions, takeTurn: TakeTurn): Promise<void> {
  const { labels, metadata } = splitResource(resource.attributes, options);
  let begun: string | undefined;
  for (const scope of resource.scopes) {
    const around = [...metadata, ...scopeMetadata(scope, options.actions.scope)];
    for (const record of scope.records) {
      const severity = options.severityTextAsLabel ? record.severityText : "";
      if (begun !== severity) builder.beginStream(labelsText(severity === "" ? labels : new Map(labels).set("severity_text", severity)));
      begun = severity;
      const ns = BigInt.asIntN(64, record.timeNs !== 0n ? record.timeNs : record.observedNs !== 0n ? record.observedNs : options.nowNs);
      const nanos = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
      const own = recordMetadata(record, options);
      for (let i = 0; i < around.length; i++) own.push(around[i]!);
      builder.add(Number((ns - nanos) / NS_PER_SECOND), Number(nanos), valueText(record.body), own);
      const turn = takeTurn();
      if (turn instanceof Promise) await turn;
    }
  }
}

function splitResource(
  attributes: readonly OtlpAttribute[],
  { actions, discoverServiceName }: OtlpPushOptions,
): { labels: ReadonlyMap<string, string>; metadata: readonly MetadataPair[] } {
  const labels = new Map<string, string>();
  const metadata: MetadataPair[] = [];
  const discover = discoverServiceName.length > 0;
  let hasService = attributes.some(([key, value]) => key === "service.name" && valueText(value) !== "");
  for (const [key, value] of attributes) {
    const action = actions.resource(key);
    if (action === "drop") continue;
    const pairs: MetadataPair[] = [];
    addAttribute(pairs, key, value);
    if (action === "structured_metadata") {
      metadata.push(...pairs);
      continue;
    }
    for (const [name, text] of pairs) {
      labels.set(name, text);
      if (hasService || !discover || text === "" || !discoverServiceName.includes(name)) continue;
      labels.set(SERVICE_NAME, text);
      hasService = true;
    }
  }
  if (!hasService && discover) labels.set(SERVICE_NAME, "unknown_service");
  return { labels, metadata };
}

function scopeMetadata(scope: OtlpScope, actionOf: ActionOf): readonly MetadataPair[] {
  const pairs = metadataOf(scope.attributes, actionOf);
  if (scope.name !== "") pairs.push(["scope_name", scope.name]);
  if (scope.version !== "") pairs.push(["scope_version", scope.version]);
  if (scope.droppedAttributes !== 0) pairs.push(["scope_dropped_attributes_count", String(scope.droppedAttributes)]);
  return pairs;
}

function recordMetadata(record: OtlpRecord, options: OtlpPushOptions): MetadataPair[] {
  const pairs = metadataOf(record.attributes, options.actions.log);
  if (record.timeNs !== 0n && record.observedNs !== 0n) pairs.push(["observed_timestamp", String(BigInt.asIntN(64, record.observedNs))]);
  if (record.severityNumber !== 0) pairs.push(["severity_number", String(record.severityNumber)]);
  if (record.severityText !== "" && !options.severityTextAsLabel) pairs.push(["severity_text", record.severityText]);
  if (record.droppedAttributes !== 0) pairs.push(["dropped_attributes_count", String(record.droppedAttributes)]);
  if (record.flags !== 0) pairs.push(["flags", String(record.flags)]);
  if (record.traceId !== "") pairs.push(["trace_id", record.traceId]);
  if (record.spanId !== "") pairs.push(["span_id", record.spanId]);
  return pairs;
}

function metadataOf(attributes: readonly OtlpAttribute[], actionOf: ActionOf): MetadataPair[] {
  const pairs: MetadataPair[] = [];
  for (const [key, value] of attributes) if (actionOf(key) !== "drop") addAttribute(pairs, key, value);
  return pairs;
}

function labelsText(labels: ReadonlyMap<string, string>): string {
  const pairs = [...labels].filter(([, value]) => value !== "").sort(([a], [b]) => compareCodePoints(a, b));
  return `{${pairs.map(([name, value]) => `${name}=${quoteGo(value)}`).join(", ")}}`;
}
