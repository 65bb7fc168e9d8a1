// From acknowledgements, which come in any order, to a position, which only moves over what is dealt with.
//
//   read order     [ticket 0 | ends 100][ticket 1 | ends 250][ticket 2 | ends 400]
//   holds left            0                    1                    0
//   committed      ------- 100                                             (2 is done, but 1 is not)

import { invariant } from "../lib/runtime/invariant.ts";
import type { Ticket } from "../lib/wire/entry-batch.ts";

export interface TicketEvents {
  /** The committed position has moved. `mark` is what was given to `issue` for it. */
  readonly onCommit?: (position: number, mark: string) => void;
  /** A ticket's last hold is gone (in any order); `sizeBytes` is what it covered. */
  readonly onDone?: (sizeBytes: number) => void;
}

/** Several are in memory for each file that is written to, so it is one small object. */
class IssuedTicket implements Ticket {
  readonly end: number;
  readonly sizeBytes: number;
  readonly mark: string;
  holdCount = 1;
  readonly #ledger: TicketLedger;

  constructor(ledger: TicketLedger, end: number, sizeBytes: number, mark: string) {
    this.#ledger = ledger;
    this.end = end;
    this.sizeBytes = sizeBytes;
    this.mark = mark;
  }

  hold(): void {
    invariant(this.holdCount > 0, "a ticket is not held after its last release");
    this.holdCount++;
  }

  release(): void {
    invariant(this.holdCount > 0, "a ticket is released once per hold");
    if (--this.holdCount === 0) this.#ledger.released(this.sizeBytes);
  }

  abandon(): void {
    this.#ledger.abandoned();
  }
}

/** The promises of one file generation (or any source with a growing position), in read order. */
export class TicketLedger {
  readonly #events: TicketEvents;
  readonly #queue: IssuedTicket[] = [];
  #first = 0;
  #committed: number;
  #committedMark: string;
  #issued: number;
  #abandoned = false;
  #discarded = false;

  /** @param position where reading starts: everything before it counts as dealt with */
  constructor(position: number, mark = "", events: TicketEvents = {}) {
    this.#committed = position;
    this.#issued = position;
    this.#committedMark = mark;
    this.#events = events;
  }

  /**
   * A ticket for what was read up to `endPosition`, held once by the caller, who releases it when the batch has been handed on.
   *
   * @param mark travels with the position to `committedMark` (a fingerprint of the bytes before it)
   * @param sizeBytes what `onDone` is told; the way from the last position to this one unless positions are no bytes
   */
  issue(endPosition: number, mark = "", sizeBytes = endPosition - this.#issued): Ticket {
    invariant(endPosition >= this.#issued, `positions are issued in order: ${endPosition} after ${this.#issued}`);
    const ticket = new IssuedTicket(this, endPosition, sizeBytes, mark);
    this.#issued = endPosition;
    this.#queue.push(ticket);
    return ticket;
  }

  /** The last hold of one of its tickets is gone. */
  released(sizeBytes: number): void {
    if (this.#discarded) return;
    this.#events.onDone?.(sizeBytes);
    this.#advance();
  }

  /** A holder of one of its tickets has given up. */
  abandoned(): void {
    this.#abandoned = true;
  }

  /** End of the longest prefix of tickets whose holds are all gone. */
  committed(): number {
    return this.#committed;
  }

  committedMark(): string {
    return this.#committedMark;
  }

  /** End of the last ticket: how far the source has been read. */
  issued(): number {
    return this.#issued;
  }

  /** Whether a holder has given up: the position will never move over its ticket. */
  get hasAbandoned(): boolean {
    return this.#abandoned;
  }

  /** Forgets the promises: what is left of them counts as done with, and their holders' releases mean nothing any more. */
  discard(): void {
    this.#discarded = true;
    for (const ticket of this.#queue.slice(this.#first)) if (ticket.holdCount > 0) this.#events.onDone?.(ticket.sizeBytes);
  }

  get settled(): boolean {
    return this.#first === this.#queue.length;
  }

  #advance(): void {
    const before = this.#first;
    while (this.#first < this.#queue.length && this.#queue[this.#first]!.holdCount === 0) {
      this.#committed = this.#queue[this.#first]!.end;
      this.#committedMark = this.#queue[this.#first]!.mark;
      this.#first++;
    }
    if (this.#first === before) return;
    if (this.#first === this.#queue.length || this.#first > 64) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
    this.#events.onCommit?.(this.#committed, this.#committedMark);
  }
}

/** How many holds a ticket of a ledger has; the source may reuse a batch's bytes when only its own is left. */
export function holdCountOf(ticket: Ticket): number {
  return (ticket as IssuedTicket).holdCount;
}
