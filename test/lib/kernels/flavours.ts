// Both flavours of the kernels, and a way to run the same case on both.

import { expect } from "vitest";
import { type Kernels, kernels, MalformedInput } from "../../../lib/kernels/index.ts";
import { typescriptKernels } from "../../../lib/kernels/kernels-typescript.ts";
import { type Random, seeded } from "./random.ts";

export const wasm: Kernels = kernels;
export const twin: Kernels = typescriptKernels;

/** Runs `rounds` random cases, each from a seed of its own, which is in the message of what fails. SKALD_FUZZ_SEED moves the start. */
export function fuzz(rounds: number, run: (random: Random) => void): void {
  const first = Number(process.env.SKALD_FUZZ_SEED ?? 1);
  for (let seed = first; seed < first + rounds; seed++) {
    try {
      run(seeded(seed));
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
}

/** What a call came to: its result, or the text of its MalformedInput. Any other error is passed on. */
export function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    if (error instanceof MalformedInput) return error.message;
    throw error;
  }
}

/** Both flavours come to the same. `call` returns copies, since results of a kernel are overwritten by the next. */
export function agree<T>(call: (flavour: Kernels) => T): T | string {
  const ours = outcome(() => call(wasm));
  expect(ours).toEqual(outcome(() => call(twin)));
  return ours;
}

/** `bytes` in the middle of other bytes at an odd address, in kernel memory every second time. */
export function misplaced(random: Random, bytes: Uint8Array): Uint8Array {
  const before = random.below(32);
  const room = bytes.length + 80;
  const block = random.chance(0.5) ? residents[turn++ % 2]!.subarray(0, room) : new Uint8Array(room);
  if (block.length < room) return bytes;
  block.fill(random.pick([0, 10, 34, 255]));
  block.set(bytes, before);
  return block.subarray(before, before + bytes.length);
}

// Two in turn, so that a case can have two things there.
const residents = [wasm.allocate(1 << 20), wasm.allocate(1 << 20)];
let turn = 0;
