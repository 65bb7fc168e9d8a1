// How large a YAML document becomes when each alias is written out: a small file can blow up without end.

import { type Document, isAlias, isCollection, isPair, isScalar, type Node } from "yaml";

/** Number of values with aliases written out; infinite when an alias stands within what it stands for. */
export function countExpanded(document: Document): number {
  const anchors = new Map<string, Node>();
  const counts = new Map<unknown, number>();
  const count = (node: unknown): number => {
    if (isAlias(node)) return counts.get(anchors.get(node.source)) ?? 1;
    if (isPair(node)) return count(node.key) + count(node.value);
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) anchors.set(node.anchor, node);
    if (!isCollection(node)) return 1;
    counts.set(node, Number.POSITIVE_INFINITY);
    const sum = (node.items as unknown[]).reduce((values: number, item) => values + count(item), 1);
    counts.set(node, sum);
    return sum;
  };
  return count(document.contents);
}
