// Which lines of a time range were handed on already, for the case that its answer is cut off and asked for again: the order of lines is
// not the same every time, so they are known by what is in them.

import { createHash } from "node:crypto";

/** Lines remembered of one range, some 100 bytes each; of those beyond, a cut answer repeats some. */
const REMEMBERED_MAX = 200_000;

export class SentLines {
  /** How often a line was handed on, by its digest: without a field that is unique, lines may be alike. */
  readonly #counts = new Map<string, number>();
  #pending = new Map<string, number>();

  /** A further try begins: what was handed on by those before is left out once. */
  begin(): void {
    this.#pending = new Map(this.#counts);
  }

  /** Whether the line is still to be handed on, which it then counts as. */
  take(line: Uint8Array): boolean {
    const digest = createHash("sha1").update(line).digest("base64");
    const pending = this.#pending.get(digest) ?? 0;
    if (pending > 0) {
      this.#pending.set(digest, pending - 1);
      return false;
    }
    if (this.#counts.has(digest) || this.#counts.size < REMEMBERED_MAX) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    return true;
  }
}
