// The blocks `clients` and `client`: where entries are pushed.

import { createHash } from "node:crypto";
import { z } from "zod";
import { once } from "../../lib/runtime/once.ts";
import { bool, byteSize, goDuration, int, text, url, wholeTextMap } from "./fields.ts";
import { backoffSchema, httpClientFaults, httpClientFields } from "./http-client.ts";

/** Ours: where entries are kept that a server refuses for good. */
const deadLetterSchema = () =>
  z.strictObject({
    path: text().refine((path) => path !== "", "path is empty: name a file"),
    max_bytes: byteSize().prefault("100MB"),
  });

export const clientSchema = once(() =>
  z
    .strictObject({
      name: text().default(""),
      url: url().default(""),
      tenant_id: text().default(""),
      batchwait: goDuration().prefault("1s"),
      batchsize: int().default(1_048_576),
      headers: wholeTextMap().optional(),
      backoff_config: backoffSchema({ min: "500ms", max: "5m", retries: 10 }, int()).prefault({}),
      drop_rate_limited_batches: bool().default(false),
      external_labels: wholeTextMap().prefault({}),
      timeout: goDuration().prefault("10s"),
      stream_lag_labels: text().optional(),
      /** Ours: nobody waits for this client, and what it misses is counted. */
      optional: bool().default(false),
      dead_letter: deadLetterSchema().optional(),
      ...httpClientFields(),
    })
    .superRefine((client, context) => {
      for (const message of httpClientFaults(client)) context.addIssue({ code: "custom", message });
    }),
);

export type ClientConfig = z.infer<ReturnType<typeof clientSchema>>;

/** The name, or what stands for it: the first six hexadecimal digits of a SHA-256 of the configuration. */
export function nameOfClient(client: ClientConfig): string {
  return client.name !== "" ? client.name : createHash("sha256").update(JSON.stringify(client)).digest("hex").slice(0, 6);
}
