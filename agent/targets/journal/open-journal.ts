// `journal`: the systemd journal, with Promtail's keys and labels.

import type { z } from "zod";
import { stderrIsJournal } from "../../../lib/runtime/log-destination.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import type { journalSchema } from "../../config/rare-blocks.ts";
import type { Source, SourceContext } from "../source.ts";
import { EntryBatches } from "./entry-batches.ts";
import { openJournalMetrics } from "./journal-metrics.ts";
import { JournalTarget } from "./journal-target.ts";
import { parseMatches } from "./matches.ts";
import { readMaxAgeMs } from "./start-point.ts";

export type JournalConfig = z.infer<ReturnType<typeof journalSchema>>;

/** A value of any length is gathered up to this, unless `max_line_size` says less. */
const VALUE_BYTES_MAX = 16 * 1024 * 1024;

/** @param program stands in for journalctl, for tests. @throws Error for a setting that cannot be read, or when journalctl is missing */
export async function openJournal(config: JournalConfig, context: SourceContext, program = "journalctl"): Promise<Source> {
  const { jobName, relabel, intake, positions, registry, clock, log, lineBytesMax } = context;
  const metrics = openJournalMetrics(registry);
  const entries = new EntryBatches({
    relabel,
    labels: config.labels,
    json: config.json,
    own: config.include_own_entries ? [] : ownFields(),
    metrics,
    onDropped: (error, cursor) => log.debug({ reason: error, cursor }, "journal entry not sent"),
  });
  const matches = parseMatches(config.matches);
  const maxAgeMs = readMaxAgeMs(config.max_age);
  // A former reader of this journal, stopped by a reload, tells how far it has come.
  await positions.sync();
  const target = new JournalTarget(
    {
      program,
      reading: { directory: config.path, namespace: config.namespace, matches },
      maxAgeMs,
      positionKey: `cursor-${jobName}`,
      legacyPositionKey: `journal-${jobName}`,
      labels: LabelSet.fromObject(config.labels),
      // One byte past the limit, so that the line is seen to be too long where that is judged.
      valueBytesMax: lineBytesMax > 0 ? lineBytesMax + 1 : VALUE_BYTES_MAX,
      intake,
      positions,
      metrics,
      clock,
      log,
      random: Math.random,
    },
    entries,
  );
  await target.open();
  return { targets: [target], dropped: [], stop: () => target.stop() };
}

/**
 * What the agent itself logs under systemd would come back as an entry, and be told of in the log again. Where its log does not go to
 * the journal it has no entries, and its process id may be another's: in a container it is not the machine's.
 */
function ownFields(): readonly (readonly [string, string])[] {
  if (!stderrIsJournal()) return [];
  const invocation = process.env.INVOCATION_ID;
  return [["_PID", String(process.pid)], ...(invocation ? [["_SYSTEMD_INVOCATION_ID", invocation] as const] : [])];
}
