// What a discovery has told, as a scrape config keeps it.

import { expect } from "vitest";
import type { Discovery, TargetGroup } from "../../../agent/discovery/discovery.ts";

export class Told {
  readonly groups = new Map<string, TargetGroup>();
  updates = 0;

  async start(discovery: Discovery): Promise<Discovery> {
    await discovery.start((groups) => {
      this.updates++;
      for (const group of groups) {
        if (group.targets.length === 0) this.groups.delete(group.source);
        else this.groups.set(group.source, group);
      }
    });
    return discovery;
  }

  /** `source: address address` of each group. */
  get addresses(): string[] {
    return [...this.groups].map(([source, { targets }]) => `${source}: ${targets.map((target) => target.__address__).join(" ")}`).sort();
  }

  async become(addresses: readonly string[]): Promise<void> {
    const isSo = (): boolean => JSON.stringify(this.addresses) === JSON.stringify(addresses);
    for (let tries = 0; tries < 300 && !isSo(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(this.addresses).toEqual(addresses);
  }
}
