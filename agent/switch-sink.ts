import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import type { Sink } from "./sink.ts";

/** Leads to the clients of the present configuration, so that targets may outlive a reload that changes the clients. */
export class SwitchSink implements Sink {
  #current: Sink;

  constructor(current: Sink) {
    this.#current = current;
  }

  consume(batch: EntryBatch): Promise<void> | void {
    return this.#current.consume(batch);
  }

  switchTo(next: Sink): void {
    this.#current = next;
  }
}
