// One client of a tail: history first, then what comes, until the client goes, an error, or the longest time a tail may last.

import type { WebSocket } from "ws";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import type { KeptEntry } from "../query/entry-keeper.ts";
import type { Tail } from "../query/tail.ts";
import type { TailFrame } from "./tail-frame.ts";

const PING_EVERY_MS = 1_000;
/** A client that answered no ping for so long is gone. */
const SILENCE_MAX_MS = 60_000;
/** What comes within this time goes into one frame. */
const GATHER_MS = 20;
/** While the socket holds more than this, entries wait in the tail's queue. */
const SOCKET_BUFFER_BYTES_MAX = 4 * 1024 * 1024;
const INTERNAL_ERROR = 1011;
/** Close frames hold 125 bytes, two of them the code. */
const REASON_BYTES_MAX = 123;

export interface TailConnectionOptions {
  /** @throws LogqlError when the query cannot be tailed, which is said after the upgrade */
  readonly open: () => Tail;
  /** Begins to read the history, oldest entry first. Everything stored before the call is in it, nothing that comes later. */
  readonly history: () => Promise<readonly KeptEntry[]>;
  /** From now on, `onPush` gets every push of the tenant while its columns are valid; returns how to stop. */
  readonly listen: (onPush: (push: AcceptedPush) => void) => () => void;
  readonly frame: (frame: TailFrame) => string;
  readonly delayMs: number;
  readonly maxDurationMs: number;
  readonly clock: Clock;
  readonly onClose: () => void;
}

export function serveTail(socket: WebSocket, options: TailConnectionOptions): void {
  const { clock, delayMs } = options;
  let stopListening = (): void => {};
  let gathering: NodeJS.Timeout | undefined;
  let historySent = false;
  let heardMs = clock.nowMs();
  const timers = [setInterval(ping, PING_EVERY_MS)];
  if (options.maxDurationMs > 0) timers.push(setTimeout(() => fail("reached tail max duration limit"), options.maxDurationMs));

  socket.on("pong", () => (heardMs = clock.nowMs()));
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    stopListening();
    for (const timer of timers) clearTimeout(timer);
    clearTimeout(gathering);
    options.onClose();
  });

  try {
    const tail = options.open();
    // Both in one turn: an entry is either in the history or offered, never both, never neither.
    const history = options.history();
    stopListening = options.listen((push) => offer(tail, push));
    history.then(
      (entries) => {
        if (entries.length > 0) send({ entries, dropped: [] });
        historySent = true;
        gather(tail);
      },
      (error: unknown) => fail(messageOf(error)),
    );
  } catch (error) {
    fail(messageOf(error));
  }

  function offer(tail: Tail, push: AcceptedPush): void {
    try {
      if (tail.offer(push, clock.nowMs())) gather(tail);
    } catch (error) {
      // Storage must not hear of it.
      fail(messageOf(error));
    }
  }

  function gather(tail: Tail): void {
    if (!historySent || gathering !== undefined || tail.isEmpty || socket.readyState !== socket.OPEN) return;
    gathering = setTimeout(() => {
      gathering = undefined;
      if (socket.bufferedAmount <= SOCKET_BUFFER_BYTES_MAX) {
        const { entries, dropped } = tail.take(clock.nowMs() - delayMs);
        if (entries.length > 0 || dropped.length > 0) send({ entries, dropped });
      }
      gather(tail);
    }, GATHER_MS);
  }

  function send(frame: TailFrame): void {
    if (socket.readyState === socket.OPEN) socket.send(options.frame(frame));
  }

  function ping(): void {
    if (clock.nowMs() - heardMs > SILENCE_MAX_MS) socket.terminate();
    else if (socket.readyState === socket.OPEN) socket.ping();
  }

  function fail(reason: string): void {
    stopListening();
    const bytes = Buffer.from(reason);
    // Cut between characters: a broken one would make the frame invalid.
    let end = Math.min(bytes.length, REASON_BYTES_MAX);
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
    socket.close(INTERNAL_ERROR, bytes.subarray(0, end));
  }
}
