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
  if (journal !== undefined) {
    check("journal", () => readMaxAgeMs((journal as JournalConfig).max_age));
    check("journal", () => parseMatches((journal as JournalConfig).matches));
  }
  if (syslog !== undefined) check("syslog", () => syslogSettings(syslog as SyslogConfig));
  if (gelf !== undefined) check("gelf", () => gelfAddress(gelf as GelfConfig));
  return issues;
}
