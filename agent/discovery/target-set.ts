// The targets of one scrape config: what discoveries tell, relabelled, checked, and told apart into those to read and those to leave.

import { LabelSet } from "../../lib/wire/labels.ts";
import type { TargetFailure } from "../agent-metrics.ts";
import type { Relabel } from "../relabel.ts";
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
  /** Discovery's index and group's source → group. */
  readonly #groups = new Map<string, TargetGroup>();
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
    for (const group of groups) {
      const key = `${discovery}/${group.source}`;
      if (group.targets.length === 0) this.#groups.delete(key);
      else this.#groups.set(key, group);
    }
    const before = this.#found;
    this.#found = new Map();
    this.#dropped = [];
    for (const group of this.#groups.values()) for (const target of group.targets) this.#judge({ ...group.labels, ...target });
    for (const [key, target] of before) if (this.#found.has(key)) this.#found.set(key, target);
    return {
      appeared: [...this.#found.values()].filter(({ key }) => !before.has(key)),
      gone: [...before.values()].filter(({ key }) => !this.#found.has(key)),
    };
  }

  #judge(discovered: DiscoveredLabels): void {
    const verdict = judge(discovered, this.#options);
    const left =
      "reason" in verdict
        ? verdict
        : this.#found.has(verdict.key)
          ? ({ reason: "exists", text: "is the same as another target" } as const)
          : undefined;
    if (left !== undefined) {
      this.#dropped.push({ ...left, discovered });
      this.#options.onDropped(left.reason);
    } else if ("key" in verdict) this.#found.set(verdict.key, verdict);
  }
}

function judge(discovered: DiscoveredLabels, { relabel, hostname }: TargetSetOptions): FoundTarget | Omit<DroppedTarget, "discovered"> {
  const labels = new Map(Object.entries(discovered).filter(([, value]) => value !== ""));
  if (!relabel(labels)) return { reason: "dropped", text: "dropped by a relabel rule" };
  const host = labels.get("__host__");
  if (host !== undefined && host !== hostname)
    return { reason: "wrong_host", text: `belongs to the host ${host}, this one is ${hostname}` };
  const pathGlob = labels.get("__path__");
  if (pathGlob === undefined) return { reason: "no_path", text: "has no __path__ after relabelling" };
  const excludeGlob = labels.get("__path_exclude__") ?? "";
  const shown = LabelSet.of([...labels].filter(([name]) => !name.startsWith("__")));
  const key = excludeGlob === "" ? `${pathGlob}:${shown}` : `${pathGlob}:${shown}:${excludeGlob}`;
  return { key, pathGlob, excludeGlob, labels: shown, discovered };
}
