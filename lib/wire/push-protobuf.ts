// The protobuf form of a push, logproto.PushRequest in a snappy block (reference agent-features §7.2):
//
//   PushRequest { streams = 1 { labels = 1, entries = 2 { timestamp = 1 { seconds = 1, nanos = 2 }, line = 2, metadata = 3 { name = 1, value = 2 } } } }

import { kernels } from "../kernels/index.ts";
import { MalformedInput } from "../kernels/kernels.ts";
import type { MetadataPair } from "./entry-batch.ts";
import { farSecondsOf } from "./far-times.ts";
import { protoField, protoInteger } from "./protobuf.ts";
import { type PushColumns, PushError, type PushStream, type PushStreamEntries, PushTooLarge } from "./push-columns.ts";

/**
 * @param packed a snappy block (not framed) of a PushRequest
 * @param limitBytes of the unpacked request
 * @returns columns whose arrays are the kernels' own: valid until the next kernel call
 * @throws PushTooLarge, PushError
 */
export function decodePushProtobuf(packed: Uint8Array, limitBytes: number): PushColumns {
  const declared = declaredBytes(packed);
  if (declared > limitBytes) throw new PushTooLarge(declared, limitBytes);
  try {
    return columnsOf(unpack(packed, limitBytes));
  } catch (error) {
    if (error instanceof MalformedInput) throw new PushError(error.message, { cause: error });
    throw error;
  }
}

function unpack(packed: Uint8Array, limitBytes: number): Uint8Array {
  try {
    return kernels.snappyDecompress(packed, limitBytes);
  } catch (error) {
    if (error instanceof MalformedInput) throw new PushError("snappy: corrupt input", { cause: error });
    throw error;
  }
}

/** A snappy block begins with its length as a varint; 0 when that is malformed, which the decoder then says. */
function declaredBytes(packed: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < Math.min(packed.length, 5); i++) {
    value += (packed[i]! & 0x7f) * 2 ** (7 * i);
    if (packed[i]! < 0x80) return value > 0xffffffff ? 0 : value;
  }
  return 0;
}

function columnsOf(request: Uint8Array): PushColumns {
  // The request may lie in the kernels' memory, where decoding writes: texts are cut out of a view of it before anything else runs.
  const text = Buffer.from(request.buffer, request.byteOffset, request.length);
  const decoded = kernels.decodePush(request);
  const streams: PushStream[] = [];
  for (let s = 0; s < decoded.streamCount; s++) {
    const at = s * 4;
    streams.push({
      labelsText: text.toString("utf8", decoded.streams[at]!, decoded.streams[at + 1]!),
      from: decoded.streams[at + 2]!,
      to: decoded.streams[at + 3]!,
    });
  }
  const farSeconds = farSecondsOf(text, decoded.sec, decoded.entryCount);
  const columns = { ...decoded, streams, metadata: metadataOf(text, decoded.metadataCount, decoded.metadata) };
  return farSeconds === undefined ? columns : { ...columns, farSeconds };
}

function metadataOf(text: Buffer, count: number, spans: Int32Array): (MetadataPair[] | undefined)[] | undefined {
  if (count === 0) return undefined;
  const byEntry: (MetadataPair[] | undefined)[] = [];
  for (let m = 0; m < count; m++) {
    const at = m * 5;
    const entry = spans[at]!;
    const pair: MetadataPair = [
      text.toString("utf8", spans[at + 1]!, spans[at + 2]!),
      text.toString("utf8", spans[at + 3]!, spans[at + 4]!),
    ];
    const pairs = byEntry[entry];
    if (pairs === undefined) byEntry[entry] = [pair];
    else pairs.push(pair);
  }
  return byEntry;
}

/** The snappy block of a push, entry by entry; the agent's client has a faster way for whole batches. */
export function encodePushProtobuf(streams: readonly PushStreamEntries[]): Uint8Array {
  return kernels.snappyCompress(encodePushRequest(streams)).slice();
}

/** The same before compression. */
export function encodePushRequest(streams: readonly PushStreamEntries[]): Uint8Array {
  return Buffer.concat(
    streams.map(({ labels, entries }) =>
      protoField(1, [
        protoField(1, [Buffer.from(labels.toString())]),
        ...entries.map(({ sec, nanos, line, metadata = [] }) =>
          protoField(2, [
            protoField(1, [...protoInteger(1, sec), ...protoInteger(2, nanos)]),
            protoField(2, [Buffer.from(line)]),
            ...metadata.map(([name, value]) => protoField(3, [protoField(1, [Buffer.from(name)]), protoField(2, [Buffer.from(value)])])),
          ]),
        ),
      ]),
    ),
  );
}
