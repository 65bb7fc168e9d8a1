// The clients people use, as they come from the registry, pushing to a server process over HTTP; what they sent is read back by query.

import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter as HttpExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import pino from "pino";
import { pinoLoki } from "pino-loki";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import winston from "winston";
import LokiTransport from "winston-loki";
import { getJson, type StartedServer, startServer } from "../server/clients/started-server.ts";
import { until } from "./processes.ts";

let server: StartedServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => server?.stop());

interface Found {
  readonly labels: Record<string, string>;
  readonly metadata: Record<string, string>;
  readonly ns: string;
  readonly line: string;
}

/** Entries of a selector, oldest first, as soon as there are so many. */
async function entriesOf(selector: string, count: number): Promise<Found[]> {
  let found: Found[] = [];
  const parameters = new URLSearchParams({ query: selector, limit: "1000", direction: "forward" });
  await until(`${count} entries of ${selector}`, async () => {
    const { data } = await getJson<{
      data: { result: { stream: Record<string, string>; values: [string, string, { structuredMetadata?: Record<string, string> }][] }[] };
    }>(`${server.url}/loki/api/v1/query_range?${parameters}`, { "x-loki-response-encoding-flags": "categorize-labels" });
    found = data.result.flatMap(({ stream, values }) =>
      values.map(([ns, line, { structuredMetadata = {} }]) => ({ labels: stream, metadata: structuredMetadata, ns, line })),
    );
    return found.length >= count;
  });
  return found.sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : a.line < b.line ? -1 : 1));
}

describe("pino-loki", () => {
  for (const batching of [false, { interval: 1 }] as const) {
    test(batching === false ? "line by line" : "in batches", async () => {
      const app = batching === false ? "pino-single" : "pino-batch";
      const transport = pinoLoki({ host: server.url, labels: { app }, batching, silenceErrors: false, structuredMetaKey: "meta" });
      const log = pino({ base: null }, transport);
      log.info({ n: 1 }, "first");
      log.error({ n: 2, meta: { trace_id: "abc" } }, "second");
      log.warn("third 東京");
      transport.end();
      const found = await entriesOf(`{app="${app}"}`, 3);
      expect(found).toHaveLength(3);
      const byText = (text: string) => found.find(({ line }) => line.includes(text))!;
      expect(JSON.parse(byText("first").line)).toMatchObject({ n: 1, msg: "first" });
      expect(byText("first").labels).toMatchObject({ app, level: "info" });
      expect(byText("second").labels).toMatchObject({ app, level: "error" });
      expect(byText("second").metadata).toMatchObject({ trace_id: "abc", detected_level: "error" });
      expect(byText("third").line).toContain("third 東京");
      for (const { ns } of found) expect(ns).toMatch(/000000$/);
    });
  }
});

describe("winston-loki", () => {
  for (const [name, options] of [
    ["protobuf in snappy", {}],
    ["JSON", { json: true }],
    ["JSON line by line", { json: true, batching: false }],
  ] as const) {
    test(name, async () => {
      const app = `winston-${name.replaceAll(" ", "-")}`;
      const failures: unknown[] = [];
      const transport = new LokiTransport({
        host: server.url,
        labels: { app },
        interval: 1,
        timeout: 10_000,
        onConnectionError: (error) => void failures.push(error),
        format: winston.format.json(),
        ...options,
      });
      const log = winston.createLogger({ transports: [transport] });
      log.info("first");
      log.error("second ünï", { labels: { part: "disk" } });
      log.warn("third");
      await transport.flush();
      const found = await entriesOf(`{app="${app}"}`, 3);
      expect(failures).toEqual([]);
      expect(found).toHaveLength(3);
      const byText = (text: string) => found.find(({ line }) => line.includes(text))!;
      expect(byText("first").labels).toMatchObject({ app, level: "info" });
      expect(byText("second ünï").labels).toMatchObject({ app, level: "error", part: "disk" });
      expect(byText("third").metadata).toMatchObject({ detected_level: "warn" });
      await transport.close();
    });
  }
});

describe("OpenTelemetry", () => {
  const url = (): string => `${server.url}/otlp/v1/logs`;
  for (const [name, exporter] of [
    ["JSON", () => new HttpExporter({ url: url() })],
    ["JSON in gzip", () => new HttpExporter({ url: url(), compression: "gzip" as never })],
    ["protobuf", () => new ProtoExporter({ url: url() })],
    ["protobuf in gzip", () => new ProtoExporter({ url: url(), compression: "gzip" as never })],
  ] as const) {
    test(name, async () => {
      const service = `otel-${name.replaceAll(" ", "-")}`;
      const provider = new LoggerProvider({
        resource: resourceFromAttributes({ "service.name": service, "k8s.namespace.name": "prod", "host.name": "h1" }),
        processors: [new BatchLogRecordProcessor({ exporter: exporter() })],
      });
      const logger = provider.getLogger("checkout", "1.2.3");
      logger.emit({
        severityNumber: SeverityNumber.INFO,
        severityText: "INFO",
        body: "plain text",
        attributes: { "order.id": 42, ok: true },
      });
      logger.emit({ severityNumber: SeverityNumber.ERROR, body: { nested: { list: [1, "two"] } }, attributes: { user: { name: "ada" } } });
      await provider.shutdown();
      const found = await entriesOf(`{service_name="${service}"}`, 2);
      expect(found).toHaveLength(2);
      const plain = found.find(({ line }) => line === "plain text")!;
      expect(plain.labels).toEqual({ service_name: service, k8s_namespace_name: "prod" });
      expect(plain.metadata).toMatchObject({
        order_id: "42",
        ok: "true",
        host_name: "h1",
        scope_name: "checkout",
        scope_version: "1.2.3",
        severity_number: "9",
        severity_text: "INFO",
        detected_level: "info",
      });
      const nested = found.find(({ line }) => line !== "plain text")!;
      expect(JSON.parse(nested.line)).toEqual({ nested: { list: [1, "two"] } });
      expect(nested.metadata).toMatchObject({ user_name: "ada", detected_level: "error" });
    });
  }
});
