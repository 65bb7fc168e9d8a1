// Settings of sources that their schemas take, as Promtail's do, and with which they could not be opened.

import type { ConfigIssue, ConfigPath } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { type AzureEventHubsConfig, azureSettings } from "../targets/azure-event-hubs/settings.ts";
import { type CloudflareConfig, cloudflareSettings } from "../targets/cloudflare/settings.ts";
import { type GelfConfig, gelfAddress } from "../targets/gelf/settings.ts";
import { parseMatches } from "../targets/journal/matches.ts";
import type { JournalConfig } from "../targets/journal/open-journal.ts";
import { readMaxAgeMs } from "../targets/journal/start-point.ts";
import { type KafkaConfig, kafkaSettings } from "../targets/kafka/settings.ts";
import { sourceKeyOf } from "../targets/open-sources.ts";
import { type SyslogConfig, syslogSettings, syslogWarnings } from "../targets/syslog/settings.ts";
import type { RareBlock, ScrapeConfig } from "./scrape-config.ts";

/** Only the source that is read is looked at: the others are not opened. */
export function sourceRefusals(scrape: ScrapeConfig, path: ConfigPath): ConfigIssue[] {
  const { journal, syslog, gelf, kafka, azure_event_hubs: azure, cloudflare } = scrape;
  const issues: ConfigIssue[] = [];
  const read = sourceKeyOf(scrape);
  const check = (key: RareBlock, attempt: () => unknown): void => {
    if (key !== read) return;
    try {
      attempt();
    } catch (error) {
      issues.push({ severity: "error", path: [...path, key], message: `${key}.${messageOf(error)}` });
    }
  };
  if (isRead<JournalConfig>(journal, "max_age", "matches")) {
    check("journal", () => readMaxAgeMs(journal.max_age));
    check("journal", () => parseMatches(journal.matches));
  }
  if (isReadSyslog(syslog)) check("syslog", () => syslogSettings(syslog));
  if (isRead<GelfConfig>(gelf, "listen_address")) check("gelf", () => gelfAddress(gelf));
  if (isRead<KafkaConfig>(kafka, "group_id", "version", "assignor") && areLists(kafka.brokers, kafka.topics)) {
    check("kafka", () => kafkaSettings(kafka));
  }
  if (isRead<AzureEventHubsConfig>(azure, "connection_string", "fully_qualified_namespace") && areLists(azure.event_hubs)) {
    check("azure_event_hubs", () => azureSettings(azure));
  }
  if (isRead<CloudflareConfig>(cloudflare, "api_token", "zone_id", "fields_type") && areLists(cloudflare.additional_fields)) {
    check("cloudflare", () => cloudflareSettings(cloudflare));
  }
  return issues;
}

export function sourceWarnings(scrape: ScrapeConfig, path: ConfigPath): ConfigIssue[] {
  const { syslog } = scrape;
  if (sourceKeyOf(scrape) !== "syslog" || !isReadSyslog(syslog)) return [];
  return syslogWarnings(syslog).map((text) => ({ severity: "warning", path: [...path, "syslog"], message: `syslog.${text}` }));
}

const isReadSyslog = (block: unknown): block is SyslogConfig =>
  isRead<SyslogConfig>(block, "listen_address", "listen_protocol", "syslog_format");

/** Whether the schema has read the block: one with a fault, of which the schema tells, is there as it was written. */
function isRead<Block>(block: unknown, ...texts: (keyof Block & string)[]): block is Block {
  return block !== undefined && texts.every((key) => typeof (block as Record<string, unknown>)[key] === "string");
}

const areLists = (...values: readonly unknown[]): boolean => values.every(Array.isArray);
