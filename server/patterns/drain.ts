// Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", 2017): lines of equally many tokens go down a tree of
// their tokens, those with digits all one way, and join the most alike cluster at the leaf.

import { Budget } from "./budget.ts";
import { ANY, type Layout, tokenize } from "./tokens.ts";

const CHILDREN_MAX = 15;
const DEPTH_MAX = 28;
const SIMILARITY_MIN = 0.3;
const CLUSTERS_MAX = 300;

/** Estimates: a cluster with its tokens as slices of a line, the nodes that lead to it, an interval with its count. */
const CLUSTER_BYTES = 500;
const TOKEN_BYTES = 24;
const NODE_BYTES = 250;
const SAMPLE_BYTES = 40;

export interface Cluster {
  tokens: string[];
  readonly layout: Layout;
  size: number;
  /** Lines by the start of their interval, seconds since 1970. */
  readonly samples: Map<number, number>;
}

interface Node {
  readonly key: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  readonly clusters: Set<Cluster>;
}

interface Place {
  readonly leaf: Node;
  readonly bytes: number;
}

export const SAMPLE_SECONDS = 10;

export class Drain {
  readonly #root = newNode("", undefined);
  /** With their leaf, in order of their last use: the first is the one to forget. */
  readonly #places = new Map<Cluster, Place>();
  readonly #budget: Budget;

  constructor(budget = new Budget(Number.POSITIVE_INFINITY)) {
    this.#budget = budget;
  }

  train(line: string, sec: number): void {
    const tokenized = tokenize(line);
    if (tokenized === undefined) return;
    const { tokens, layout } = tokenized;
    const leaf = this.#descend(tokens, stepOf);
    const alike = mostAlike(leaf.clusters, tokens);
    const cluster = alike ?? { tokens: [...tokens], layout, size: 0, samples: new Map<number, number>() };
    if (!(alike === undefined ? this.#add(cluster, leaf) : this.#touch(cluster))) return;
    for (let i = 0; i < tokens.length; i++) if (cluster.tokens[i] !== tokens[i]) cluster.tokens[i] = ANY;
    const at = Math.floor(sec / SAMPLE_SECONDS) * SAMPLE_SECONDS;
    if (!cluster.samples.has(at)) {
      if (!this.#makeRoom(SAMPLE_BYTES, cluster)) return;
      this.#budget.take(SAMPLE_BYTES);
    }
    cluster.size++;
    cluster.samples.set(at, (cluster.samples.get(at) ?? 0) + 1);
  }

  clusters(): Iterable<Cluster> {
    return this.#places.keys();
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** Of the tree, without its root. */
  get nodeCount(): number {
    const below = (node: Node): number => [...node.children.values()].reduce((sum, child) => sum + 1 + below(child), 0);
    return below(this.#root);
  }

  /** Forgets samples from before `sec`, and clusters of which nothing is left. */
  prune(sec: number): void {
    for (const cluster of [...this.#places.keys()]) {
      for (const at of cluster.samples.keys()) {
        if (at >= sec) continue;
        cluster.samples.delete(at);
        this.#budget.take(-SAMPLE_BYTES);
      }
      if (cluster.samples.size === 0) this.#forget(cluster);
    }
  }

  /** Of a cluster's way down the tree, the steps taken with what varies: with its tokens all that is needed to put it there again. */
  anySteps(cluster: Cluster): number[] {
    const steps: number[] = [];
    let node = this.#places.get(cluster)?.leaf;
    for (let step = Math.min(cluster.tokens.length, DEPTH_MAX) - 1; step >= 0 && node !== undefined; step--, node = node.parent)
      if (node.key === ANY) steps.unshift(step);
    return steps;
  }

  /** Puts a cluster where it was when its steps were asked for; false when there is no room for it. */
  restore(cluster: Cluster, anySteps: readonly number[]): boolean {
    const steps = new Set(anySteps);
    const samplesBytes = cluster.samples.size * SAMPLE_BYTES;
    if (this.#places.size >= CLUSTERS_MAX || !this.#budget.hasRoom(bytesOf(cluster) + samplesBytes)) return false;
    const leaf = this.#descend(cluster.tokens, (_, token, step) => (steps.has(step) ? ANY : token));
    this.#add(cluster, leaf);
    this.#budget.take(samplesBytes);
    return true;
  }

  /** Makes it the last to forget. */
  #touch(cluster: Cluster): true {
    const place = this.#places.get(cluster)!;
    this.#places.delete(cluster);
    this.#places.set(cluster, place);
    return true;
  }

  #add(cluster: Cluster, leaf: Node): boolean {
    const bytes = bytesOf(cluster);
    leaf.clusters.add(cluster);
    this.#places.set(cluster, { leaf, bytes });
    this.#budget.take(bytes);
    if (this.#places.size > CLUSTERS_MAX) this.#forget(this.#places.keys().next().value!);
    if (this.#makeRoom(0, cluster)) return true;
    this.#forget(cluster);
    return false;
  }

  /** Forgets the oldest clusters but `kept` until there is room. */
  #makeRoom(bytes: number, kept: Cluster): boolean {
    for (const cluster of this.#places.keys()) {
      if (this.#budget.hasRoom(bytes)) return true;
      if (cluster !== kept) this.#forget(cluster);
    }
    return this.#budget.hasRoom(bytes);
  }

  #forget(cluster: Cluster): void {
    const { leaf, bytes } = this.#places.get(cluster)!;
    this.#places.delete(cluster);
    this.#budget.take(-bytes - cluster.samples.size * SAMPLE_BYTES);
    leaf.clusters.delete(cluster);
    // Nodes without clusters would pile up under lines that are never alike.
    for (let node = leaf; node.parent !== undefined && node.clusters.size === 0 && node.children.size === 0; node = node.parent)
      node.parent.children.delete(node.key);
  }

  /** @param stepTo the key of the next node */
  #descend(tokens: readonly string[], stepTo: (node: Node, token: string, step: number) => string): Node {
    let node = childOf(this.#root, String(tokens.length));
    for (let i = 0; i < Math.min(tokens.length, DEPTH_MAX); i++) node = childOf(node, stepTo(node, tokens[i]!, i));
    return node;
  }
}

/** Tokens with digits, and those for which there are no more ways, go the way of what varies. */
function stepOf({ children }: Node, token: string): string {
  if (children.has(token)) return token;
  return /\d/.test(token) || children.size >= CHILDREN_MAX - 1 ? ANY : token;
}

function bytesOf({ tokens }: Cluster): number {
  const textBytes = tokens.reduce((sum, token) => sum + token.length, 0) * 2;
  return CLUSTER_BYTES + tokens.length * TOKEN_BYTES + textBytes + Math.min(tokens.length, DEPTH_MAX) * NODE_BYTES;
}

function newNode(key: string, parent: Node | undefined): Node {
  return { key, parent, children: new Map(), clusters: new Set() };
}

function childOf(node: Node, token: string): Node {
  let child = node.children.get(token);
  if (child === undefined) node.children.set(token, (child = newNode(token, node)));
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
