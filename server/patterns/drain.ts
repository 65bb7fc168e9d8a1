// Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", 2017): lines of equally many tokens go down a tree of
// their tokens, those with digits all one way, and join the most alike cluster at the leaf.

import { ANY, tokenize } from "./tokens.ts";

const CHILDREN_MAX = 15;
const DEPTH_MAX = 28;
const SIMILARITY_MIN = 0.3;
const CLUSTERS_MAX = 300;

export interface Cluster {
  tokens: string[];
  readonly join: (tokens: readonly string[]) => string;
  size: number;
  /** Lines by the start of their interval, seconds since 1970. */
  readonly samples: Map<number, number>;
}

interface Node {
  readonly children: Map<string, Node>;
  readonly clusters: Set<Cluster>;
}

export const SAMPLE_SECONDS = 10;

export class Drain {
  readonly #root = newNode();
  /** With their leaf, in order of their last use: the first is the one to forget. */
  readonly #leaves = new Map<Cluster, Node>();

  train(line: string, sec: number): void {
    const tokenized = tokenize(line);
    if (tokenized === undefined) return;
    const { tokens, join } = tokenized;
    const leaf = this.#descend(tokens);
    const cluster = mostAlike(leaf.clusters, tokens) ?? { tokens: [...tokens], join, size: 0, samples: new Map<number, number>() };
    for (let i = 0; i < tokens.length; i++) if (cluster.tokens[i] !== tokens[i]) cluster.tokens[i] = ANY;
    cluster.size++;
    const at = Math.floor(sec / SAMPLE_SECONDS) * SAMPLE_SECONDS;
    cluster.samples.set(at, (cluster.samples.get(at) ?? 0) + 1);
    leaf.clusters.add(cluster);
    this.#leaves.delete(cluster);
    this.#leaves.set(cluster, leaf);
    if (this.#leaves.size > CLUSTERS_MAX) this.#forget(this.#leaves.keys().next().value!);
  }

  clusters(): Iterable<Cluster> {
    return this.#leaves.keys();
  }

  get isEmpty(): boolean {
    return this.#leaves.size === 0;
  }

  /** Forgets samples from before `sec`, and clusters of which nothing is left. */
  prune(sec: number): void {
    for (const cluster of [...this.#leaves.keys()]) {
      for (const at of cluster.samples.keys()) if (at < sec) cluster.samples.delete(at);
      if (cluster.samples.size === 0) this.#forget(cluster);
    }
  }

  #forget(cluster: Cluster): void {
    this.#leaves.get(cluster)?.clusters.delete(cluster);
    this.#leaves.delete(cluster);
    // Nodes without clusters would pile up under lines that are never alike.
    if (this.#leaves.size === 0) this.#root.children.clear();
  }

  #descend(tokens: readonly string[]): Node {
    let node = childOf(this.#root, String(tokens.length));
    for (let i = 0; i < Math.min(tokens.length, DEPTH_MAX); i++) {
      const token = tokens[i]!;
      const known = node.children.get(token);
      if (known !== undefined) node = known;
      else node = childOf(node, /\d/.test(token) || node.children.size >= CHILDREN_MAX - 1 ? ANY : token);
    }
    return node;
  }
}

function newNode(): Node {
  return { children: new Map(), clusters: new Set() };
}

function childOf(node: Node, token: string): Node {
  let child = node.children.get(token);
  if (child === undefined) node.children.set(token, (child = newNode()));
  return child;
}

/** The cluster with the most equal tokens, at least the given share of them; one that matches with its `<_>` in any case. */
function mostAlike(clusters: ReadonlySet<Cluster>, tokens: readonly string[]): Cluster | undefined {
  let best: Cluster | undefined;
  let bestShare = SIMILARITY_MIN;
  for (const cluster of clusters) {
    let equal = 0;
    let covered = 0;
    for (let i = 0; i < tokens.length; i++) {
      if (cluster.tokens[i] === tokens[i]) equal++;
      if (cluster.tokens[i] === tokens[i] || cluster.tokens[i] === ANY) covered++;
    }
    const share = covered === tokens.length ? Math.max(equal / tokens.length, SIMILARITY_MIN) : equal / tokens.length;
    if (share < bestShare || (best !== undefined && share === bestShare)) continue;
    best = cluster;
    bestShare = share;
  }
  return best;
}
