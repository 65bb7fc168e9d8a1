// Settings of sources that their schemas take, as Promtail's do, and with which they could not be opened.

import type { ConfigIssue, ConfigPath } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { type GelfConfig, gelfAddress } from "../targets/gelf/settings.ts";
import { parseMatches } from "../targets/journal/matches.ts";
import type { JournalConfig } from "../targets/journal/open-journal.ts";
import { readMaxAgeMs } from "../targets/journal/start-point.ts";
import { type SyslogConfig, syslogSettings } from "../targets/syslog/settings.ts";
import type { ScrapeConfig } from "./scrape-config.ts";

export function sourceRefusals({ journal, syslog, gelf }: ScrapeConfig, path: ConfigPath): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const check = (key: string, attempt: () => unknown): void => {
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
  if (isRead<SyslogConfig>(syslog, "listen_address", "listen_protocol", "syslog_format")) check("syslog", () => syslogSettings(syslog));
  if (isRead<GelfConfig>(gelf, "listen_address")) check("gelf", () => gelfAddress(gelf));
  return issues;
}

/** Whether the schema has read the block: one with a fault, of which the schema tells, is there as it was written. */
function isRead<Block>(block: unknown, ...texts: (keyof Block & string)[]): block is Block {
  return block !== undefined && texts.every((key) => typeof (block as Record<string, unknown>)[key] === "string");
}
