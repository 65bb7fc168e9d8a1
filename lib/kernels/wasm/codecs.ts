// Calls of the codecs: snappy, LZ4, pages.

import { type KernelMemory, PAD_BYTES } from "../kernel-memory.ts";
import type { Kernels } from "../kernels.ts";
import { typescriptKernels as twin } from "../kernels-typescript.ts";
import { malformed } from "../malformed.ts";
import { KIND_PACKED, KIND_STORED, PACKED_BYTES_MAX, packedRoomBytes, streamRoomBytes } from "../page-codec.ts";
import { lz4BytesMax } from "../typescript/lz4.ts";
import { snappyBytesMax } from "../typescript/snappy.ts";
import type { KernelModule } from "./module.ts";

type CodecKernels = Pick<Kernels, "snappyCompress" | "snappyDecompress" | "lz4Compress" | "lz4Decompress">;

export function codecKernels(module: KernelModule, memory: KernelMemory): CodecKernels {
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

export function pageKernels(module: KernelModule, memory: KernelMemory): Pick<Kernels, "packPage" | "unpackPage"> {
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
