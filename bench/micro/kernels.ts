// Speed of each kernel on generated log lines, WebAssembly and TypeScript side by side, per second of CPU time.
// Usage: node dist/bench/micro/kernels.js [text file ...]: pages of the files are packed and filtered as well.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { filterMayContain, gramsOf, type Kernels, kernels, prepareNeedle } from "../../lib/kernels/index.ts";
import { typescriptKernels } from "../../lib/kernels/kernels-typescript.ts";

const PAGE_BYTES = 256 * 1024;
const ROUNDS = 7;

/** Best of a few rounds, in bytes (or items) per second of CPU time. A round lasts some milliseconds. */
function rate(amount: number, run: () => void): number {
  let repeats = 1;
  let bestSeconds = Number.POSITIVE_INFINITY;
  run();
  for (let round = 0; round < ROUNDS; ) {
    const before = process.cpuUsage();
    for (let i = 0; i < repeats; i++) run();
    const used = process.cpuUsage(before);
    const seconds = (used.user + used.system) / 1e6;
    if (seconds < 0.02) {
      repeats *= 2;
      continue;
    }
    bestSeconds = Math.min(bestSeconds, seconds / repeats);
    round++;
  }
  return amount / bestSeconds;
}

interface Lines {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly count: number;
}

function linesOf(flavour: Kernels, text: Uint8Array): Lines {
  const bytes = flavour.allocate(text.length);
  bytes.set(text);
  const [starts, ends] = [new Int32Array(text.length / 16), new Int32Array(text.length / 16)];
  return { bytes, starts, ends, count: flavour.splitLines(bytes, 0, bytes.length, starts, ends) };
}

const hex = (digits: number, seed: number): string => {
  let text = "";
  for (let x = seed | 1; text.length < digits; ) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b_3c6d) + 0x6d2b_79f5;
    text += (x >>> 0).toString(16);
  }
  return text.slice(0, digits);
};

