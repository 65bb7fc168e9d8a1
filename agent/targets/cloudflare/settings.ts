import type { z } from "zod";
import type { cloudflareSchema } from "../../config/rare-blocks.ts";
import { fieldsOf } from "./fields.ts";

export type CloudflareConfig = z.infer<ReturnType<typeof cloudflareSchema>>;

export interface CloudflareSettings {
  readonly token: string;
  readonly zone: string;
  readonly pullRangeMs: number;
  readonly workers: number;
  readonly fields: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const PULL_RANGE_MS = 60_000;
const WORKERS = 3;
/** Cloudflare answers so many requests of a zone in a minute; more at a time are refused. */
const WORKERS_MAX = 60;

/** @throws Error naming the key that is missing or wrong */
export function cloudflareSettings(config: CloudflareConfig): CloudflareSettings {
  if (config.api_token === "") throw new Error("api_token is empty: cloudflare api token is required");
  if (config.zone_id === "") throw new Error("zone_id is empty: cloudflare zone id is required");
  if (config.workers > WORKERS_MAX) throw new Error(`workers: ${config.workers} is more than ${WORKERS_MAX}`);
  if (config.pull_range > 0 && config.pull_range < 1_000) throw new Error("pull_range: less than a second");
  return {
    token: config.api_token,
    zone: config.zone_id,
    pullRangeMs: config.pull_range || PULL_RANGE_MS,
    workers: config.workers || WORKERS,
    fields: fieldsOf(config.fields_type, config.additional_fields),
    labels: config.labels,
  };
}
