// The kernels in WebAssembly. This side brings arguments into the module's memory and results out, and hands what is too large for
// it, or has spans outside its bytes, to the TypeScript twin.

import { readFileSync } from "node:fs";
import type { CriColumns, DecodedPush, Kernels, Needle } from "./kernels.ts";
import { filterBytesFor } from "./gram-filter.ts";
import { KernelMemory, NEEDLE_BYTES_MAX, PAD_BYTES } from "./kernel-memory.ts";
import { typescriptKernels as twin } from "./kernels-typescript.ts";
import { malformed, NO_ROOM } from "./malformed.ts";
import { KIND_PACKED, KIND_STORED, PACKED_BYTES_MAX, packedRoomBytes, streamRoomBytes } from "./page-codec.ts";
import { lz4BytesMax } from "./typescript/lz4.ts";
import { snappyBytesMax } from "./typescript/snappy.ts";

/** What assembly/index.ts exports. Every argument is an address, a count or a flag. */
interface KernelModule {
  readonly memory: { readonly buffer: ArrayBuffer };
  dataEnd(): number;
  splitLines(...args: number[]): number;
  parseCri(...args: number[]): void;
  parseRfc3339(...args: number[]): void;
  scanJson(...args: number[]): void;
  encodeEntries(...args: number[]): number;
  decodePush(...args: number[]): number;
  snappyCompress(...args: number[]): number;
  snappyRawBytes(...args: number[]): number;
  snappyDecompress(...args: number[]): number;
  lz4Compress(...args: number[]): number;
  lz4Decompress(...args: number[]): number;
  packPage(...args: number[]): number;
  unpackPage(...args: number[]): number;
  sampleGrams(...args: number[]): number;
  setGrams(...args: number[]): void;
  find(...args: number[]): number;
  findLines(...args: number[]): number;
}

/** The little of WebAssembly's interface that is needed here; the compiler's library for Node lacks it. */
interface WebAssemblyApi {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
  readonly CompileError: new () => Error;
}

/** This machine cannot run the module: it lacks WebAssembly, or its SIMD. */
export class WasmUnsupported extends Error {
  override readonly name = "WasmUnsupported";
}

/** Bytes copied at a time when a text outside the module's memory is searched: what is behind a hit need not be copied. */
const FIND_WINDOW_BYTES = 65_536;

/**
 * Instantiates the module next to this file. Throws WasmUnsupported when this machine cannot run it.
 * One instance per thread: a call uses the memory alone.
 */
export function loadWasmKernels(): Kernels {
  const module = instantiate(readFileSync(new URL("./kernels.wasm", import.meta.url)));
  const memory = new KernelMemory(module.memory.buffer, module.dataEnd());
  return {
    flavour: "wasm",
    allocate: (bytes) => memory.allocate(bytes),
    ...pageKernels(module, memory),
    ...lineKernels(module, memory),
    ...pushKernels(module, memory),
    ...codecKernels(module, memory),
    ...findKernels(module, memory),
    buildGramFilter: (bytes) => buildGramFilter(module, memory, bytes),
  };
}

function instantiate(binary: Uint8Array): KernelModule {
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: WebAssemblyApi };
  if (WebAssembly === undefined) throw new WasmUnsupported("this process runs without WebAssembly");
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as KernelModule;
  } catch (cause) {
    if (cause instanceof WebAssembly.CompileError) throw new WasmUnsupported("this machine lacks WebAssembly SIMD", { cause });
    throw cause;
  }
}

// The part of `bytes` that the spans measured last lie in.
let spanFrom = 0;
let spanTo = 0;

/** Measures the spans 0..count. False when one is not within `bytes`. Spans that start below 0 count as absent when allowed. */
function measureSpans(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, absentAllowed: boolean): boolean {
  let low = bytes.length;
  let high = 0;
  if (count > starts.length || count > ends.length) return false;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    if (start < 0 && absentAllowed) continue;
    if (start < 0 || end < start || end > bytes.length) return false;
    if (start < low) low = start;
    if (end > high) high = end;
  }
  spanFrom = Math.min(low, high);
  spanTo = high;
  return true;
}

function lineKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "splitLines" | "parseCri" | "parseRfc3339" | "scanJson"> {
  return {
    splitLines(bytes: Uint8Array, from: number, to: number, starts: Int32Array, ends: Int32Array): number {
      const most = Math.min(starts.length, ends.length);
      if (from < 0 || to > bytes.length || to <= from || !memory.enter(to - from + 8 * most, 3, bytes, starts, ends)) {
        return twin.splitLines(bytes, from, to, starts, ends);
      }
      const base = memory.placeBytes(bytes, from, to) - from;
      const count = module.splitLines(base, from, to, memory.result(starts, most), memory.result(ends, most), most);
      memory.leave(count);
      return count;
    },

    parseCri(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, out: CriColumns): void {
      const fits = measureSpans(bytes, starts, ends, count, false);
      if (!fits || !memory.enter(spanTo - spanFrom + 40 * count, 13, bytes, starts, ends)) {
        twin.parseCri(bytes, starts, ends, count, out);
        return;
      }
      const base = memory.placeBytes(bytes, spanFrom, spanTo) - spanFrom;
      module.parseCri(
        base,
        memory.placeWords(starts, count),
        memory.placeWords(ends, count),
        count,
        memory.result(out.ok, count),
        memory.result(out.contentStart, count),
        memory.result(out.timeEnd, count),
        memory.result(out.timeOk, count),
        memory.result(out.sec, count),
        memory.result(out.nanos, count),
        memory.result(out.stream, count),
        memory.result(out.flagsStart, count),
        memory.result(out.flagsEnd, count),
        memory.result(out.partial, count),
      );
      memory.leave();
    },

    parseRfc3339(bytes, starts, ends, count, sec, nanos, ok): void {
      const fits = measureSpans(bytes, starts, ends, count, true);
      if (!fits || !memory.enter(spanTo - spanFrom + 17 * count, 6, bytes, starts, ends, sec, nanos, ok)) {
        twin.parseRfc3339(bytes, starts, ends, count, sec, nanos, ok);
        return;
      }
      const base = memory.placeBytes(bytes, spanFrom, spanTo) - spanFrom;
      const [from, to] = [memory.placeWords(starts, count), memory.placeWords(ends, count)];
      module.parseRfc3339(base, from, to, count, memory.result(sec, count), memory.result(nanos, count), memory.result(ok, count));
      memory.leave();
    },

    scanJson(bytes, starts, ends, count, keys, verdict, kind, valueStart, valueEnd): void {
      const fits = measureSpans(bytes, starts, ends, count, false);
      const slots = count * keys.length;
      let keyBytes = 8 * keys.length;
      for (const key of keys) keyBytes += key.length + 2 * PAD_BYTES;
      const need = spanTo - spanFrom + 9 * count + 9 * slots + keyBytes;
      if (!fits || !memory.enter(need, 8, bytes, starts, ends, verdict, kind, valueStart, valueEnd)) {
        twin.scanJson(bytes, starts, ends, count, keys, verdict, kind, valueStart, valueEnd);
        return;
      }
      const base = memory.placeBytes(bytes, spanFrom, spanTo) - spanFrom;
      const table = memory.take(8 * keys.length);
      for (let k = 0; k < keys.length; k++) {
        const at = memory.take(keys[k]!.length);
        memory.bytes.set(keys[k]!, at);
        memory.words[(table >> 2) + 2 * k] = at;
        memory.words[(table >> 2) + 2 * k + 1] = keys[k]!.length;
      }
      module.scanJson(
        base,
        memory.placeWords(starts, count),
        memory.placeWords(ends, count),
        count,
        table,
        keys.length,
        memory.result(verdict, count),
        memory.result(kind, slots),
        memory.result(valueStart, slots),
        memory.result(valueEnd, slots),
      );
      memory.leave();
    },
  };
}

function pushKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "encodeEntries" | "decodePush"> {
  return {
    encodeEntries(bytes, starts, ends, sec, nanos, picks, pickCount, out, at): number {
      const fits = measurePicks(bytes, starts, ends, picks, pickCount);
      // No more room than the entries can take is set aside, however large `out` is.
      const room = Math.min(out.length - at, spanTo - spanFrom + pickBytes + 40 * pickCount);
      const need = spanTo - spanFrom + 16 * starts.length + 4 * pickCount + room;
      if (!fits || room < 0 || !memory.enter(need, 7, bytes, starts, ends, sec, nanos, picks, out)) {
        return twin.encodeEntries(bytes, starts, ends, sec, nanos, picks, pickCount, out, at);
      }
      const resident = memory.isResident(out);
      const target = resident ? out.byteOffset + at : memory.take(room);
      const written = module.encodeEntries(
        memory.placeBytes(bytes, spanFrom, spanTo) - spanFrom,
        memory.placeWords(starts, pickTop),
        memory.placeWords(ends, pickTop),
        memory.placeWords(sec, pickTop),
        memory.placeWords(nanos, pickTop),
        memory.placeWords(picks, pickCount),
        pickCount,
        target,
        resident ? out.length - at : room,
      );
      if (written < 0) return -1;
      if (!resident) out.set(memory.bytes.subarray(target, target + written), at);
      return at + written;
    },

    decodePush(body: Uint8Array): DecodedPush {
      // Fewer bytes per entry, stream or pair than this are possible but pointless; the twin decodes such requests.
      const entryRoom = (body.length >> 3) + 64;
      const streamRoom = (body.length >> 5) + 64;
      const pairRoom = (body.length >> 4) + 64;
      const need = 2 * body.length + PAD_BYTES + 12 * entryRoom + 16 * streamRoom + 20 * pairRoom + 16;
      if (!memory.enter(need, 8, body)) return twin.decodePush(body);
      const request = memory.placeBytes(body, 0, body.length);
      const lines = memory.take(body.length + PAD_BYTES);
      const [ends, sec, nanos] = [memory.take(4 * entryRoom), memory.take(4 * entryRoom), memory.take(4 * entryRoom)];
      const [streams, pairs, counts] = [memory.take(16 * streamRoom), memory.take(20 * pairRoom), memory.take(16)];
      const code = module.decodePush(
        request,
        body.length,
        lines,
        ends,
        sec,
        nanos,
        entryRoom,
        streams,
        streamRoom,
        pairs,
        pairRoom,
        counts,
      );
      if (code === NO_ROOM) return twin.decodePush(body);
      if (code < 0) throw malformed("push request", code, body.length);
      const [entryCount, streamCount, metadataCount, lineBytes] = memory.words.subarray(counts >> 2, (counts >> 2) + 4);
      return {
        bytes: memory.byteView(lines, lineBytes!),
        entryCount: entryCount!,
        ends: memory.wordView(ends, entryCount!),
        sec: memory.wordView(sec, entryCount!),
        nanos: memory.wordView(nanos, entryCount!),
        streamCount: streamCount!,
        streams: memory.wordView(streams, 4 * streamCount!),
        metadataCount: metadataCount!,
        metadata: memory.wordView(pairs, 5 * metadataCount!),
      };
    },
  };
}

// Of the picks measured last: line bytes in all (a line may be picked twice), and the highest index + 1.
let pickBytes = 0;
let pickTop = 0;

