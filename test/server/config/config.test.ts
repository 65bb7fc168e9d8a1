import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../../lib/runtime/config-file.ts";
import { noEffectReason } from "../../../server/config/fields.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { type LoadedConfig, loadServerConfig } from "../../../server/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "skald-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, overrides: Record<string, unknown> = {}): LoadedConfig {
  const file = join(folder, "loki.yaml");
  writeFileSync(file, text);
  return loadServerConfig([file], { expandEnv: false, overrides });
}
function errorOf(text: string): string {
  try {
    load(text);
    return "accepted";
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(folder, "");
    throw error;
  }
}

describe("the server's configuration", () => {
  test("the documentation names the limits without effect, but for those that are gone from Loki or on trial there", () => {
    const text = readFileSync("docs/configuration.md", "utf8");
    const effectless = Object.entries(limitsSchema.shape).filter(([key, schema]) => {
      const reason = noEffectReason(schema) ?? "taken out";
      return !/taken out|experimental/.test(reason) && !key.startsWith("bloom_");
    });
    expect(effectless.length).toBeGreaterThan(20);
    expect(effectless.map(([key]) => key).filter((key) => !text.includes(`\`${key}\``))).toEqual([]);
  });
  test("a distributed Loki 2.x file is accepted, and keys without effect are named", () => {
    const { config, notes } = loadServerConfig(["test/conformance/server/loki-distributed.yaml"], { expandEnv: false, overrides: {} });
    expect(config.server.http_listen_port).toBe(3100);
    expect(notes.some((note) => /loki-distributed\.yaml:\d+:\d+: memberlist has no effect: /.test(note))).toBe(true);
    expect(notes.some((note) => note.includes("ingester.max_transfer_retries has no effect"))).toBe(true);
  });
  test("the commonest public file is accepted: v11, boltdb-shipper, filesystem", () => {
    const text = `auth_enabled: false
server: {http_listen_port: 3100, grpc_listen_port: 9096}
common: {path_prefix: /tmp/loki, storage: {filesystem: {chunks_directory: /tmp/loki/chunks, rules_directory: /tmp/loki/rules}}, replication_factor: 1, ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}}
query_range: {results_cache: {cache: {embedded_cache: {enabled: true, max_size_mb: 100}}}}
schema_config: {configs: [{from: 2020-10-24, store: boltdb-shipper, object_store: filesystem, schema: v11, index: {prefix: index_, period: 24h}}]}
ruler: {alertmanager_url: "http://localhost:9093"}
`;
    expect(load(text).config.auth_enabled).toBe(false);
  });
  test("an unknown key is refused with its place", () =>
    expect(errorOf("limits_config:\n  retention_perod: 1d\n")).toBe(
      '/loki.yaml:2:3: unknown key limits_config.retention_perod; did you mean "retention_period"?',
    ));
  test("a bad duration is refused with its place", () =>
    expect(errorOf("ingester:\n  chunk_idle_period: 1x\n")).toMatch(/^\/loki\.yaml:2:3: ingester\.chunk_idle_period: /));
  test("days are a duration of limits, not of Go", () => {
    expect(load("limits_config: {retention_period: 30d}\n").config.limits_config.retention_period).toBe(30 * 86_400_000);
    expect(errorOf("ingester: {chunk_idle_period: 1d}\n")).toMatch(/chunk_idle_period/);
  });
  test("sizes are bytes", () => expect(load("limits_config: {max_line_size: 256KB}\n").config.limits_config.max_line_size).toBe(262_144));
  test("an empty block means its defaults", () => expect(load("limits_config:\nserver:\n").config.server.http_listen_port).toBe(3100));
  test("a flag wins over the file", () =>
    expect(load("server: {http_listen_port: 1}\n", { "server.http_listen_port": 2 }).config.server.http_listen_port).toBe(2));
  test("a missing file says so", () =>
    expect(() => loadServerConfig(["/nope.yaml"], { expandEnv: false, overrides: {} })).toThrow(
      "/nope.yaml does not exist, set config.file for custom config path",
    ));
  test("a folder in the file's place says so", () =>
    expect(() => loadServerConfig([folder], { expandEnv: false, overrides: {} })).toThrow("is a directory"));
});
