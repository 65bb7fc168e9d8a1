// A named pipe as a stream. Opening one waits for the other side, and reading one waits for bytes, each in one of Node's few threads;
// opened without waiting it is watched like a socket.

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";

export interface Fifo {
  readonly stream: Socket;
  /** Lets the stream end when its writers have closed it. Before, it has no end, for the writer may not be there yet. */
  expectEnd(): void;
  close(): void;
}

/** @throws Error when there is no such pipe */
export function openFifo(path: string): Fifo {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let writingFd: number | undefined;
  try {
    if (!fstatSync(fd).isFIFO()) throw new Error(`${path} is no named pipe`);
    writingFd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const stream = new Socket({ fd, readable: true, writable: false });
  const expectEnd = (): void => {
    if (writingFd !== undefined) closeSync(writingFd);
    writingFd = undefined;
  };
  return {
    stream,
    expectEnd,
    close: () => {
      expectEnd();
      stream.destroy();
    },
  };
}
