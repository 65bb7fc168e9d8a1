import type { Counter, Registry } from "prom-client";
import { counter } from "../../metric.ts";

export type JournalError = "no_message" | "empty_labels";
/** Why journalctl was started again. */
export type RestartReason = "exited" | "cursor_refused" | "cursor_too_old";

/** Promtail's metrics of the journal, and our own of what it leaves unsaid. */
export interface JournalMetrics {
  readonly lines: Counter<never>;
  readonly errors: Counter<"error">;
  /** Entries the agent itself has logged, which are not sent. */
  readonly ownEntries: Counter<never>;
  /** Values longer than what is kept of one. */
  readonly cutValues: Counter<never>;
  readonly lostCursors: Counter<never>;
  readonly restarts: Counter<"reason">;
}

export function openJournalMetrics(registry: Registry): JournalMetrics {
  return {
    lines: counter(registry, "promtail_journal_target_lines_total", "Total number of successful journal lines read"),
    errors: counter(
      registry,
      "promtail_journal_target_parsing_errors_total",
      "Total number of parsing errors while reading journal messages",
      ["error"],
    ),
    ownEntries: counter(registry, "promtail_journal_target_own_entries_total", "Journal entries of the agent itself, which are not sent."),
    cutValues: counter(registry, "promtail_journal_target_cut_values_total", "Journal fields of which the end was left out."),
    lostCursors: counter(
      registry,
      "promtail_journal_target_lost_cursors_total",
      "Saved positions whose entry was no longer in the journal, so that entries behind it may be gone too.",
    ),
    restarts: counter(registry, "promtail_journal_target_restarts_total", "How often journalctl was started again.", ["reason"]),
  };
}
