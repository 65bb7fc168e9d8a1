// A ruler over temporary folders, with a clock that tests move and a query that answers what they say.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { rulerSchema } from "../../../server/config/ruler.ts";
import type { Sample } from "../../../server/ruler/query.ts";
import { openRuler, type Ruler } from "../../../server/ruler/ruler.ts";
import { silentLog } from "../../silent-log.ts";

export const START = Date.UTC(2026, 0, 1);

export interface RulerLab {
  readonly folder: string;
  readonly clock: ReturnType<typeof manualClock>;
  readonly asked: { tenant: string; expr: string; timeMs: number }[];
  /** What every query answers; an error is thrown. */
  answer: (expr: string) => readonly Sample[] | Error;
  registry: Registry;
  /** A ruler over the same folders: after the former was closed, a restart. */
  open(config?: object, limits?: object, rulesReadOnly?: boolean): Promise<Ruler>;
  /** Moves the clock in steps of a second, so that evaluations take place when they are due. */
  pass(seconds: number): Promise<void>;
  close(): Promise<void>;
}

export function rulerLab(startMs = START): RulerLab {
  const folder = mkdtempSync(join(tmpdir(), "skald-ruler-"));
  const clock = manualClock(startMs);
  const open: Ruler[] = [];
  const lab: RulerLab = {
    folder,
    clock,
    asked: [],
    answer: () => [{ labels: { names: ["job"], values: ["a"] }, value: 1 }],
    registry: new Registry(),
    async open(config = {}, limits = {}, rulesReadOnly = false) {
      lab.registry = new Registry();
      const ruler = await openRuler({
        config: rulerSchema.parse(config),
        limitsOf: () => limitsSchema.parse(limits),
        query: async (tenant, expr, timeMs) => {
          lab.asked.push({ tenant, expr, timeMs });
          const answer = lab.answer(expr);
          if (answer instanceof Error) throw answer;
          return answer;
        },
        folders: { rules: join(folder, "rules"), rulesReadOnly, alerts: join(folder, "alerts"), samples: join(folder, "samples") },
        clock,
        log: silentLog,
        registry: lab.registry,
      });
      open.push(ruler);
      return ruler;
    },
    async pass(seconds) {
      for (let second = 0; second < seconds; second++) {
        await clock.advance(1000);
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async close() {
      await Promise.all(open.map((ruler) => ruler.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}
