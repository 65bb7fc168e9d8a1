// Storage alone: pushes in, processor time and bytes on disk out; beside it what `zstd -3` makes of the same text, when it is installed.
//
//   npm run build && node dist/bench/micro/storage.js [folder of *.log files]      without a folder, lines are made up

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { kernels } from "../../lib/kernels/index.ts";
import { seededRandom, systemClock } from "../../lib/runtime/clock.ts";
import { createLog } from "../../lib/runtime/log.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import type { AcceptedPush } from "../../server/ingest/accepted-push.ts";
import { openStorage } from "../../server/storage.ts";

const MB = 1e6;
const PUSH_BYTES = 1_000_000;
const FILE_BYTES_MAX = 100 * MB;
/** How often the text goes in: long enough for several flushes. */
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const STREAMS = Number(process.env.STREAMS ?? 8);
const LINE_FEED = 10;

const texts = process.argv[2] === undefined ? [["made up", madeUpText(40 * MB)] as const] : textsOf(process.argv[2]);
for (const [name, text] of texts) await measure(name, text);

async function measure(name: string, text: Buffer): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "skald-bench-"));
  const storage = await openStorage({
    walFolder: join(folder, "wal"),
    storeFolder: join(folder, "chunks"),
    idleMs: 1e9,
    maxAgeMs: 1e9,
    flushOnClose: false,
    clock: systemClock,
    log: createLog({ level: "warn" }),
    registry: new Registry(),
  });
  const pushes = pushesOf(text);
  const lineBytes = pushes.reduce((sum, push) => sum + push.bytes.length, 0) * ROUNDS;
  let rssBytes = 0;
  const started = { cpu: process.cpuUsage(), ms: performance.now() };
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = 0; at < pushes.length; at += 4) {
      await Promise.all(pushes.slice(at, at + 4).map((push, i) => storage.append("t", laterBy(push, round, at + i))));
      rssBytes = Math.max(rssBytes, process.memoryUsage.rss());
    }
  }
  await storage.flush();
  const cpu = process.cpuUsage(started.cpu);
  const seconds = (performance.now() - started.ms) / 1000;
  const { storedBytes, blocks } = storage.sizes();
  await storage.close();
  rmSync(folder, { recursive: true });
  const cpuMs = (cpu.user + cpu.system) / 1000;
  const perMb = cpuMs / (lineBytes / MB);
  const zstdBytes = zstdSize(text);
  const beside = zstdBytes === undefined ? "" : `, ${(storedBytes / ROUNDS / zstdBytes).toFixed(2)} x zstd -3`;
  console.info(
    `${name.padEnd(12)} ${(lineBytes / MB).toFixed(0)} MB: ${perMb.toFixed(2)} ms of processor per MB (${(1000 / perMb).toFixed(0)} MB per second), ` +
      `${(lineBytes / MB / seconds).toFixed(0)} MB/s by the clock, on disk ${((storedBytes / lineBytes) * 100).toFixed(1)} %${beside}, ${blocks} blocks, rss ${(rssBytes / MB).toFixed(0)} MB`,
  );
}

/** The same lines at later times, as a client would send them. */
function laterBy(push: AcceptedPush, round: number, at: number): AcceptedPush {
  const sec = push.sec.map((s) => s + round * 100_000 + at);
  return { ...push, sec };
}

function pushesOf(text: Buffer): AcceptedPush[] {
  const pushes: AcceptedPush[] = [];
  const starts = new Int32Array(100_000);
  const ends = new Int32Array(100_000);
  for (let from = 0; from < text.length; ) {
    const to = text.lastIndexOf(LINE_FEED, Math.min(text.length, from + PUSH_BYTES) - 1) + 1;
    if (to <= from) break;
    const count = kernels.splitLines(text, from, to, starts, ends);
    const until = ends[count - 1]! + 1;
    pushes.push(
      pushOf(
        text.subarray(from, until),
        ends.subarray(0, count).map((end) => end - from),
        pushes.length,
      ),
    );
    from = until;
  }
  return pushes;
}

function pushOf(bytes: Uint8Array, ends: Int32Array, number: number): AcceptedPush {
  const count = ends.length;
  const level = [["detected_level", "info"]] as const;
  const random = seededRandom(number);
  let ms = number * 1000;
  const [sec, nanos] = [new Int32Array(count), new Int32Array(count)];
  for (let i = 0; i < count; i++) {
    ms += random() * 2;
    sec[i] = 1_700_000_000 + Math.floor(ms / 1000);
    nanos[i] = Math.floor((ms % 1000) * 1e6);
  }
  const labels = LabelSet.fromObject({ app: "bench", pod: `pod-${number % STREAMS}` });
  return {
    bytes,
    entryCount: count,
    ends,
    sec,
    nanos,
    streams: [{ labels, from: 0, to: count }],
    metadata: Array.from({ length: count }, () => level),
    keep: undefined,
  };
}

function textsOf(folder: string): (readonly [string, Buffer])[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".log"))
    .map((file) => {
      const whole = readFileSync(join(folder, file));
      return [file, whole.subarray(0, whole.lastIndexOf(LINE_FEED, Math.min(whole.length, FILE_BYTES_MAX) - 1) + 1)] as const;
    });
}

function madeUpText(bytes: number): Buffer {
  const random = seededRandom(7);
  const words = Array.from({ length: 400 }, () => Math.floor(random() * 1e9).toString(36));
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += lines.at(-1)!.length + 1) {
    const word = (): string => words[Math.floor(random() ** 2 * words.length)]!;
    lines.push(
      `level=info method=GET path=/${word()}/${word()} status=${random() < 0.9 ? 200 : 404} duration=${Math.floor(random() * 1e5)}us trace=${Math.floor(random() * 2 ** 48).toString(16)}`,
    );
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

function zstdSize(text: Buffer): number | undefined {
  const file = join(mkdtempSync(join(tmpdir(), "skald-zstd-")), "text");
  writeFileSync(file, text);
  try {
    execFileSync("zstd", ["-3", "-q", file]);
    return statSync(`${file}.zst`).size;
  } catch {
    return undefined;
  } finally {
    rmSync(join(file, ".."), { recursive: true });
  }
}
