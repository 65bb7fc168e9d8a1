import { isUtf8 } from "node:buffer";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";

/** Makes every line UTF-8, as a push demands: what is not becomes U+FFFD. */
export function cleanLines(batch: EntryBatch): void {
  if (isUtf8(batch.bytes.subarray(0, batch.bytesUsed))) return;
  for (let i = 0; i < batch.count; i++) if (!isUtf8(batch.lineBytes(i))) batch.setLine(i, batch.line(i));
}
