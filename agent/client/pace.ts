// Several required clients, and which of them sets the pace. One that is in trouble, or slower than another, falls behind: what waits
// for it goes on disk (tenant-queue.ts). At least one never does, the one that is ahead: were all to wait on disk, nothing would bound
// the reading but the disk. So if all are away, reading stops, and the sources themselves are the queue.

import type { Client } from "./client.ts";

/** How often it is looked who is behind. */
const LOOK_MS = 250;
/** A client that is found full so often in turn, while another has room, is slower. */
const FULL_LOOKS = 4;

export class Pace {
  /** Required clients. */
  readonly #clients: readonly Client[];
  readonly #fullLooks = new Map<Client, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clients: readonly Client[]) {
    this.#clients = clients;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    this.heldUp();
    for (const client of this.#clients) {
      const isSlow = client.isFull && this.#others(client).some((other) => !other.isFull);
      const looks = isSlow ? (this.#fullLooks.get(client) ?? 0) + 1 : 0;
      this.#fullLooks.set(client, looks);
      if (looks >= FULL_LOOKS && client.hasDisk) client.fallBehind();
      client.look();
    }
  }

  /** To be called when sources have to wait: not for a client that is in trouble. */
  heldUp(): void {
    for (const client of this.#clients) if (client.inTrouble && client.hasDisk && this.#others(client).length > 0) client.fallBehind();
  }

  /** Those that could set the pace instead. */
  #others(client: Client): Client[] {
    return this.#clients.filter((other) => other !== client && other.goesDirect);
  }
}
