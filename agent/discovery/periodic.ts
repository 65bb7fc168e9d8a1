// A discovery that asks again and again. What it can't be told now stays as it was told before.

import { type Clock, systemClock, TIMER_MS_MAX, within } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { Discovery, TargetGroup } from "./discovery.ts";

const INTERVAL_MS_MIN = 1_000;
/** What a start waits for an answer at most. */
export const FIRST_ANSWER_MS = 3_000;

export interface PeriodicOptions {
  readonly kind: string;
  readonly intervalMs: number;
  /**
   * Every group there is; those that were told before and are missing are withdrawn, but for `kept`, sources that could not be asked
   * this time. @throws Error to keep all of them
   */
  readonly ask: (signal: AbortSignal) => Promise<{ readonly groups: readonly TargetGroup[]; readonly kept?: readonly string[] }>;
  readonly close?: () => void;
  readonly log: Log;
  readonly clock?: Clock | undefined;
}

export class PeriodicDiscovery implements Discovery {
  readonly kind: string;
  readonly #options: PeriodicOptions;
  readonly #stop = new AbortController();
  /** What was told, by source, as text. */
  readonly #told = new Map<string, string>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: PeriodicOptions) {
    this.kind = options.kind;
    this.#options = options;
  }

  /** Waits a little for the first answer, so that a reload finds the targets that are open already; who is asked may be away. */
  async start(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    const first = this.#askOnce(update);
    this.#work = first.then(() => this.#repeat(update));
    await within(first, FIRST_ANSWER_MS, this.#options.clock ?? systemClock);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    this.#options.close?.();
  }

  async #repeat(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    const { intervalMs, clock = systemClock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(Math.min(Math.max(intervalMs, INTERVAL_MS_MIN), TIMER_MS_MAX), signal);
      if (!signal.aborted) await this.#askOnce(update);
    }
  }

  /** Never rejects. */
  async #askOnce(update: (groups: readonly TargetGroup[]) => void): Promise<void> {
    const { kind, ask, log } = this.#options;
    const { signal } = this.#stop;
    try {
      const { groups, kept = [] } = await ask(signal);
      const changed = this.#changed(groups, new Set(kept));
      if (changed.length > 0 && !signal.aborted) update(changed);
    } catch (error) {
      if (!signal.aborted) log.error({ discovery: kind, error: messageOf(error) }, "targets not found out, the former ones stay");
    }
  }

  #changed(groups: readonly TargetGroup[], kept: ReadonlySet<string>): TargetGroup[] {
    const changed: TargetGroup[] = [];
    const sources = new Set(groups.map(({ source }) => source));
    for (const group of groups) {
      const text = JSON.stringify(group);
      if (this.#told.get(group.source) === text) continue;
      this.#told.set(group.source, text);
      changed.push(group);
    }
    for (const source of [...this.#told.keys()]) {
      if (sources.has(source) || kept.has(source)) continue;
      this.#told.delete(source);
      changed.push({ source, targets: [], labels: {} });
    }
    return changed;
  }
}
