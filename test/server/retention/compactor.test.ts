import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isPartlyDone } from "../../../server/deletes/delete-request.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { ALL_TIME, type ModelEntry, readAll } from "../storage-entries.ts";
import { CANCEL_MS, type Compacted, type CompactedOptions, DAY_MS, HOUR_MS, NOW_SEC, openCompacted } from "./compacted-storage.ts";

let folder: string;
let at: Compacted;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "skald-compactor-"));
});
afterEach(async () => {
  await at.close();
  await rm(folder, { recursive: true, force: true });
});

const open = async (options: CompactedOptions = {}): Promise<Compacted> => {
  at = await openCompacted(folder, options);
  return at;
};
const entry = (app: string, day: number, more: Partial<ModelEntry> = {}): ModelEntry => ({
  labels: { app },
  sec: NOW_SEC + day * 86_400,
  nanos: 0,
  line: `${app} of day ${day}`,
  ...more,
});
const linesOf = async (tenant = "t"): Promise<string[]> => (await readAll(at.storage, tenant)).map(({ line }) => line).sort();
const objects = async (): Promise<number> =>
  (await readdir(join(folder, "chunks"), { recursive: true })).filter((name) => name.endsWith(".skb")).length;
const blocks = (): number => at.storage.stored.catalog.all().length;
const metric = async (name: string): Promise<number> =>
  (await at.registry.getSingleMetric(name)!.get()).values.reduce((sum, { value }) => sum + value, 0);

describe("retention", () => {
  test("a block goes when all of it is past, not a second earlier, and its object after the delay", async () => {
    await open({ limits: { retention_period: "3d" } });
    await at.push([entry("a", 0), entry("b", 0)]);
    await at.storage.flush();
    await at.clock.advance(3 * DAY_MS);
    await at.compactor.run();
    expect(blocks()).toBe(1);
    await at.clock.advance(1000);
    await at.compactor.run();
    expect([blocks(), await objects(), await linesOf()]).toEqual([0, 1, []]);
    expect(at.changed).toEqual(["t"]);
    await at.clock.advance(2 * HOUR_MS - 1);
    await at.compactor.run();
    expect(await objects()).toBe(1);
    await at.clock.advance(1);
    await at.compactor.run();
    expect(await objects()).toBe(0);
    expect(await metric("skald_compactor_blocks_dropped_total")).toBe(1);
  });

  test("streams with a period of their own go earlier than the rest of their block", async () => {
    await open({ limits: { retention_period: "9d", retention_stream: [{ selector: '{app="dev"}', period: "1d" }] } });
    await at.push([entry("dev", 0), entry("prod", 0, { metadata: [["k", "v"]] })]);
    await at.storage.flush();
    await at.clock.advance(1 * DAY_MS + 1000);
    await at.compactor.run();
    expect(await linesOf()).toEqual(["prod of day 0"]);
    expect((await readAll(at.storage, "t"))[0]!.metadata).toEqual([["k", "v"]]);
    expect(await at.value('sum(count_over_time({app=~".+"}[10d]))')).toBe(1);
    await at.clock.advance(8 * DAY_MS);
    await at.compactor.run();
    expect([blocks(), await linesOf()]).toEqual([0, []]);
  });

  test("a small old part of a block waits until it is a day overdue", async () => {
    await open({ limits: { retention_period: "3d" } });
    const random = Array.from({ length: 300 }, (_, i) => entry("new", 3, { nanos: i, line: `${Math.sin(i)}${Math.cos(i)}${Math.tan(i)}` }));
    await at.push([entry("old", 0), ...random]);
    await at.storage.flush();
    await at.clock.advance(3 * DAY_MS + 1000);
    await at.compactor.run();
    expect(await linesOf()).toHaveLength(301);
    await at.clock.advance(DAY_MS);
    await at.compactor.run();
    expect(await linesOf()).toHaveLength(300);
  });

  test("each tenant has its own period, and none keeps everything", async () => {
    await open({ overrides: { short: { retention_period: "1d" } } });
    for (const tenant of ["short", "t"]) await at.push([entry("a", 0)], tenant);
    await at.storage.flush();
    await at.clock.advance(400 * DAY_MS);
    await at.compactor.run();
    expect([await linesOf("short"), await linesOf("t")]).toEqual([[], ["a of day 0"]]);
  });

  test("the successful run is on the metrics that Loki's alert goes by", async () => {
    await open();
    await at.compactor.run();
    expect(await metric("loki_boltdb_shipper_compact_tables_operation_last_successful_run_timestamp_seconds")).toBe(NOW_SEC);
    expect(await metric("loki_compactor_apply_retention_last_successful_run_timestamp_seconds")).toBe(NOW_SEC);
  });
});

