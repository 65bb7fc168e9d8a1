import type { Source, SourceContext } from "../source.ts";
import { openCluster } from "./cluster.ts";
import { KafkaSource } from "./kafka-source.ts";
import { Messages, type ParseMessage, parsePlain } from "./messages.ts";
import { type KafkaConfig, type KafkaSettings, kafkaSettings } from "./settings.ts";

/** @throws Error for a block that Promtail would refuse. Brokers that are away are waited for. */
export async function openKafka(config: KafkaConfig, context: SourceContext): Promise<Source> {
  return openGroupSource("Kafka", kafkaSettings(config), parsePlain, context);
}

export function openGroupSource(kind: string, settings: KafkaSettings, parse: ParseMessage, context: SourceContext): Source {
  const { relabel, registry, clock, log, intake, onTargetsChanged, onTargetFailed } = context;
  for (const warning of settings.warnings) log.warn({ group: settings.groupId }, warning);
  const { labels, useIncomingTimestamp, groupId, choose } = settings;
  return new KafkaSource({
    kind,
    cluster: openCluster(settings, log),
    groupId,
    choose,
    messages: new Messages({ relabel, labels, useIncomingTimestamp, parse, registry, clock }),
    intake,
    clock,
    log,
    random: Math.random,
    onTargetsChanged,
    onTargetFailed,
  });
}
