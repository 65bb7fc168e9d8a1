// How large a fault test is: small unless `npm run faults -- <test> --<name>=<number>` (scripts/faults.mjs) says otherwise.

import { appendFileSync } from "node:fs";

/** A setting of the running fault test, from the environment variable SKALD_FAULTS_<NAME>. */
export function faultSetting(name: string, small: number): number {
  const text = process.env[`SKALD_FAULTS_${name.toUpperCase().replaceAll("-", "_")}`];
  if (text === undefined) return small;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`--${name}=${text} is not a number`);
  return value;
}

/** Figures for whoever has started the run; written to the file it names. */
export function report(what: string, figures: Readonly<Record<string, string | number>>): void {
  const file = process.env.SKALD_FAULTS_REPORT;
  if (file === undefined) return;
  const text = Object.entries(figures).map(([name, value]) => `${name}=${value}`);
  appendFileSync(file, `${what}: ${text.join(" ")}\n`);
}
