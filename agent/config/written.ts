// Go decodes a scalar by the type of the field that takes it: for a text field `1.50`, `yes` and `0123` are what was written, for a
// number or a boolean they are values. YAML libraries decide before they know the field, so numbers and booleans travel as `Plain`
// with both faces until a field has read them (fields.ts). Pipeline stages get plain values: Promtail decides there as we do.

import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Pair, type Scalar, visit, type YAMLMap } from "yaml";
import type { ConfigPath } from "../../lib/runtime/config-file.ts";

/** A number or a boolean that stood without quotes. */
export class Plain {
  readonly value: number | boolean;
  readonly written: string;
  constructor(value: number | boolean, written = String(value)) {
    this.value = value;
    this.written = written;
  }
}

type Fault = readonly [offset: number, message: string];

/**
 * Makes scalars keep how they were written, and refuses what Go's YAML refuses and ours would take: among names of the user's choice
 * one that is also in the merged map (<<), and in pipeline stages a key that YAML 1.1 reads as a boolean or number (`n`, `5`).
 */
export function keepAsWritten(document: Document.Parsed): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Scalar(position, node, ancestors) {
      if (typeof node.value === "string" || node.value === null || isMergeKey(node)) return;
      const value = plainValue(node);
      if (position !== "key") node.value = value;
      else if (value instanceof Plain && isInStages(ancestors)) faults.push([offsetOf(node), keyFault(value)]);
      else node.value = value instanceof Plain ? value.written : value;
    },
    Map(_, node, ancestors) {
      if (!node.items.some(({ key }) => isMergeKey(key))) return;
      if (hasFreeNames(ancestors)) faults.push(...mergeFaults(node, document));
      else letLastWin(node, document);
    },
  });
  return faults;
}

function plainValue(node: Scalar): unknown {
  const written = node.source ?? String(node.value);
  if (node.value instanceof Date || node.format === "TIME") return written;
  return typeof node.value === "number" || typeof node.value === "boolean" ? new Plain(node.value, written) : node.value;
}

/** Go's decoder knows neither `12:30` as a number nor dates: texts, in stages too. */
function isInStages(ancestors: readonly unknown[]): boolean {
  return ancestors.some((node) => isPair(node) && isScalar(node.key) && node.key.value === "pipeline_stages");
}

function keyFault({ value, written }: Plain): string {
  return `pipeline_stages: the key ${written} of a stage (json, labels, …) is the ${typeof value} ${value} in YAML 1.1; put it in quotes`;
}

/** Keys of maps that are Go's maps too; the other maps are structs to it, where a key may be merged and written besides. */
const FREE_NAMES: ReadonlySet<unknown> = new Set(
  "labels external_labels headers http_headers proxy_connect_header endpoint_params node_meta".split(" "),
);

function hasFreeNames(ancestors: readonly unknown[]): boolean {
  const above = ancestors.at(-1);
  return isInStages(ancestors) || (isPair(above) && isScalar(above.key) && FREE_NAMES.has(above.key.value));
}

function mergeFaults(map: YAMLMap, document: Document.Parsed): Fault[] {
  const merged = new Set((map.items as Pair[]).flatMap((pair) => mergedKeys(pair, document)));
  return (map.items as Pair[])
    .filter(({ key }) => isScalar(key) && !isMergeKey(key) && merged.has(String(key.value)))
    .map(({ key }) => [offsetOf(key as Scalar), `key ${String((key as Scalar).value)} is already set by the merged map (<<)`]);
}

/** Written keys win over merged ones wherever they stand; in Go those that stand behind win. So the others are taken out. */
function letLastWin(map: YAMLMap, document: Document.Parsed): void {
  const behind = new Set<string>();
  const kept = [...(map.items as Pair[])].reverse().filter((pair) => {
    if (isScalar(pair.key) && !isMergeKey(pair.key)) return !behind.has(String(pair.key.value));
    for (const key of mergedKeys(pair, document)) behind.add(key);
    return true;
  });
  map.items = kept.reverse();
}

/** The keys that a pair merges into its map; none for any but `<<`. */
function mergedKeys({ key, value }: Pair, document: Document.Parsed): string[] {
  if (!isMergeKey(key)) return [];
  return (isSeq(value) ? value.items : [value]).flatMap((source) => {
    const target = isAlias(source) ? source.resolve(document) : source;
    return isMap(target) ? target.items.filter((item) => isScalar(item.key)).map((item) => String((item.key as Scalar).value)) : [];
  });
}

function isMergeKey(key: unknown): boolean {
  return (
    isScalar(key) && (key.value === "<<" || typeof key.value === "symbol") && key.type !== "QUOTE_DOUBLE" && key.type !== "QUOTE_SINGLE"
  );
}

function offsetOf(node: Scalar): number {
  return node.range?.[0] ?? 0;
}

/** A tree with plain numbers and booleans in place of `Plain`. */
export function withoutWritten(value: unknown): unknown {
  if (value instanceof Plain) return value.value;
  if (Array.isArray(value)) return value.map(withoutWritten);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutWritten(inner)]));
}

/** Under these keys one without a value is kept: an empty `replacement` deletes a label, and clients send empty labels and headers. */
const KEEP_NULLS: ReadonlySet<string> = new Set(["relabel_configs", "pipeline_stages", "external_labels", "headers"]);

/** An empty block, or a key without a value, means its default; an empty label of a target vanishes. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null || value instanceof Plain) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, KEEP_NULLS.has(key) ? inner : withoutNulls(inner)]),
  );
}

/** Where the keys stand that `withoutNulls` takes out. */
export function nullPaths(value: unknown, path: ConfigPath = []): ConfigPath[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => nullPaths(item, [...path, i]));
  if (typeof value !== "object" || value === null || value instanceof Plain) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (inner === null) return [[...path, key]];
    return KEEP_NULLS.has(key) ? [] : nullPaths(inner, [...path, key]);
  });
}
