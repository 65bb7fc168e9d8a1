import type { SpooledRecord } from "./segments.ts";

/** Kept for a reader that keeps up: it reads no file. */
const RECENT_BYTES_MAX = 4 * 1024 * 1024;

/** What was written last and not yet read, in order up to the end of the spool. */
export class RecentRecords {
  #records: SpooledRecord[] = [];
  #bytes = 0;

  /** Adds records that were written one after the other from a position on; the oldest give way. */
  add(records: readonly Buffer[], from: number): void {
    let position = from;
    for (const bytes of records) {
      this.#records.push({ bytes, position, end: position + bytes.length });
      this.#bytes += bytes.length;
      position += bytes.length;
    }
    while (this.#bytes > RECENT_BYTES_MAX) this.#shift();
  }

  /** The record that begins at a position; those before it are forgotten. */
  at(position: number): SpooledRecord | undefined {
    while (this.#records.length > 0 && this.#records[0]!.position < position) this.#shift();
    return this.#records[0]?.position === position ? this.#records[0] : undefined;
  }

  #shift(): void {
    this.#bytes -= this.#records.shift()!.bytes.length;
  }
}
