// A push, decoded: columns over all its entries and the streams as runs of entries. What every encoding of a push becomes.

import type { MetadataPair } from "./entry-batch.ts";
import { type FarSeconds, SEC_MAX, SEC_MIN } from "./far-times.ts";
import type { LabelSet } from "./labels.ts";

/** A body that is not a push. The text names what is wrong and where. */
export class PushError extends Error {
  override readonly name: string = "PushError";
}

/** A body is longer than it may be, by its own account or as far as it was inflated; no more than the limit was allocated for it. */
export class PushTooLarge extends PushError {
  override readonly name = "PushTooLarge";
  constructor(gotBytes: number, limitBytes: number) {
    super(`request body too large: ${gotBytes} bytes, limit: ${limitBytes} bytes`);
  }
}

export interface PushColumns {
  /** All lines in order of arrival, each followed by one line feed. Views may be the kernels': valid until the next kernel call. */
  readonly bytes: Uint8Array;
  readonly entryCount: number;
  /** Line i is `bytes[i === 0 ? 0 : ends[i - 1] + 1, ends[i])`. */
  readonly ends: Int32Array;
  readonly sec: Int32Array;
  readonly nanos: Int32Array;
  readonly streams: readonly PushStream[];
  /** Structured metadata by entry; sparse. */
  readonly metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  /** True seconds of entries whose time `sec` cannot hold; absent: there are none. */
  readonly farSeconds?: FarSeconds;
}

export interface PushStream {
  /** `{a="b"}` as the client wrote it. */
  readonly labelsText: string;
  /** Entries `[from, to)`. */
  readonly from: number;
  readonly to: number;
}

/** Start of line i. */
export function lineStart(ends: Int32Array, i: number): number {
  return i === 0 ? 0 : ends[i - 1]! + 1;
}

/** Collects entries one by one, for the encodings that are not decoded by a kernel. */
export class PushBuilder {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #used = 0;
  readonly #ends: number[] = [];
  readonly #sec: number[] = [];
  readonly #nanos: number[] = [];
  readonly #streams: PushStream[] = [];
  #metadata: (readonly MetadataPair[] | undefined)[] | undefined;
  #farSeconds: Map<number, number> | undefined;

  beginStream(labelsText: string): void {
    this.#endStream();
    this.#streams.push({ labelsText, from: this.#ends.length, to: this.#ends.length });
  }

  add(sec: number, nanos: number, line: string, metadata: readonly MetadataPair[] | undefined): void {
    const most = line.length * 3 + 1;
    if (this.#used + most > this.#bytes.length) {
      const wider = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + most));
      this.#bytes.copy(wider, 0, 0, this.#used);
      this.#bytes = wider;
    }
    this.#used += this.#bytes.write(line, this.#used, "utf8");
    if (metadata !== undefined && metadata.length > 0) {
      this.#metadata ??= [];
      this.#metadata[this.#ends.length] = metadata;
    }
    const held = Math.max(SEC_MIN, Math.min(SEC_MAX, sec));
    if (held !== sec) (this.#farSeconds ??= new Map()).set(this.#ends.length, sec);
    this.#ends.push(this.#used);
    this.#bytes[this.#used++] = 10;
    this.#sec.push(held);
    this.#nanos.push(nanos);
  }

  #endStream(): void {
    const last = this.#streams.at(-1);
    if (last !== undefined) this.#streams[this.#streams.length - 1] = { ...last, to: this.#ends.length };
  }

  finish(): PushColumns {
    this.#endStream();
    return {
      bytes: this.#bytes.subarray(0, this.#used),
      entryCount: this.#ends.length,
      ends: Int32Array.from(this.#ends),
      sec: Int32Array.from(this.#sec),
      nanos: Int32Array.from(this.#nanos),
      streams: this.#streams,
      metadata: this.#metadata,
      ...(this.#farSeconds === undefined ? {} : { farSeconds: this.#farSeconds }),
    };
  }
}

/** A stream with its entries one by one, for writers that are not in a hurry (tests, commands). */
export interface PushStreamEntries {
  readonly labels: LabelSet;
  readonly entries: readonly {
    readonly sec: number;
    readonly nanos: number;
    readonly line: string;
    readonly metadata?: readonly MetadataPair[];
  }[];
}
