// The source of a scrape config, if it has one. Each is loaded only when it is configured.

import { fileDiscoveriesOf, type RareBlock, type ScrapeConfig } from "../config/scrape-config.ts";
import type { OpenSource, Source, SourceContext } from "./source.ts";

const SOURCES: Readonly<Partial<Record<RareBlock, () => Promise<OpenSource>>>> = {
  journal: async () => (await import("./journal/open-journal.ts")).openJournal,
  syslog: async () => (await import("./syslog/open-syslog.ts")).openSyslog,
  gcplog: async () => (await import("./gcplog/open-gcplog.ts")).openGcplog,
  loki_push_api: async () => (await import("./push/open-push.ts")).openLokiPush,
  kafka: async () => (await import("./kafka/open-kafka.ts")).openKafka,
  azure_event_hubs: async () => (await import("./azure-event-hubs/open-azure-event-hubs.ts")).openAzureEventHubs,
  gelf: async () => (await import("./gelf/open-gelf.ts")).openGelf,
  cloudflare: async () => (await import("./cloudflare/open-cloudflare.ts")).openCloudflare,
  docker_sd_configs: async () => (await import("./docker/open-docker.ts")).openDocker,
  heroku_drain: async () => (await import("./heroku/open-heroku.ts")).openHerokuDrain,
};

/** The blocks that name a source, in the order Promtail looks for them: the first that is there is read. */
export const SOURCE_KEYS = Object.keys(SOURCES) as readonly RareBlock[];

/** The source that is read; none where files are, whatever stands beside them. */
export function sourceKeyOf(scrape: ScrapeConfig): RareBlock | undefined {
  return fileDiscoveriesOf(scrape).length > 0 ? undefined : SOURCE_KEYS.find((key) => scrape[key] !== undefined);
}

/** @throws Error when the source cannot begin */
export async function openSource(key: RareBlock, scrape: ScrapeConfig, context: SourceContext): Promise<Source> {
  const open = await SOURCES[key]!();
  return open(scrape[key] as never, context);
}
