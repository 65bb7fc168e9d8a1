// `skald agent presets [NAME…]`: lists the pipelines that come with the program, or prints them, to be used by name or copied.

import { messageOf } from "../lib/runtime/invariant.ts";
import { presetNames, readPreset } from "../pipelines/presets.ts";

const USAGE = `usage: skald agent presets [NAME…]

Lists the presets, or prints the stages of those named. In a scrape config:

  pipeline_stages:
    - preset: nginx

Exit status: 0, or 2 for an unknown name.
`;
const WRONG_USE = 2;

export async function presetsCommand(args: readonly string[]): Promise<number> {
  if (args.some((arg) => /^--?h(elp)?$/.test(arg))) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    const presets = (args.length > 0 ? args : presetNames()).map(readPreset);
    const width = Math.max(...presets.map(({ name }) => name.length));
    for (const { name, text, summary } of presets) {
      process.stdout.write(args.length > 0 ? text : `${name.padEnd(width)}  ${summary}\n`);
    }
    return 0;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${USAGE}`);
    return WRONG_USE;
  }
}