describe("delete requests", () => {
  test("are carried out when they can no longer be cancelled", async () => {
    await open();
    await at.push([entry("a", -1), entry("b", -1)]);
    const { id } = await at.remove('{app="a"}', -100_000, -1);
    await at.compactor.run();
    expect(await linesOf()).toHaveLength(2);
    expect(await metric("loki_compactor_pending_delete_requests_count")).toBe(0);
    await at.clock.advance(CANCEL_MS + 5000);
    expect(await metric("loki_compactor_pending_delete_requests_count")).toBe(1);
    expect(await metric("loki_compactor_oldest_pending_delete_request_age_seconds")).toBe(5);
    await at.compactor.run();
    expect(await linesOf()).toEqual(["b of day -1"]);
    expect(at.deletes.find("t", id)?.piecesDone).toBe(1);
    expect(await metric("loki_compactor_delete_requests_processed_total")).toBe(1);
    expect(await metric("loki_compactor_deleted_lines")).toBe(1);
    expect(await metric("loki_compactor_pending_delete_requests_count")).toBe(0);
  });

  test("filter-only hides and never removes; disabled does neither", async () => {
    const filterOnly = { deletion_mode: "filter-only" };
    await open({ overrides: { t: filterOnly, off: { deletion_mode: "disabled" } } });
    for (const tenant of ["t", "off"]) {
      await at.push([entry("a", -1)], tenant);
      await at.remove('{app="a"}', -100_000, -1, { tenant });
    }
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect([await at.lines('{app="a"}'), await linesOf()]).toEqual([[], ["a of day -1"]]);
    expect(await at.lines('{app="a"}', "off")).toEqual(["a of day -1"]);
    expect(await metric("loki_compactor_pending_delete_requests_count")).toBe(0);
  });

  test("field columns hide what goes, and are there again in the page without it", async () => {
    await open();
    const line = (i: number): string =>
      `{"level":"${["info", "error"][i % 2]}","status":${200 + (i % 3)},"id":"${Math.sin(i)}${Math.cos(i)}${Math.tan(i)}"}`;
    await at.push(Array.from({ length: 600 }, (_, i) => entry("a", -1, { nanos: i, line: line(i) })));
    await at.storage.flush();
    const counts = (): Promise<number[]> =>
      Promise.all(
        ['level="info"', 'level="error"', "status>201"].map((filter) =>
          at.value(`sum(count_over_time({app="a"} | json | ${filter} [2d]))`),
        ),
      );
    const fields = async (): Promise<string[]> => {
      const names: string[] = [];
      for (const { pages } of await at.storage.select("t", [], ALL_TIME)) {
        for (const ref of pages) for (const { name } of (await at.storage.openReader().open(ref)).fields ?? []) names.push(name);
      }
      return names;
    };
    expect([await counts(), await fields()]).toEqual([
      [300, 300, 200],
      ["level", "status"],
    ]);
    await at.remove('{app="a"} | json | level="error" | status=201', -100_000, -1);
    expect([await counts(), await fields()]).toEqual([
      [300, 200, 200],
      ["level", "status"],
    ]);
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect(await linesOf()).toHaveLength(500);
    expect([await counts(), await fields()]).toEqual([
      [300, 200, 200],
      ["level", "status"],
    ]);
  });

  test("many pieces are carried out in batches, each noted", async () => {
    await open({ batchSize: 2 });
    await at.push([-5, -4, -3, -2, -1].map((day) => entry("a", day)));
    await at.storage.flush();
    const { id } = await at.remove('{app="a"} |~ "day -[1-4]"', -6 * 86_400, -1, { intervalMs: DAY_MS });
    const seen: number[] = [];
    at.deletes.onChange(() => seen.push(at.deletes.find("t", id)!.piecesDone));
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect(seen).toEqual([2, 4, 6, 7]);
    expect(await linesOf()).toEqual(["a of day -5"]);
  });

  test("a block that nothing is taken from stays the same object", async () => {
    await open();
    await at.push([entry("a", -1)]);
    await at.storage.flush();
    const [before] = at.storage.stored.catalog.all();
    await at.remove('{app="a"} |= "nowhere"', -100_000, -1);
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect(at.storage.stored.catalog.all()).toEqual([before]);
    expect(at.deletes.of("t")[0]!.piecesDone).toBe(1);
  });

  test("a request whose block cannot be read stays pending, others go on", async () => {
    await open();
    for (const day of [-9, -1]) {
      await at.push([entry("a", day)]);
      await at.storage.flush();
    }
    const [broken] = at.storage.stored.catalog.all();
    at.storage.stored.blocks.forget(broken!.key);
    await rm(join(folder, "chunks", broken!.key));
    await at.remove('{app="a"}', -10 * 86_400, -8 * 86_400);
    await at.remove('{app="a"}', -2 * 86_400, -1, { tenant: "u" });
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect(at.deletes.of("t")[0]!.piecesDone).toBe(0);
    expect(at.deletes.of("u")[0]!.piecesDone).toBe(1);
    expect(await metric("loki_compactor_delete_processing_fails_total")).toBeGreaterThan(0);
  });

  test("lines with line feeds, empty lines and metadata survive beside those that go", async () => {
    await open();
    const kept = [
      entry("a", -1, { line: "two\nlines", nanos: 1 }),
      entry("a", -1, { line: "", nanos: 2 }),
      entry("a", -1, { line: "with metadata", nanos: 3, metadata: [["trace", "t1"]] }),
    ];
    await at.push([...kept, entry("a", -1, { line: "goes", nanos: 4, metadata: [["trace", "t2"]] })]);
    await at.storage.flush();
    await at.remove('{app="a"} |= "goes"', -100_000, -1);
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect(await readAll(at.storage, "t")).toEqual(kept);
  });
});

