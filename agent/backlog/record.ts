// What the backlog keeps of a sealed batch: the body of a record (../spool/frame.ts). All numbers are little endian.
//
//   body     := | head bytes <4b> | head | request |
//   head     := JSON, see BatchHead
//   request  := snappy of the push request, as it is sent

import type { SealedBatch } from "../client/open-batch.ts";
import { entryCountOf, RECORD_HEADER_BYTES, writeHeader } from "../spool/frame.ts";

export interface BatchHead {
  readonly tenant: string;
  /** The labels of its streams as they are sent, by which batches are kept from overtaking each other. */
  readonly streams: readonly string[];
  /** Lines and metadata, uncompressed. */
  readonly lineBytes: number;
  /** Counts the batches of a tenant's backlog. */
  readonly sequence: number;
  /** When it was put here, ms since 1970. */
  readonly sinceMs: number;
}

const HEAD_AT = RECORD_HEADER_BYTES + 4;

export function encodeBatch(
  { body, entryCount, lineBytes, streams }: SealedBatch,
  { tenant, sequence, sinceMs }: Pick<BatchHead, "tenant" | "sequence" | "sinceMs">,
): Buffer {
  const head = Buffer.from(JSON.stringify({ tenant, streams, lineBytes, sequence, sinceMs } satisfies BatchHead));
  const record = Buffer.allocUnsafeSlow(HEAD_AT + head.length + body.length);
  record.writeUInt32LE(head.length, RECORD_HEADER_BYTES);
  record.set(head, HEAD_AT);
  record.set(body, HEAD_AT + head.length);
  writeHeader(record, entryCount);
  return record;
}

/**
 * @param record an intact record
 * @throws Error when it is not what this version writes
 */
export function headOf(record: Buffer): BatchHead {
  const head = JSON.parse(record.toString("utf8", HEAD_AT, headEnd(record))) as Partial<BatchHead>;
  const { tenant, streams, lineBytes, sequence, sinceMs } = head;
  if (typeof tenant !== "string" || !Array.isArray(streams) || ![lineBytes, sequence, sinceMs].every(Number.isSafeInteger))
    throw new Error(`a record of the backlog cannot have the head ${JSON.stringify(head).slice(0, 200)}`);
  return head as BatchHead;
}

/** @returns a copy: the record's bytes are not needed afterwards */
export function batchOf(record: Buffer, { lineBytes, streams }: BatchHead): SealedBatch {
  const body = Buffer.from(record.subarray(headEnd(record)));
  return { body, buffer: body, entryCount: entryCountOf(record), lineBytes, streams, tickets: [] };
}

function headEnd(record: Buffer): number {
  const end = HEAD_AT + record.readUInt32LE(RECORD_HEADER_BYTES);
  if (end > record.length) throw new Error(`a record of ${record.length} bytes cannot have a head that ends at ${end}`);
  return end;
}
