// The targets of one scrape config: what discoveries tell, relabelled, checked, and told apart into those to read and those to leave.

import type { Relabel } from "../../lib/text/relabel.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { TargetFailure } from "../agent-metrics.ts";
import type { DiscoveredLabels, TargetGroup } from "./discovery.ts";

/** A target that is to be read. */
export interface FoundTarget {
  /** `path:labels`, and the excluded path when there is one: equal targets are read once. */
  readonly key: string;
  readonly pathGlob: string;
  readonly excludeGlob: string;
  /** Without the internal labels that begin with two underscores. */
  readonly labels: LabelSet;
  readonly discovered: DiscoveredLabels;
}

export interface DroppedTarget {
  readonly reason: TargetFailure;
  readonly text: string;
  readonly discovered: DiscoveredLabels;
}

export interface TargetSetChange {
  readonly appeared: readonly FoundTarget[];
  readonly gone: readonly FoundTarget[];
}

export interface TargetSetOptions {
  readonly relabel: Relabel;
  /** What `__host__` has to be, where a target has it. */
  readonly hostname: string;
  /** Counts a target each time it is found and left. */
  readonly onDropped: (reason: TargetFailure) => void;
}

export class TargetSet {
  readonly #options: TargetSetOptions;
  /** Discovery's index and group's source → what became of its targets. Only groups that change are judged again. */
  readonly #groups = new Map<string, readonly Verdict[]>();
  #found = new Map<string, FoundTarget>();
  #dropped: DroppedTarget[] = [];

  constructor(options: TargetSetOptions) {
    this.#options = options;
  }

  get found(): ReadonlyMap<string, FoundTarget> {
    return this.#found;
  }

  get dropped(): readonly DroppedTarget[] {
    return this.#dropped;
  }

  /** Takes changed groups of a discovery and says which targets came and went by it. */
  update(discovery: number, groups: readonly TargetGroup[]): TargetSetChange {
    const changed = new Set<string>();
    for (const { source, targets, labels } of groups) {
      const key = `${discovery}/${source}`;
      changed.add(key);
      if (targets.length === 0) this.#groups.delete(key);
      else
        this.#groups.set(
          key,
          targets.map((target) => judge({ ...labels, ...target }, this.#options)),
        );
    }
    const before = this.#found;
    this.#found = new Map();
    this.#dropped = [];
    for (const [key, verdicts] of this.#groups) for (const verdict of verdicts) this.#add(verdict, before, changed.has(key));
    return {
      appeared: [...this.#found.values()].filter(({ key }) => !before.has(key)),
      gone: [...before.values()].filter(({ key }) => !this.#found.has(key)),
    };
  }

  #add(verdict: Verdict, before: ReadonlyMap<string, FoundTarget>, isNew: boolean): void {
    if ("key" in verdict && !this.#found.has(verdict.key)) {
      this.#found.set(verdict.key, before.get(verdict.key) ?? verdict);
      return;
    }
    const dropped: DroppedTarget =
      "key" in verdict ? { reason: "exists", text: "is the same as another target", discovered: verdict.discovered } : verdict;
    this.#dropped.push(dropped);
    if (isNew) this.#options.onDropped(dropped.reason);
  }
}

type Verdict = FoundTarget | DroppedTarget;

function judge(discovered: DiscoveredLabels, { relabel, hostname }: TargetSetOptions): Verdict {
  const labels = new Map(sortedByName(Object.entries(discovered).filter(([, value]) => value !== "")));
  if (!relabel(labels)) return { reason: "dropped", text: "dropped by a relabel rule", discovered };
  const host = labels.get("__host__");
  if (host !== undefined && host !== hostname)
    return { reason: "wrong_host", text: `belongs to the host ${host}, this one is ${hostname}`, discovered };
  const pathGlob = labels.get("__path__");
  if (pathGlob === undefined) return { reason: "no_path", text: "has no __path__ after relabelling", discovered };
  const excludeGlob = labels.get("__path_exclude__") ?? "";
  const shown = LabelSet.of([...labels].filter(([name]) => !name.startsWith("__")));
  const key = excludeGlob === "" ? `${pathGlob}:${shown}` : `${pathGlob}:${shown}:${excludeGlob}`;
  return { key, pathGlob, excludeGlob, labels: shown, discovered };
}

/** Rules go over labels by their names, which decides where `labelmap` gives one name to several. */
function sortedByName(labels: [string, string][]): [string, string][] {
  return labels.sort(([a], [b]) => (a < b ? -1 : 1));
}
