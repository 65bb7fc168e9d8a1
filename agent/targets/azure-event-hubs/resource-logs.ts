// Azure Monitor's resource logs: a message is `{"records": [ … ]}`, each record an entry of its own.
// https://learn.microsoft.com/azure/azure-monitor/essentials/resource-logs-schema

import { compileTimestampFormat } from "../../../lib/text/go-time.ts";
import type { ParsedEntry, ParsedMessage } from "../kafka/messages.ts";
import { elementsOf } from "./raw-elements.ts";

const CATEGORY_LABEL = "__azure_event_hubs_category";
const readTime = compileTimestampFormat("RFC3339");

/**
 * The records of a message, as they are written. What does not follow the schema is custom: a whole message or a record of it, sent as it
 * is, or refused when `disallowCustom`.
 */
export function parseResourceLogs(value: Buffer, disallowCustom: boolean): ParsedMessage {
  const records = recordsOf(value.toString("utf8"));
  if (records === undefined) return custom(value, disallowCustom);
  const entries: ParsedEntry[] = [];
  for (const record of records) {
    const entry = entryOf(record);
    if (entry !== undefined) entries.push(entry);
    else if (!disallowCustom) entries.push({ line: Buffer.from(record) });
  }
  return { entries, refusedCount: records.length - entries.length };
}

function custom(line: Buffer, disallowCustom: boolean): ParsedMessage {
  return disallowCustom ? { entries: [], refusedCount: 1 } : { entries: [{ line }], refusedCount: 0 };
}

/** Undefined when there are none. */
function recordsOf(text: string): string[] | undefined {
  // Some of Azure's services have written single quotes.
  const json = [text, text.replaceAll("'", '"')].find(isJson);
  if (json === undefined) return undefined;
  const records = elementsOf(json, "records");
  return records === undefined || records.length === 0 ? undefined : records;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function entryOf(record: string): ParsedEntry | undefined {
  const parsed = JSON.parse(record) as unknown;
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { category, resourceId, operationName, time, timeStamp } = parsed as Record<string, unknown>;
  const when = isText(time) ? time : timeStamp;
  if (!isText(category) || !isText(resourceId) || !isText(operationName) || !isText(when)) return undefined;
  const read = readTime(when, 0);
  return {
    line: Buffer.from(record),
    labels: [[CATEGORY_LABEL, category]],
    time: read === null ? undefined : [read.sec, read.nanos],
  };
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