function measurePicks(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, picks: Int32Array, pickCount: number): boolean {
  let low = bytes.length;
  let high = 0;
  pickBytes = pickTop = spanFrom = spanTo = 0;
  for (let k = 0; k < pickCount; k++) {
    const i = picks[k]!;
    const start = starts[i]!;
    const end = ends[i]!;
    if (!(i >= 0 && start >= 0 && end >= start && end <= bytes.length)) return false;
    if (start < low) low = start;
    if (end > high) high = end;
    if (i >= pickTop) pickTop = i + 1;
    pickBytes += end - start;
  }
  spanFrom = Math.min(low, high);
  spanTo = high;
  return true;
}

type CodecKernels = Pick<Kernels, "snappyCompress" | "snappyDecompress" | "lz4Compress" | "lz4Decompress">;

function codecKernels(module: KernelModule, memory: KernelMemory): CodecKernels {
  return {
    snappyCompress(source: Uint8Array): Uint8Array {
      const roomBytes = snappyBytesMax(source.length) + PAD_BYTES;
      if (!memory.enter(source.length + roomBytes, 2, source)) return twin.snappyCompress(source);
      const from = memory.placeBytes(source, 0, source.length);
      const out = memory.take(roomBytes);
      return memory.byteView(out, module.snappyCompress(from, source.length, out));
    },

    snappyDecompress(source: Uint8Array, maxBytes: number): Uint8Array {
      if (!memory.enter(source.length, 1, source)) return twin.snappyDecompress(source, maxBytes);
      const rawBytes = module.snappyRawBytes(memory.placeBytes(source, 0, source.length), source.length, maxBytes);
      if (rawBytes < 0) throw malformed("snappy block", rawBytes, source.length);
      if (!memory.enter(source.length + rawBytes + PAD_BYTES, 2, source)) return twin.snappyDecompress(source, maxBytes);
      const from = memory.placeBytes(source, 0, source.length);
      const out = memory.take(rawBytes + PAD_BYTES);
      const code = module.snappyDecompress(from, source.length, out, rawBytes);
      if (code < 0) throw malformed("snappy block", code, source.length);
      return memory.byteView(out, rawBytes);
    },

    lz4Compress(source: Uint8Array): Uint8Array {
      const roomBytes = lz4BytesMax(source.length) + PAD_BYTES;
      if (!memory.enter(source.length + roomBytes, 2, source)) return twin.lz4Compress(source);
      const from = memory.placeBytes(source, 0, source.length);
      const out = memory.take(roomBytes);
      return memory.byteView(out, module.lz4Compress(from, source.length, out));
    },

    lz4Decompress(source: Uint8Array, out: Uint8Array, rawBytes: number): void {
      if (rawBytes > out.length || !memory.enter(source.length + rawBytes, 2, source, out)) {
        twin.lz4Decompress(source, out, rawBytes);
        return;
      }
      const from = memory.placeBytes(source, 0, source.length);
      const target = memory.result(out, rawBytes);
      const code = module.lz4Decompress(from, source.length, target, rawBytes);
      memory.leave(code < 0 ? 0 : rawBytes);
      if (code < 0) throw malformed("lz4 block", code, source.length);
    },
  };
}

function pageKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "packPage" | "unpackPage"> {
  return {
    packPage(source: Uint8Array): Uint8Array {
      const [work, room] = [streamRoomBytes(source.length), packedRoomBytes(source.length)];
      const tooLarge = source.length > PACKED_BYTES_MAX;
      if (tooLarge || !memory.enter(source.length + work + room, 3, source)) return twin.packPage(source);
      const from = memory.placeBytes(source, 0, source.length);
      const streams = memory.take(work);
      const out = memory.take(room);
      const packedBytes = module.packPage(from, source.length, streams, out);
      if (packedBytes <= source.length) return memory.byteView(out, packedBytes);
      memory.bytes[out] = KIND_STORED;
      memory.bytes.copyWithin(out + 1, from, from + source.length);
      return memory.byteView(out, 1 + source.length);
    },

    unpackPage(source: Uint8Array, out: Uint8Array, rawBytes: number): void {
      const plain = source[0] !== KIND_PACKED || rawBytes > PACKED_BYTES_MAX || rawBytes > out.length;
      if (plain || !memory.enter(source.length + rawBytes + streamRoomBytes(rawBytes), 3, source, out)) {
        twin.unpackPage(source, out, rawBytes);
        return;
      }
      const from = memory.placeBytes(source, 0, source.length);
      const streams = memory.take(streamRoomBytes(rawBytes));
      const target = memory.result(out, rawBytes);
      const code = module.unpackPage(from, source.length, streams, target, rawBytes);
      memory.leave(code < 0 ? 0 : rawBytes);
      if (code < 0) throw malformed("page", code, source.length);
    },
  };
}

function findKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "find" | "findLines"> {
  let placed: Needle | undefined;

  /** Brings the needle to its place, unless it is there from the call before. */
  function place(needle: Needle): void {
    if (needle === placed) return;
    memory.bytes.set(needle.bytes, memory.needleAt);
    placed = needle;
  }

  return {
    find(bytes: Uint8Array, from: number, to: number, needle: Needle): number {
      const length = needle.bytes.length;
      const inRange = from >= 0 && to <= bytes.length && length <= to - from;
      if (length === 0 || !inRange || length > NEEDLE_BYTES_MAX) return twin.find(bytes, from, to, needle);
      place(needle);
      const { probeA, probeB } = needle;
      const fold = needle.ignoreCase ? 1 : 0;
      if (memory.isResident(bytes)) return module.find(bytes.byteOffset, from, to, memory.needleAt, length, probeA, probeB, fold);
      // Windows overlap by a needle less one byte.
      for (let at = from; at + length <= to; at += FIND_WINDOW_BYTES) {
        const end = Math.min(to, at + FIND_WINDOW_BYTES + length - 1);
        memory.enter(end - at, 1);
        const window = memory.placeBytes(bytes, at, end) - at;
        const hit = module.find(window, at, end, memory.needleAt, length, probeA, probeB, fold);
        if (hit >= 0) return hit;
      }
      return -1;
    },

    findLines(bytes: Uint8Array, ends: Int32Array, count: number, needle: Needle, hits: Int32Array): number {
      const length = needle.bytes.length;
      const most = Math.min(hits.length, count);
      const to = count === 0 ? 0 : Math.max(0, Math.min(ends[count - 1] ?? 0, bytes.length));
      const fits = length > 0 && length <= NEEDLE_BYTES_MAX && count <= ends.length;
      if (!fits || !memory.enter(to + 4 * count + 4 * most, 3, bytes, ends, hits)) return twin.findLines(bytes, ends, count, needle, hits);
      place(needle);
      const { probeA, probeB } = needle;
      const base = memory.placeBytes(bytes, 0, to);
      const lineEnds = memory.placeWords(ends, count);
      const found = memory.result(hits, most);
      const fold = needle.ignoreCase ? 1 : 0;
      const n = module.findLines(base, to, lineEnds, count, memory.needleAt, length, probeA, probeB, fold, found, most);
      memory.leave(n);
      return n;
    },
  };
}

function buildGramFilter(module: KernelModule, memory: KernelMemory, bytes: Uint8Array): Uint8Array {
  const filterRoom = filterBytesFor(bytes.length, bytes.length);
  if (!memory.enter(5 * bytes.length + filterRoom + PAD_BYTES, 3, bytes)) return twin.buildGramFilter(bytes);
  const text = memory.placeBytes(bytes, 0, bytes.length);
  const grams = memory.take(4 * bytes.length + PAD_BYTES);
  const count = module.sampleGrams(text, bytes.length, grams);
  const filterBytes = filterBytesFor(count, bytes.length);
  const filter = memory.take(filterBytes);
  module.setGrams(grams, count, filter, filterBytes);
  return memory.byteView(filter, filterBytes);
}
