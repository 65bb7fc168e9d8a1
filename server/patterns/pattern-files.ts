// Patterns on disk: one file per tenant, written whole and put in place at once. What is learnt from lines can be learnt again, so a file
// that cannot be read is no reason not to start: it is logged and left out.
//
//   file   := header line*
//   header := {"version":1,"tenant":"…"}
//   line   := {"labels":{…},"level":"…","clusters":[[tokens, layout, any steps, size, [sec, count, sec, count …]] …]}    one stream and level

import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import { replaceFile } from "../../lib/runtime/replace-file.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { Drain } from "./drain.ts";

const VERSION = 1;
const SUFFIX = ".patterns";
/** Larger files were not written here. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

const header = z.object({ version: z.literal(VERSION), tenant: z.string() });
const whole = z.number().int().nonnegative();
const cluster = z.tuple([
  z.array(z.string()),
  z.union([z.literal("pairs"), z.array(z.number().int())]),
  z.array(whole),
  whole,
  z.array(whole),
]);
const line = z.object({ labels: z.record(z.string(), z.string()), level: z.string(), clusters: z.array(cluster) });

/** The patterns of a stream's lines of one level. */
export interface KeptPatterns {
  readonly labels: LabelSet;
  readonly level: string;
  readonly drain: Drain;
}

export async function writePatterns(folder: string, tenant: string, patterns: Iterable<KeptPatterns>): Promise<void> {
  const parts = [JSON.stringify({ version: VERSION, tenant })];
  for (const kept of patterns) {
    parts.push(lineOf(kept));
    // Pushes and queries go on in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await mkdir(folder, { recursive: true });
  await replaceFile(fileOf(folder, tenant), `${parts.join("\n")}\n`);
}

export async function removePatterns(folder: string, tenant: string): Promise<void> {
  await rm(fileOf(folder, tenant), { force: true });
}

/** @param drainOf where patterns go, undefined when there are too many */
export async function readPatterns(
  folder: string,
  drainOf: (tenant: string, labels: LabelSet, level: string) => Drain | undefined,
  log: Log,
): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    // A write that was interrupted leaves its file aside.
    if (name.includes(`${SUFFIX}.tmp-`)) await rm(path, { force: true });
    if (!name.endsWith(SUFFIX)) continue;
    try {
      const { size } = await stat(path);
      if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes, at most ${FILE_BYTES_MAX} are read`);
      restore(await readFile(path, "utf8"), drainOf);
    } catch (error) {
      log.warn({ path, error: messageOf(error) }, "patterns of before cannot be read and are learnt anew");
    }
  }
}

function lineOf({ labels, level, drain }: KeptPatterns): string {
  const clusters = [...drain.clusters()].map(
    (kept): z.infer<typeof cluster> => [
      kept.tokens,
      kept.layout === "pairs" ? kept.layout : [...kept.layout],
      drain.anySteps(kept),
      kept.size,
      [...kept.samples].flat(),
    ],
  );
  return JSON.stringify({ labels: Object.fromEntries(labels), level, clusters } satisfies z.infer<typeof line>);
}

function restore(text: string, drainOf: (tenant: string, labels: LabelSet, level: string) => Drain | undefined): void {
  const [first = "", ...lines] = text.trimEnd().split("\n");
  const { tenant } = header.parse(JSON.parse(first));
  for (const item of lines) {
    const { labels, level, clusters } = line.parse(JSON.parse(item));
    const drain = drainOf(tenant, LabelSet.fromObject(labels), level);
    for (const [tokens, layout, anySteps, size, flat] of clusters) {
      const samples = new Map<number, number>();
      for (let i = 0; i + 1 < flat.length; i += 2) samples.set(flat[i]!, flat[i + 1]!);
      drain?.restore({ tokens, layout, size, samples }, anySteps);
    }
  }
}

function fileOf(folder: string, tenant: string): string {
  return join(folder, `${encodeURIComponent(tenant)}${SUFFIX}`);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
