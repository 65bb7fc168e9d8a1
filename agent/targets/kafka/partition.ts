// One partition in this member's hands: what was handed on, what is acknowledged of it, and what the group was told of that.

import type { Ticket } from "../../../lib/wire/entry-batch.ts";
import { TicketLedger } from "../../tickets.ts";

export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly #onDone: (sizeBytes: number) => void;
  #ledger: TicketLedger | undefined;
  /** Whether the messages that came last were not all taken, for an error between. */
  interrupted = false;
  /** The offset that was committed last. */
  #told = -1;

  constructor(topic: string, partition: number, onDone: (sizeBytes: number) => void) {
    this.topic = topic;
    this.partition = partition;
    this.#onDone = onDone;
  }

  /** The offset behind the last message that was handed on; undefined before the first. */
  get next(): number | undefined {
    return this.#ledger?.issued();
  }

  get settled(): boolean {
    return this.#ledger?.settled ?? true;
  }

  /** The offset to commit, when it has moved. */
  get toCommit(): number | undefined {
    const acknowledged = this.#ledger?.committed() ?? -1;
    return acknowledged > this.#told ? acknowledged : undefined;
  }

  /**
   * Messages from this offset on have come, of a log that ends at `end`. Those before `next` were handed on already, where the library
   * was interrupted and gives them again. Otherwise an offset before it is that of a topic that was deleted and made anew: counting
   * begins again, and what is still on its way has nothing to commit any more.
   */
  begin(offset: number, end: number): void {
    const next = this.next;
    if (next !== undefined && (offset >= next || (this.interrupted && end >= next))) return;
    this.#ledger = new TicketLedger(offset, "", { onDone: this.#onDone });
    this.#told = offset;
  }

  /** A ticket for the messages before `end`. */
  issue(end: number, sizeBytes: number): Ticket {
    return this.#ledger!.issue(end, "", sizeBytes);
  }

  told(offset: number): void {
    this.#told = Math.max(this.#told, offset);
  }
}
