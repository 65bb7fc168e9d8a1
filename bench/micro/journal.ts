// Journal entries to a push endpoint on the loopback that counts and forgets: entries per second, and of this process' CPU.
//
//   node bench/micro/journal.js [entries]          made here, through the parser alone
//   node bench/micro/journal.js DIRECTORY entries  of a real journal, through journalctl, source, empty pipeline and client

import { EntryRelabel } from "../../agent/entry-relabel.ts";
import { openPositions } from "../../agent/positions.ts";
import { SharedPipeline } from "../../agent/shared-pipeline.ts";
import { Intake } from "../../agent/targets/intake.ts";
import { EntryBatches } from "../../agent/targets/journal/entry-batches.ts";
import { ExportParser } from "../../agent/targets/journal/export-parser.ts";
import { openJournalMetrics } from "../../agent/targets/journal/journal-metrics.ts";
import { openJournal } from "../../agent/targets/journal/open-journal.ts";
import { systemClock } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";
import { Registry } from "../../lib/runtime/metrics.ts";
import { RELABEL_DEFAULTS } from "../../lib/text/relabel.ts";
import { compilePipeline } from "../../pipelines/compile.ts";
import { openBenchClients, sentEntries, startEndpoint } from "./push-endpoint.ts";

const CHUNK_BYTES = 64 * 1024;

/** What most configurations have. */
const relabel = new EntryRelabel(
  ["_systemd_unit", "syslog_identifier", "priority_keyword"].map((field) => ({
    ...RELABEL_DEFAULTS,
    source_labels: [`__journal_${field}`],
    target_label: field.replace("_", ""),
  })),
);

const directory = Number.isNaN(Number(process.argv[2] ?? 0)) ? process.argv[2]! : undefined;
if (directory === undefined) parseOnly(Number(process.argv[2] ?? 200_000));
else await readJournal(directory, Number(process.argv[3]));

function parseOnly(count: number): void {
  const bytes = exportText(count);
  const entries = new EntryBatches({
    relabel,
    labels: { job: "bench" },
    json: false,
    own: [["_PID", "1"]],
    metrics: openJournalMetrics(new Registry()),
    onDropped: () => {},
  });
  const parser = new ExportParser(entries, 1024 * 1024);
  const cpu = process.cpuUsage();
  let taken = 0;
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    parser.push(bytes.subarray(at, at + CHUNK_BYTES));
    taken += entries.take()?.count ?? 0;
  }
  const { user, system } = process.cpuUsage(cpu);
  const cpuS = (user + system) / 1e6;
  console.info(
    `parser: ${Math.round(taken / cpuS / 1000)} k entries per CPU second, ${Math.round(bytes.length / cpuS / 1e6)} MB per CPU second`,
  );
}

async function readJournal(path: string, count: number): Promise<void> {
  const endpoint = await startEndpoint();
  const log = createLog({ level: "warn" });
  const registry = new Registry();
  const clients = openBenchClients(endpoint.port, { registry, log, clock: systemClock });
  const positions = await openPositions({
    path: "/dev/null",
    syncPeriodMs: 10_000,
    ignoreInvalidYaml: false,
    readOnly: true,
    clock: systemClock,
    log,
  });
  const pipeline = new SharedPipeline(
    compilePipeline([], {
      now: Date.now,
      random: Math.random,
      registry,
      jobName: "bench",
      dropped: () => {},
      debug: () => {},
      warn: () => {},
    }),
  );
  const intake = new Intake({ pipeline: pipeline.lease(), sink: clients, clock: systemClock, log });
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const source = await openJournal(
    { max_age: "87600h", json: false, labels: { job: "bench" }, path, matches: "", namespace: "", include_own_entries: false },
    {
      jobName: "bench",
      relabel,
      intake,
      positions,
      registry,
      clock: systemClock,
      log,
      onTargetFailed: () => {},
      onTargetsChanged: () => {},
      lineBytesMax: 0,
    },
  );
  while ((await sentEntries(registry)) < count) await new Promise((resolve) => setTimeout(resolve, 20));
  const wallS = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuS = (user + system) / 1e6;
  console.info(
    `journal: ${Math.round(count / wallS / 1000)} k entries per second, ${Math.round(count / cpuS / 1000)} k per CPU second, ` +
      `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB resident`,
  );
  await source.stop({ drain: false });
  await intake.stop();
  await clients.drain(1_000);
  await positions.close();
  endpoint.stop();
}

function exportText(count: number): Buffer {
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    const unit = `svc${i % 20}.service`;
    parts.push(
      `__CURSOR=s=a9ac023cf6454a52a0a74082ebea73f9;i=${i.toString(16)};b=9e16a3bbe91b4bfc89fb92412fcba310;m=44371b8b;t=661303b79a3c1;x=fce7\n` +
        `__REALTIME_TIMESTAMP=${1_700_000_000_000_000 + i}\n__MONOTONIC_TIMESTAMP=${i}\n_BOOT_ID=9e16a3bbe91b4bfc89fb92412fcba310\n` +
        `_MACHINE_ID=3d1219c7c4c5404aaa1f6d2a48adfda4\n_HOSTNAME=web${i % 3}\n_TRANSPORT=stdout\nPRIORITY=${i % 8}\nSYSLOG_FACILITY=3\n` +
        `SYSLOG_IDENTIFIER=app${i % 20}\n_PID=${1000 + (i % 500)}\n_UID=1000\n_GID=1000\n_COMM=app\n_EXE=/usr/bin/app\n` +
        `_CMDLINE=/usr/bin/app --serve\n_SYSTEMD_CGROUP=/system.slice/${unit}\n_SYSTEMD_UNIT=${unit}\n_SYSTEMD_SLICE=system.slice\n` +
        `MESSAGE=GET /api/v1/items/${(i * 7919) % 100_003} 200 request finished in ${i % 997} ms\n\n`,
    );
  }
  return Buffer.from(parts.join(""));
}