describe("when the disk fails", () => {
  test("every single call of a run may fail: entries are there or gone as they should be, and the next run does the rest", async () => {
    for (let call = 0; ; call++) {
      const own = await mkdtemp(join(folder, "fail-"));
      const disk = new FaultDisk(() => 0.5);
      at = await openCompacted(own, { disk, limits: { retention_period: "5d" } });
      await at.push([entry("a", -1), entry("b", -1)]);
      await at.storage.flush();
      await at.push([entry("a", -1, { nanos: 7, line: "a, in memory" }), entry("old", -9)]);
      await at.remove('{app="a"}', -100_000, -1);
      await at.clock.advance(CANCEL_MS);
      const before = disk.calls;
      disk.failAfter(call);
      await at.compactor.run();
      const isDone = disk.calls - before <= call;
      expect(await at.lines('{app=~"a|b"}'), `call ${call} failed`).toEqual(["b of day -1"]);
      // What was removed cannot be taken back as if nothing had been.
      const lines = await readAll(at.storage, "t");
      if (lines.filter(({ labels }) => labels.app === "a").length < 2) expect(isPartlyDone(at.deletes.of("t")[0]!)).toBe(true);
      disk.failAfter(Number.POSITIVE_INFINITY);
      await at.storage.flush();
      await at.compactor.run();
      expect(at.deletes.of("t")[0]!.piecesDone, `call ${call} failed`).toBe(1);
      expect(await linesOf()).toEqual(["b of day -1"]);
      await at.close();
      // A restart finds no stray that would bring entries back.
      at = await openCompacted(own, { disk });
      expect(await linesOf()).toEqual(["b of day -1"]);
      if (isDone) break;
      expect(call).toBeLessThan(200);
      await at.close();
    }
  });

  test("what is not flushed when the server ends is carried out after the restart", async () => {
    await open();
    await at.push([entry("a", -1)]);
    await at.remove('{app="a"}', -100_000, -1);
    await at.close();
    await open();
    expect(await at.lines('{app="a"}')).toEqual([]);
    expect(await linesOf()).toHaveLength(1);
    await at.clock.advance(CANCEL_MS);
    await at.compactor.run();
    expect(await linesOf()).toEqual([]);
  });
});
