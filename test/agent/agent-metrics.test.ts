import { describe, expect, test } from "vitest";
import { openAgentMetrics, printMetrics } from "../../agent/agent-metrics.ts";
import { counter, gauge, histogram } from "../../agent/metric.ts";
import { Registry } from "../../lib/runtime/metrics.ts";

describe("exposition", () => {
  test("labels stand in the order of their names", async () => {
    const registry = new Registry();
    counter(registry, "c", "c", ["tenant", "host"]).inc({ tenant: 't"},} \\\n', host: "h" }, 2);
    expect(await printMetrics(registry)).toContain('c{host="h",tenant="t\\"},} \\\\\\n"} 2\n');
  });
  test("the bound of a bucket stands last", async () => {
    const registry = new Registry();
    histogram(registry, "h", "h", ["status", "host"], [1]).observe({ status: "204", host: "x" }, 0.5);
    expect(await printMetrics(registry)).toContain('h_bucket{host="x",status="204",le="+Inf"} 1\n');
  });
  test("a value without bound is written as Go writes it", async () => {
    const registry = new Registry();
    gauge(registry, "g", "of Infinity", ["x"]).set({ x: "Infinity" }, Number.POSITIVE_INFINITY);
    gauge(registry, "h", "h").set(Number.NEGATIVE_INFINITY);
    const lines = (await printMetrics(registry)).split("\n").filter((line) => line !== "" && !line.startsWith("# TYPE"));
    expect(lines).toEqual(["# HELP g of Infinity", 'g{x="Infinity"} +Inf', "# HELP h h", "h -Inf"]);
  });
  test("nothing is said of a metric without series", async () => {
    const registry = new Registry();
    counter(registry, "a", "a", ["x"]);
    counter(registry, "b", "b", ["x"]).inc({ x: "1" });
    counter(registry, "c", "c", ["x"]);
    counter(registry, "d", "d", ["x"]).inc({ x: "# HELP" });
    counter(registry, "e", "e", ["x"]);
    expect((await printMetrics(registry)).trim()).toBe(
      '# HELP b b\n# TYPE b counter\nb{x="1"} 1\n\n# HELP d d\n# TYPE d counter\nd{x="# HELP"} 1',
    );
  });
  test("the program's own are there from the start", async () => {
    const registry = new Registry();
    openAgentMetrics(registry).targetFailed("no_path");
    openAgentMetrics(registry).targetFailed("no_path");
    const text = await printMetrics(registry);
    for (const line of [
      /^promtail_build_info\{goarch="\w+",goos=/m,
      /^promtail_config_reload_success_total 0$/m,
      /^promtail_config_reload_fail_total 0$/m,
      /^promtail_targets_active_total 0$/m,
    ])
      expect(text).toMatch(line);
    expect(text).toContain('promtail_targets_failed_total{reason="no_path"} 2\n');
    expect(Number(/^process_cpu_seconds_total (.*)$/m.exec(text)![1])).toBeGreaterThan(0);
  });
});
