// Answers of queries as Loki's JSON, in pieces, so that a large answer is never one string.

import { sortInSteps } from "../../lib/runtime/turns.ts";
import type { QueryAnswer, QueryData } from "../query/engine.ts";
import type { KeptEntry, LogPartial } from "../query/entry-keeper.ts";
import { formatGoFloat } from "../query/go-number.ts";
import type { Series } from "../query/range-aggregate.ts";
import type { ScanStats } from "../query/scan-control.ts";
import { compareResultLabels, labelsKey, type ResultLabels } from "../query/series-table.ts";

export const CATEGORIZE_LABELS = "categorize-labels";

/**
 * In parts, to be joined; an empty one says that the next takes a while.
 *
 * @param encodingFlags as the client sent them; `categorize-labels` changes the form of log results
 */
export function* queryJson(answer: QueryAnswer, encodingFlags: readonly string[]): Generator<string> {
  yield '{"status":"success",';
  if (answer.warnings.length > 0) yield `"warnings":${JSON.stringify(answer.warnings)},`;
  yield `"data":{"resultType":"${answer.data.type}"`;
  if (answer.data.type === "streams" && encodingFlags.length > 0) yield `,"encodingFlags":${JSON.stringify(encodingFlags)}`;
  yield ',"result":';
  yield* resultJson(answer.data, encodingFlags.includes(CATEGORIZE_LABELS));
  yield `,"stats":${JSON.stringify(statsObject(answer.stats, answer.execSeconds, returnedCount(answer.data)))}}}`;
}

function* resultJson(data: QueryData, categorized: boolean): Generator<string> {
  switch (data.type) {
    case "scalar":
      yield `[${secondsText(data.timeMs)},"${formatGoFloat(data.value)}"]`;
      return;
    case "vector":
      yield* listed(
        data.series,
        (one) => `{"metric":${labelsJson(one.labels)},"value":[${secondsText(data.timeMs)},"${formatGoFloat(one.values[0]!)}"]}`,
      );
      return;
    case "matrix":
      yield* matrixJson(data.series, data.timesMs);
      return;
    case "streams":
      yield* streamsJson(data.entries, categorized);
  }
}

function* listed<T>(items: Iterable<T>, text: (item: T) => string): Generator<string> {
  let separator = "[";
  for (const item of items) {
    yield separator + text(item);
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}

function* matrixJson(series: readonly Series[], timesMs: Float64Array): Generator<string> {
  const times = Array.from(timesMs, secondsText);
  let first = true;
  yield "[";
  for (const { labels, values, present } of series) {
    yield `${first ? "" : ","}{"metric":${labelsJson(labels)},"values":[`;
    first = false;
    let separator = "";
    for (let k = 0; k < values.length; k++) {
      if (present[k] === 0) continue;
      yield `${separator}[${times[k]},"${formatGoFloat(values[k]!)}"]`;
      separator = ",";
    }
    yield "]}";
  }
  yield "]";
}

/** Log results: `[{"stream": …, "values": […]}]`. */
export function* streamsJson(entries: LogPartial, categorized: boolean): Generator<string> {
  let first = true;
  yield "[";
  for (const { labels, members } of yield* groupedByLabels(entries, categorized)) {
    yield `${first ? "" : ","}{"stream":${labelsJson(labels)},"values":`;
    first = false;
    yield* listed(members, (entry) => entryJson(entry, categorized));
    yield "}";
  }
  yield "]";
}

interface StreamGroup {
  readonly labels: ResultLabels;
  readonly members: KeptEntry[];
}

/** Entries by their final labels, or, categorized, by the labels of their stream. Their order within a group stays. */
function* groupedByLabels(entries: LogPartial, categorized: boolean): Generator<string, StreamGroup[]> {
  const groups = new Map<string, StreamGroup>();
  const keys = new Map<ResultLabels, string>();
  for (const entry of entries) {
    const labels = categorized ? entry.labels.stream : entry.labels.all;
    let key = keys.get(labels);
    if (key === undefined) {
      keys.set(labels, (key = labelsKey(labels)));
      yield "";
    }
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, members: [entry] });
    else group.members.push(entry);
  }
  const steps = sortInSteps([...groups.values()], (a, b) => compareResultLabels(a.labels, b.labels));
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    yield "";
  }
}

