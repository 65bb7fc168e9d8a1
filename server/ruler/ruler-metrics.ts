// Counters and gauges of rules, notifications and remote write, under the names Loki has them (it puts `loki_` before Prometheus').

import { Counter, Gauge, type Registry, Summary } from "prom-client";

/** Of a group: its tenant, and `namespace;group`, empty when ruler.disable_rule_group_label is set. */
export interface GroupLabels {
  readonly user: string;
  readonly rule_group: string;
}

export type RulerMetrics = ReturnType<typeof createRulerMetrics>;

const GROUP_LABELS = ["user", "rule_group"] as const;

export function createRulerMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const summary = (name: string, help: string): Summary =>
    new Summary({ name, help, percentiles: [0.5, 0.9, 0.99], maxAgeSeconds: 600, ageBuckets: 5, registers });
  const remote = (what: string, help: string) => counter(`loki_ruler_wal_prometheus_remote_storage_${what}`, help, ["tenant", "rw_client"]);
  const ofGroups = {
    evaluations: counter("loki_prometheus_rule_evaluations_total", "Rules evaluated.", GROUP_LABELS),
    evaluationFailures: counter("loki_prometheus_rule_evaluation_failures_total", "Rules whose evaluation failed.", GROUP_LABELS),
    iterations: counter("loki_prometheus_rule_group_iterations_total", "Evaluations of groups, those missed included.", GROUP_LABELS),
    iterationsMissed: counter(
      "loki_prometheus_rule_group_iterations_missed_total",
      "Evaluations of groups left out because the one before took too long.",
      GROUP_LABELS,
    ),
    groupInterval: gauge("loki_prometheus_rule_group_interval_seconds", "How often a group is evaluated.", GROUP_LABELS),
    groupRules: gauge("loki_prometheus_rule_group_rules", "Rules in a group.", GROUP_LABELS),
    groupLastDuration: gauge("loki_prometheus_rule_group_last_duration_seconds", "How long a group's last evaluation took.", GROUP_LABELS),
    groupLastTime: gauge("loki_prometheus_rule_group_last_evaluation_timestamp_seconds", "When a group was evaluated last.", GROUP_LABELS),
    groupLastSamples: gauge(
      "loki_prometheus_rule_group_last_evaluation_samples",
      "Samples that a group's last evaluation recorded.",
      GROUP_LABELS,
    ),
  };
  return {
    ...ofGroups,
    /** A group is gone. */
    forgetGroup(labels: GroupLabels): void {
      for (const metric of Object.values(ofGroups)) metric.remove({ ...labels });
    },
    evaluationSeconds: summary("loki_prometheus_rule_evaluation_duration_seconds", "How long rules took to evaluate."),
    groupSeconds: summary("loki_prometheus_rule_group_duration_seconds", "How long groups took to evaluate."),
    reloadSuccessful: gauge("loki_ruler_config_last_reload_successful", "1 when a tenant's rules were all read the last time.", ["user"]),
    notificationsSent: counter("loki_prometheus_notifications_sent_total", "Alerts sent.", ["user", "alertmanager"]),
    notificationErrors: counter("loki_prometheus_notifications_errors_total", "Alerts in requests that failed.", ["user", "alertmanager"]),
    notificationsDropped: counter("loki_prometheus_notifications_dropped_total", "Alerts that no Alertmanager took.", ["user"]),
    notificationQueue: gauge("loki_prometheus_notifications_queue_length", "Alerts that wait to be sent.", ["user"]),
    notificationCapacity: gauge("loki_prometheus_notifications_queue_capacity", "Alerts that may wait to be sent.", ["user"]),
    alertmanagers: gauge("loki_prometheus_notifications_alertmanagers_discovered", "Alertmanagers known.", ["user"]),
    samplesAppended: counter("loki_ruler_wal_samples_appended_total", "Samples that rules recorded.", ["tenant"]),
    walBytes: gauge("loki_ruler_wal_disk_size", "Bytes of samples on disk that wait to be sent.", ["tenant", "rw_client"]),
    walCorruptions: counter("loki_ruler_wal_corruptions_total", "Damaged places in the queues of samples.", ["tenant"]),
    samplesSent: remote("samples_total", "Samples that the remote has taken."),
    samplesFailed: remote("samples_failed_total", "Samples that the remote has refused for good, or that could not be written to disk."),
    samplesRetried: remote("samples_retried_total", "Samples sent again after a failure that may pass."),
    samplesDropped: remote("samples_dropped_total", "Samples given up: too old, or more than the disk may hold."),
    samplesPending: new Gauge({
      name: "loki_ruler_wal_prometheus_remote_storage_samples_pending",
      help: "Samples that wait to be sent.",
      labelNames: ["tenant", "rw_client"],
      registers,
    }),
  };
}