/** JSON lines of about 250 bytes; with `cri`, behind the prefix of a container's log file. */
function jsonText(bytes: number, cri: boolean): Buffer {
  const lines: string[] = [];
  for (let i = 0, length = 0; length < bytes; i++) {
    const time = new Date(1_760_000_000_000 + i * 3).toISOString();
    const level = ["info", "info", "warn", "error", "debug"][i % 5]!;
    const service = ["checkout", "search-api", "frontend", "cart"][i % 4]!;
    const line = `${cri ? `${time.slice(0, -1)}123456Z stdout F ` : ""}{"ts":"${time}","level":"${level}","service":"${service}","trace_id":"${hex(32, i * 7)}","span_id":"${hex(16, i * 13)}","method":"POST","path":"/api/v${i % 4}/users/${(i * 7919) % 100_000}","status":200,"duration_ms":${i % 977}.5,"msg":"slow query detected ${(i * 31) % 10_000}"}`;
    lines.push(line);
    length += line.length + 1;
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

type Measure = (flavour: Kernels) => string;
const mb = (perSecond: number): string => `${(perSecond / 1e6).toFixed(0)} MB/s`;
const ns = (perSecond: number): string => `${(1e9 / perSecond).toFixed(0)} ns/line`;

const MEASURES: Readonly<Record<string, Measure>> = {
  splitLines: (flavour) => {
    const lines = linesOf(flavour, jsonText(1 << 20, true));
    return mb(rate(lines.bytes.length, () => flavour.splitLines(lines.bytes, 0, lines.bytes.length, lines.starts, lines.ends)));
  },
  "splitLines, copied in": (flavour) => {
    const lines = linesOf(flavour, jsonText(1 << 20, true));
    const outside = new Uint8Array(lines.bytes);
    return mb(rate(outside.length, () => flavour.splitLines(outside, 0, outside.length, lines.starts, lines.ends)));
  },
  parseCri: (flavour) => {
    const { bytes, starts, ends, count } = linesOf(flavour, jsonText(1 << 20, true));
    const words = (): Int32Array => new Int32Array(count);
    const flags = (): Uint8Array => new Uint8Array(count);
    const out = {
      ...{ ok: flags(), timeOk: flags(), stream: flags(), partial: flags() },
      ...{ contentStart: words(), timeEnd: words(), sec: words(), nanos: words(), flagsStart: words(), flagsEnd: words() },
      ...{ streamStart: words(), streamEnd: words() },
    };
    return ns(rate(count, () => flavour.parseCri(bytes, starts, ends, count, out)));
  },
  "scanJson, 3 keys": (flavour) => {
    const { bytes, starts, ends, count } = linesOf(flavour, jsonText(1 << 20, false));
    const keys = ["level", "status", "msg"].map((key) => Buffer.from(key));
    const [verdict, kind] = [new Uint8Array(count), new Uint8Array(count * 3)];
    const [from, to] = [new Int32Array(count * 3), new Int32Array(count * 3)];
    return ns(rate(count, () => flavour.scanJson(bytes, starts, ends, count, keys, 0, verdict, kind, from, to)));
  },
  encodeEntries: (flavour) => {
    const { bytes, starts, ends, count } = linesOf(flavour, jsonText(1 << 20, false));
    const picks = Int32Array.from({ length: count }, (_, i) => i);
    const [sec, nanos] = [new Int32Array(count).fill(1_760_000_000), new Int32Array(count).fill(123_456_789)];
    const out = flavour.allocate(bytes.length + 40 * count);
    return mb(rate(bytes.length, () => flavour.encodeEntries(bytes, starts, ends, sec, nanos, picks, count, out, 0)));
  },
  decodePush: (flavour) => {
    const body = pushOf(flavour, jsonText(1 << 20, false));
    return mb(rate(body.length, () => flavour.decodePush(body)));
  },
  snappyCompress: (flavour) => {
    const body = pushOf(flavour, jsonText(1 << 20, false));
    return mb(rate(body.length, () => flavour.snappyCompress(body)));
  },
  snappyDecompress: (flavour) => {
    const body = pushOf(flavour, jsonText(1 << 20, false));
    const packed = flavour.snappyCompress(body).slice();
    return mb(rate(body.length, () => flavour.snappyDecompress(packed, 1 << 24)));
  },
  lz4Compress: onPage((flavour, page) => flavour.lz4Compress(page)),
  lz4Decompress: (flavour) => {
    const page = pageOf(flavour);
    const packed = flavour.lz4Compress(page).slice();
    const out = flavour.allocate(page.length);
    return mb(rate(page.length, () => flavour.lz4Decompress(packed, out, page.length)));
  },
  packPage: onPage((flavour, page) => flavour.packPage(page)),
  unpackPage: (flavour) => {
    const page = pageOf(flavour);
    const packed = flavour.packPage(page).slice();
    const out = flavour.allocate(page.length);
    return mb(rate(page.length, () => flavour.unpackPage(packed, out, page.length)));
  },
  buildGramFilter: onPage((flavour, page) => flavour.buildGramFilter(page)),
  "find, absent": onPage((flavour, page) => flavour.find(page, 0, page.length, prepareNeedle(Buffer.from("nosuchneedle_zq"), false))),
  "find, absent, any case": onPage((flavour, page) =>
    flavour.find(page, 0, page.length, prepareNeedle(Buffer.from("nosuchneedle_zq"), true)),
  ),
  "findLines, 1 in 5": (flavour) => {
    const { bytes, ends, count } = linesOf(flavour, pageOf(flavour));
    const hits = new Int32Array(count);
    const needle = prepareNeedle(Buffer.from('"level":"error"'), false);
    return mb(rate(bytes.length, () => flavour.findLines(bytes, ends, count, needle, hits)));
  },
};

const pages = new Map<Kernels, Uint8Array>();

function pageOf(flavour: Kernels): Uint8Array {
  let page = pages.get(flavour);
  if (page === undefined) {
    const text = jsonText(PAGE_BYTES, false);
    page = flavour.allocate(text.length);
    page.set(text);
    pages.set(flavour, page);
  }
  return page;
}

function onPage(run: (flavour: Kernels, page: Uint8Array) => unknown): Measure {
  return (flavour) => {
    const page = pageOf(flavour);
    return mb(rate(page.length, () => run(flavour, page)));
  };
}

/** A push request of one stream. */
function pushOf(flavour: Kernels, text: Buffer): Uint8Array {
  const { bytes, starts, ends, count } = linesOf(flavour, text);
  const picks = Int32Array.from({ length: count }, (_, i) => i);
  const [sec, nanos] = [new Int32Array(count).fill(1_760_000_000), new Int32Array(count).fill(123_456_789)];
  const out = new Uint8Array(bytes.length + 40 * count + 16);
  const end = flavour.encodeEntries(bytes, starts, ends, sec, nanos, picks, count, out, 16);
  // One stream around the entries: tag, length in four bytes of varint, labels.
  const head = Buffer.from([0x0a, 0, 0, 0, 0, 0x0a, 9, ...Buffer.from('{job="x"}')]);
  const streamBytes = end - 16 + 11;
  for (let i = 0; i < 4; i++) head[1 + i] = ((streamBytes >> (7 * i)) & 0x7f) | (i < 3 ? 0x80 : 0);
  out.set(head, 0);
  return out.subarray(0, end);
}

/** Ratio and speeds of pages of whole lines, and what their filters rule out. */
function measureFile(path: string, pageBytes: number): string {
  const text = readFileSync(path).subarray(0, 16e6);
  const raw: Uint8Array[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.lastIndexOf(10, at + pageBytes - 1) + 1;
    if (end <= at) break;
    raw.push(text.subarray(at, end));
    at = end;
  }
  const sum = (items: readonly Uint8Array[]): number => items.reduce((bytes, item) => bytes + item.length, 0);
  const packed = raw.map((page) => kernels.packPage(page).slice());
  const filters = raw.map((page) => kernels.buildGramFilter(page).slice());
  const out = kernels.allocate(pageBytes);
  const inVain = (digits: number): string => {
    let count = 0;
    for (let i = 0; i < 200; i++) {
      const grams = gramsOf(Buffer.from(hex(digits, i * 977 + 5)))!;
      for (const filter of filters) if (filterMayContain(filter, grams)) count++;
    }
    return `${((100 * count) / 200 / filters.length).toFixed(2)} %`;
  };
  const pack = rate(sum(raw), () => {
    for (const page of raw) kernels.packPage(page);
  });
  const unpack = rate(sum(raw), () => {
    for (let i = 0; i < raw.length; i++) kernels.unpackPage(packed[i]!, out, raw[i]!.length);
  });
  const filter = rate(sum(raw), () => {
    for (const page of raw) kernels.buildGramFilter(page);
  });
  return [
    `${basename(path)}, pages of ${pageBytes / 1024} KiB: ratio ${(sum(raw) / sum(packed)).toFixed(2)}`,
    `pack ${mb(pack)}, unpack ${mb(unpack)}, filter ${mb(filter)}`,
    `${((100 * sum(filters)) / sum(raw)).toFixed(2)} % of raw, in vain: 32 digits ${inVain(32)}, 19 digits ${inVain(19)}`,
  ].join(", ");
}

export function main(files: readonly string[]): void {
  for (const [name, measure] of Object.entries(MEASURES)) {
    console.info(`${name.padEnd(24)} wasm ${measure(kernels).padStart(12)}   typescript ${measure(typescriptKernels).padStart(12)}`);
  }
  for (const path of files) for (const pageBytes of [PAGE_BYTES, 2 * PAGE_BYTES]) console.info(measureFile(path, pageBytes));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(process.argv.slice(2));
