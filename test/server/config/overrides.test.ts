import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createLog } from "../../../lib/runtime/log.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { type TenantLimits, watchTenantLimits } from "../../../server/config/overrides.ts";

const PERIOD_MS = 10_000;
const RAW = { max_query_series: 7, max_line_size: "1KB" };
let folder: string;
let file: string;
let logged: string[];
let registry: Registry;
let watched: TenantLimits | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), "skald-overrides-"));
  file = join(folder, "overrides.yaml");
  logged = [];
  registry = new Registry();
});
afterEach(() => {
  watched?.close();
  watched = undefined;
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const watch = (path = file): TenantLimits => {
  watched = watchTenantLimits(limitsSchema.parse(RAW), RAW, {
    file: path,
    periodMs: PERIOD_MS,
    log: createLog({ level: "info", write: (line) => logged.push(line) }),
    registry,
  });
  return watched;
};
/** Replaced as configuration managers do: another file under the same name. */
const write = (text: string): void => {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};
const isGood = async (): Promise<number> =>
  (await registry.getSingleMetric("loki_runtime_config_last_reload_successful")!.get()).values[0]!.value;
const errors = (): number => logged.filter((line) => line.includes("level=error")).length;

describe("overrides", () => {
  test("one key of a tenant leaves its others as in limits_config, and other tenants alone", () => {
    write("overrides: {a: {max_query_series: 9}, b: }\nconfigs: {a: {log_stream_creation: true}}\n");
    const limits = watch();
    expect([limits.of("a").max_query_series, limits.of("a").max_line_size]).toEqual([9, 1024]);
    expect([limits.of("b").max_query_series, limits.of("c").max_query_series, limits.global.max_query_series]).toEqual([7, 7, 7]);
  });

  test("a changed file is taken up at the next look", async () => {
    write("overrides: {a: {max_query_series: 9}}");
    const limits = watch();
    write("overrides: {b: {max_query_series: 8}}");
    expect(limits.of("a").max_query_series).toBe(9);
    vi.advanceTimersByTime(PERIOD_MS);
    expect([limits.of("a").max_query_series, limits.of("b").max_query_series]).toEqual([7, 8]);
    const hashes = (await registry.getSingleMetric("loki_runtime_config_hash")!.get()).values;
    expect(hashes.map(({ labels, value }) => [String(labels.sha256).length, value])).toEqual([[64, 1]]);
  });

  test("limits that did not change stay the same object", () => {
    write("overrides: {a: {max_query_series: 9}, b: {max_query_series: 9}}");
    const limits = watch();
    const [a, b] = [limits.of("a"), limits.of("b")];
    write("overrides: {a: {max_query_series: 9}, b: {max_query_series: 10}}");
    vi.advanceTimersByTime(PERIOD_MS);
    expect([limits.of("a") === a, limits.of("b") === b]).toEqual([true, false]);
  });

  for (const [name, spoil] of [
    ["no YAML", () => write("overrides: {a: [")],
    ["an unknown key", () => write("overrides: {a: {max_query_serie: 1}}")],
    ["a value that is none", () => write("overrides: {a: {retention_stream: [{selector: '{a=\"b\"}', period: 1h}]}}")],
    ["gone", () => rmSync(file)],
  ] as const) {
    test(`a file that is ${name} changes nothing, and is said once`, async () => {
      write("overrides: {a: {max_query_series: 9}}");
      const limits = watch();
      expect(await isGood()).toBe(1);
      spoil();
      vi.advanceTimersByTime(3 * PERIOD_MS);
      expect(limits.of("a").max_query_series).toBe(9);
      expect([await isGood(), errors()]).toEqual([0, 1]);
      write("overrides: {a: {max_query_series: 3}}");
      vi.advanceTimersByTime(PERIOD_MS);
      expect([limits.of("a").max_query_series, await isGood()]).toEqual([3, 1]);
    });
  }

  for (const [name, text, message] of [
    ["is missing", undefined, "no such file"],
    ["is wrong", "overrides: {a: {max_query_serie: 1}}", "overrides.yaml:1:"],
  ] as const) {
    test(`a file that ${name} at the start stops it`, () => {
      if (text !== undefined) write(text);
      expect(() => watch()).toThrow(message);
    });
  }

  test("the page shows what the file says, and which of it differs", () => {
    write("overrides: {a: {max_query_series: 7, max_line_size: 2KB}, b: {max_line_size: 1024}}");
    const limits = watch();
    expect(limits.overrides).toEqual({ a: { max_query_series: 7, max_line_size: "2KB" }, b: { max_line_size: 1024 } });
    expect(limits.differences).toEqual({ a: { max_line_size: "2KB" }, b: {} });
    registry = new Registry();
    expect(watch("").overrides).toBeUndefined();
  });

  test("limits are metrics: those of limits_config, and where a tenant's differ", async () => {
    write("overrides: {a: {max_query_series: 9, query_timeout: 2m, volume_enabled: false, max_line_size: 1024}, b: {max_query_series: 7}}");
    watch();
    const shown = async (name: string): Promise<unknown> =>
      (await registry.getSingleMetric(name)!.get()).values.map(({ labels, value }) => [...Object.values(labels), value]);
    expect(await shown("loki_overrides_defaults")).toEqual(
      expect.arrayContaining([
        ["max_query_series", 7],
        ["max_line_size", 1024],
        ["query_timeout", 60e9],
        ["volume_enabled", 1],
        ["ingestion_rate_mb", 4],
      ]),
    );
    expect(await shown("loki_overrides")).toEqual([
      ["max_query_series", "a", 9],
      ["query_timeout", "a", 120e9],
      ["volume_enabled", "a", 0],
    ]);
    write("overrides: {b: {max_query_series: 8}}");
    vi.advanceTimersByTime(PERIOD_MS);
    expect(await shown("loki_overrides")).toEqual([["max_query_series", "b", 8]]);
  });

  test("an override without effect is named once, with the reason", () => {
    write("overrides: {a: {cardinality_limit: 5}, b: {cardinality_limit: 6}}");
    watch();
    expect(logged.filter((line) => line.includes("override has no effect"))).toEqual([
      expect.stringMatching(/level=warn .*tenant=a key=cardinality_limit .*the index is in memory/) as string,
    ]);
  });
});
