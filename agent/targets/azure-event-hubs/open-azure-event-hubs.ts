import { openGroupSource } from "../kafka/open-kafka.ts";
import type { Source, SourceContext } from "../source.ts";
import { parseResourceLogs } from "./resource-logs.ts";
import { type AzureEventHubsConfig, azureSettings } from "./settings.ts";

/** @throws Error naming the key that is missing */
export async function openAzureEventHubs(config: AzureEventHubsConfig, context: SourceContext): Promise<Source> {
  const { disallow_custom_messages: disallowCustom } = config;
  return openGroupSource("Azure Event Hubs", azureSettings(config), (value) => parseResourceLogs(value, disallowCustom), context);
}
