import type { Receipt } from "../client/disk-queue.ts";

/** Of a batch that was in flight when it was put on disk: may be released before or after its record's own ticket is issued. */
export class HandedTicket implements Receipt {
  #isReleased = false;
  #own: Receipt | undefined;

  release(): void {
    this.#isReleased = true;
    this.#own?.release();
  }

  /** The record was come by. */
  standFor(own: Receipt): void {
    this.#own = own;
    if (this.#isReleased) own.release();
  }
}
