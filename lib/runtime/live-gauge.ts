// Gauges whose values are asked for when metrics are.

import { Gauge, type Registry } from "./metrics.ts";

/** Adds gauges, by name their help text and which of the sizes they show. */
export function addLiveGauges<Sizes extends Readonly<Record<keyof Sizes, number>>>(
  registry: Registry,
  read: () => Sizes,
  gauges: Readonly<Record<string, readonly [help: string, size: keyof Sizes]>>,
): void {
  for (const [name, [help, size]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read()[size]);
      },
    });
  }
}
