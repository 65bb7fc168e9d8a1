// The whole Promtail configuration file, `spool` and `backlog`. Strict: a key that is not here is refused with its position.

import { z } from "zod";
import { clientSchema } from "./clients.ts";
import { list } from "./fields.ts";
import { scrapeConfigSchema } from "./scrape-config.ts";
import { serverSchema } from "./server.ts";
import {
  backlogSchema,
  globalSchema,
  limitsSchema,
  optionsSchema,
  positionsSchema,
  spoolSchema,
  targetConfigSchema,
  tracingSchema,
  walSchema,
} from "./small-blocks.ts";

export const agentSchema = () =>
  z.strictObject({
    global: globalSchema().prefault({}),
    server: serverSchema().prefault({}),
    client: clientSchema().optional(),
    clients: list(clientSchema()).prefault([]),
    positions: positionsSchema().prefault({}),
    spool: spoolSchema().prefault({}),
    backlog: backlogSchema().prefault({}),
    scrape_configs: list(scrapeConfigSchema()).prefault([]),
    target_config: targetConfigSchema().prefault({}),
    limits_config: limitsSchema().prefault({}),
    options: optionsSchema().prefault({}),
    tracing: tracingSchema().prefault({}),
    wal: walSchema().prefault({}),
  });

export type AgentConfig = z.infer<ReturnType<typeof agentSchema>>;
