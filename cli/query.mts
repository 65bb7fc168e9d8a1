// `skald query '<LogQL>'`: log lines, or the samples of a metric query.

import { isMetric, parseExpr } from "../lib/logql/index.ts";
import { messageOf } from "../lib/runtime/invariant.ts";
import { CLIENT_FLAGS, ClientError, createClient, timeRange } from "./client.mts";
import { runCommand } from "./run-command.mts";

const FLAGS = {
  ...CLIENT_FLAGS,
  limit: { kind: "string", help: "Most log lines.", default: "30" },
  step: { kind: "string", help: "Distance of a metric query's samples; without it, one sample at the end." },
  forward: { kind: "boolean", help: "Oldest first." },
  output: { kind: "string", help: "default, raw (lines alone) or jsonl.", default: "default" },
} as const;

interface Answer {
  readonly data: { readonly resultType: string; readonly result: unknown };
}
interface Stream {
  readonly stream: Record<string, string>;
  readonly values: readonly (readonly [ns: string, line: string])[];
}
interface Series {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

export function query(args: readonly string[]): Promise<number> {
  return runCommand("query", args, FLAGS, async ({ given, rest }) => {
    const text = rest[0];
    if (text === undefined || rest.length > 1)
      throw new ClientError(`one LogQL query is wanted, got ${rest.length}; quote it: skald query '{job="varlogs"} |= "error"'`);
    const client = createClient(given);
    const { start, end } = timeRange(given, Date.now());
    const instant = metricQuery(text) && !given.has("step");
    const direction = given.get("forward") === "true" ? "forward" : "backward";
    const parameters = instant
      ? { query: text, time: end }
      : {
          query: text,
          start,
          end,
          limit: given.get("limit") ?? "30",
          direction,
          ...(given.has("step") ? { step: given.get("step")! } : {}),
        };
    const { data } = (await client.get(`/loki/api/v1/${instant ? "query" : "query_range"}`, parameters)) as Answer;
    process.stdout.write(print(data, given.get("output") ?? "default", direction));
  });
}

function metricQuery(text: string): boolean {
  try {
    return isMetric(parseExpr(text));
  } catch (error) {
    throw new ClientError(messageOf(error));
  }
}

function print(data: Answer["data"], output: string, direction: string): string {
  if (data.resultType === "streams") return printStreams(data.result as Stream[], output, direction);
  if (data.resultType === "scalar") return `${(data.result as [number, string])[1]}\n`;
  return (data.result as Series[]).map((series) => printSeries(series, output)).join("");
}

function printStreams(streams: readonly Stream[], output: string, direction: string): string {
  const entries = streams.flatMap(({ stream, values }) => values.map(([ns, line]) => ({ ns, line, labels: stream })));
  entries.sort((a, b) => (BigInt(a.ns) < BigInt(b.ns) ? -1 : BigInt(a.ns) > BigInt(b.ns) ? 1 : 0) * (direction === "forward" ? 1 : -1));
  return entries
    .map(({ ns, line, labels }) => {
      if (output === "raw") return `${line}\n`;
      if (output === "jsonl") return `${JSON.stringify({ timestamp: timeOf(ns), labels, line })}\n`;
      return `${timeOf(ns)} ${printLabels(labels)} ${line}\n`;
    })
    .join("");
}

function printSeries({ metric, value, values }: Series, output: string): string {
  const points = values ?? (value === undefined ? [] : [value]);
  if (output === "jsonl")
    return points
      .map(([sec, text]) => `${JSON.stringify({ timestamp: new Date(sec * 1000).toISOString(), metric, value: text })}\n`)
      .join("");
  return points
    .map(([sec, text]) => (output === "raw" ? `${text}\n` : `${new Date(sec * 1000).toISOString()} ${printLabels(metric)} ${text}\n`))
    .join("");
}

function printLabels(labels: Record<string, string>): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(", ")}}`;
}

/** RFC 3339 with nanoseconds; the API's times are nanoseconds as text. */
function timeOf(ns: string): string {
  const ms = Number(BigInt(ns) / 1_000_000n);
  return `${new Date(ms).toISOString().slice(0, 20)}${ns.slice(-9)}Z`;
}
