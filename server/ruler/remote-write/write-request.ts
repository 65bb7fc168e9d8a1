// Prometheus' remote write 1.0 (specification "Prometheus Remote-Write 1.0"):
//
//   WriteRequest { timeseries = 1 { labels = 1 { name = 1, value = 2 }, samples = 2 { value = 1 (double), timestamp = 2 (ms) } } }
//
// A request is a repeated field and nothing else, so requests put end to end are one request.

import { protoField, protoInteger } from "../../../lib/wire/protobuf.ts";
import type { RecordedSample } from "../evaluate-recording.ts";

/** Prometheus' NaN that ends a series, and the one that is only a number. */
const STALE_NAN = 0x7ff0000000000002n;
const NORMAL_NAN = 0x7ff8000000000001n;

/** One series with one sample. */
export function encodeSample({ labels, timeMs, value }: RecordedSample): Buffer {
  return protoField(1, [
    ...labels.names.map((name, i) => protoField(1, [protoField(1, [Buffer.from(name)]), protoField(2, [Buffer.from(labels.values[i]!)])])),
    protoField(2, [double(1, value), ...protoInteger(2, timeMs)]),
  ]);
}

const TYPE_64_BIT = 1;

function double(number: number, value: number | "stale"): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (number << 3) | TYPE_64_BIT;
  if (value === "stale") bytes.writeBigUInt64LE(STALE_NAN, 1);
  else if (Number.isNaN(value)) bytes.writeBigUInt64LE(NORMAL_NAN, 1);
  else bytes.writeDoubleLE(value, 1);
  return bytes;
}