function entryJson({ sec, nanos, line, labels }: KeptEntry, categorized: boolean): string {
  const time = BigInt(sec) * 1_000_000_000n + BigInt(nanos);
  if (!categorized) return `["${time}",${JSON.stringify(line)}]`;
  const { metadata, parsed } = labels;
  const categories: string[] = [];
  if (metadata.names.length > 0) categories.push(`"structuredMetadata":${labelsJson(metadata)}`);
  if (parsed.names.length > 0) categories.push(`"parsed":${labelsJson(parsed)}`);
  return `["${time}",${JSON.stringify(line)},{${categories.join(",")}}]`;
}

const textOfLabels = new WeakMap<ResultLabels, string>();

/** Labels as a JSON object. */
export function labelsJson(labels: ResultLabels): string {
  let text = textOfLabels.get(labels);
  if (text === undefined) {
    text = `{${labels.names.map((name, i) => `${JSON.stringify(name)}:${JSON.stringify(labels.values[i])}`).join(",")}}`;
    textOfLabels.set(labels, text);
  }
  return text;
}

/** Unix seconds as a JSON number, with milliseconds when there are any. */
function secondsText(ms: number): string {
  return String(ms / 1000);
}

function returnedCount(data: QueryData): number {
  if (data.type === "streams") return data.entries.length;
  return data.type === "scalar" ? 1 : data.series.length;
}

const NO_CACHE = {
  entriesFound: 0,
  entriesRequested: 0,
  entriesStored: 0,
  bytesReceived: 0,
  bytesSent: 0,
  requests: 0,
  downloadTime: 0,
  queryLengthServed: 0,
};
const CACHES = ["chunk", "index", "result", "statsResult", "volumeResult", "seriesResult", "labelResult", "instantMetricResult"];

/** `data.stats`: Grafana reads the summary; the rest has Loki's shape with what is true of a single process. */
function statsObject(stats: ScanStats, execSeconds: number, returned: number): object {
  const perSecond = (amount: number): number => (execSeconds > 0 ? Math.round(amount / execSeconds) : 0);
  const store = {
    totalChunksRef: stats.pagesOpened + stats.pagesFromStatistics,
    totalChunksDownloaded: stats.pagesOpened,
    chunksDownloadTime: 0,
    queryReferencedStructuredMetadata: stats.metadataBytes > 0,
    chunk: {
      headChunkBytes: 0,
      headChunkLines: 0,
      decompressedBytes: stats.bytes,
      decompressedLines: stats.lines,
      compressedBytes: 0,
      totalDuplicates: 0,
      postFilterLines: stats.linesAfterOps,
      headChunkStructuredMetadataBytes: 0,
      decompressedStructuredMetadataBytes: stats.metadataBytes,
    },
    chunkRefsFetchTime: 0,
    congestionControlLatency: 0,
    pipelineWrapperFilteredLines: 0,
  };
  return {
    summary: {
      bytesProcessedPerSecond: perSecond(stats.bytes),
      linesProcessedPerSecond: perSecond(stats.lines),
      totalBytesProcessed: stats.bytes,
      totalLinesProcessed: stats.lines,
      execTime: execSeconds,
      queueTime: 0,
      subqueries: 0,
      totalEntriesReturned: returned,
      splits: 0,
      shards: 0,
      totalPostFilterLines: stats.linesAfterOps,
      totalStructuredMetadataBytesProcessed: stats.metadataBytes,
    },
    querier: { store },
    ingester: {
      totalReached: 1,
      totalChunksMatched: 0,
      totalBatches: 0,
      totalLinesSent: 0,
      store: { ...store, totalChunksRef: 0, totalChunksDownloaded: 0 },
    },
    cache: Object.fromEntries(CACHES.map((name) => [name, NO_CACHE])),
    index: { totalChunks: 0, postFilterChunks: 0, shardsDuration: 0, usedBloomFilters: false },
  };
}
