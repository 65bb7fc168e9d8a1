// One item of `scrape_configs`: what to read (discoveries or another kind of source), how to relabel it, which stages its entries pass.
//
// Blocks that few configurations have are checked by schemas of their own, loaded only when the file has such a block (rare-blocks.ts).

import { z } from "zod";
import { bool, field, goDuration, labels, list, promDuration, text, textList } from "./fields.ts";
import { relabelSchema } from "./relabel-configs.ts";
import { withoutWritten } from "./written.ts";

/** Discoveries that are not built in by default, by their key. */
export const RARE_DISCOVERIES = [
  "kubernetes_sd_configs",
  "docker_sd_configs",
  "consul_sd_configs",
  "consulagent_sd_configs",
  "dns_sd_configs",
  "http_sd_configs",
  "digitalocean_sd_configs",
  "dockerswarm_sd_configs",
  "serverset_sd_configs",
  "nerve_sd_configs",
  "marathon_sd_configs",
  "gce_sd_configs",
  "ec2_sd_configs",
  "openstack_sd_configs",
  "azure_sd_configs",
  "triton_sd_configs",
] as const;

/** Sources of entries that are not files. */
export const RARE_SOURCES = [
  "journal",
  "syslog",
  "gcplog",
  "loki_push_api",
  "windows_events",
  "kafka",
  "azure_event_hubs",
  "gelf",
  "cloudflare",
  "heroku_drain",
] as const;

export type RareBlock = (typeof RARE_DISCOVERIES)[number] | (typeof RARE_SOURCES)[number];

const rareBlocks = () =>
  Object.fromEntries([...RARE_DISCOVERIES, ...RARE_SOURCES].map((key) => [key, z.unknown().optional()])) as Record<
    RareBlock,
    z.ZodOptional<z.ZodUnknown>
  >;

const staticConfigSchema = () => z.strictObject({ targets: textList().optional(), labels: labels().prefault({}) });

/** `a/*.json`, `b.yml`: at most one star, in the last segment. */
const FILE_SD_PATTERN = /^[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/;

const fileSdPath = () =>
  text().refine((path) => FILE_SD_PATTERN.test(path), {
    error: ({ input }) =>
      `path name ${JSON.stringify(input)} is not valid for file discovery: it ends in .json, .yml or .yaml, with at most one *, in the last segment`,
  });

const fileSdSchema = () =>
  z.strictObject({
    files: list(fileSdPath()).refine((files) => files.length > 0, "file service discovery config must contain at least one path name"),
    refresh_interval: promDuration().prefault("5m"),
  });

/** Each stage is a map with one key, checked by the pipeline's own schemas. */
const stages = () =>
  field((value) => {
    if (!Array.isArray(value)) throw new Error("expected a list of stages");
    return withoutWritten(value) as readonly unknown[];
  });

export const scrapeConfigSchema = () =>
  z.strictObject({
    job_name: text().refine((name) => name !== "", "job_name is empty"),
    pipeline_stages: stages().nullish(),
    encoding: text().default(""),
    decompression: z
      .strictObject({
        enabled: bool().default(false),
        initial_delay: goDuration().prefault("0s"),
        format: text().default(""),
      })
      .optional(),
    relabel_configs: list(relabelSchema()).nullish(),
    static_configs: list(staticConfigSchema()).optional(),
    file_sd_configs: list(fileSdSchema()).optional(),
    ...rareBlocks(),
  });

export type ScrapeConfig = z.infer<ReturnType<typeof scrapeConfigSchema>>;
export type StaticConfig = z.infer<ReturnType<typeof staticConfigSchema>>;
export type FileSdConfig = z.infer<ReturnType<typeof fileSdSchema>>;

/** The discoveries of a scrape config that find files; containers are read through Docker's API. Empty lists are there. */
export function fileDiscoveriesOf(scrape: ScrapeConfig): (keyof ScrapeConfig)[] {
  const all: readonly (keyof ScrapeConfig)[] = ["static_configs", "file_sd_configs", ...RARE_DISCOVERIES];
  return all.filter((key) => key !== "docker_sd_configs" && scrape[key] !== undefined);
}
