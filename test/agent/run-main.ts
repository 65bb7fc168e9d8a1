// `skald agent …` inside the test's own process: exit status, and what was written.

import { vi } from "vitest";
import { main } from "../../agent/main.ts";

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Mocks of the two streams stay until `vi.restoreAllMocks()`. */
export async function runMain(args: readonly string[]): Promise<Ran> {
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += String(text);
      return true;
    });
  }
  return { status: await main(args), ...said };
}
