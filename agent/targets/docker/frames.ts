// Docker's stream of both outputs of a container without a terminal:
// https://docs.docker.com/reference/api/engine/version/v1.43/#tag/Container/operation/ContainerAttach
//
//   [stream 1 byte: 0 stdin, 1 stdout, 2 stderr, 3 error of the daemon][0 0 0][bytes of the payload, 4, big-endian][payload] …
//
// A frame holds one write of the daemon: one entry, or one part of a long one.

export type LogStream = "stdout" | "stderr";

export interface FrameEvents {
  /** A frame begins. */
  begin(stream: LogStream): void;
  /** The next bytes of the frame's payload. */
  data(stream: LogStream, bytes: Buffer): void;
}

const HEADER_BYTES = 8;
const DAEMON_ERROR = 3;
const ERROR_BYTES_MAX = 1_024;

/** Takes the stream apart as it comes; payloads are handed on in pieces, never gathered. */
export class FrameReader {
  readonly #events: FrameEvents;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0;
  #type = 0;
  #error = "";

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** @throws Error with what the daemon says went wrong, or when this is no such stream */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#payloadLeft === 0) {
        at += this.#takeHeader(chunk, at);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#payloadLeft);
      this.#payloadLeft -= end - at;
      this.#takePayload(chunk.subarray(at, end));
      at = end;
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#header, this.#headerBytes, at);
    this.#headerBytes += taken;
    if (this.#headerBytes < HEADER_BYTES) return taken;
    this.#headerBytes = 0;
    const header = this.#header;
    this.#type = header[0]!;
    if (this.#type > DAEMON_ERROR || header[1] !== 0 || header[2] !== 0 || header[3] !== 0) {
      throw new Error(`not a stream of frames: a header begins with ${header.subarray(0, 4).toString("hex")}`);
    }
    this.#payloadLeft = header.readUInt32BE(4);
    if (this.#type !== DAEMON_ERROR && this.#payloadLeft > 0) this.#events.begin(nameOf(this.#type));
    return taken;
  }

  #takePayload(bytes: Buffer): void {
    if (this.#type !== DAEMON_ERROR) return this.#events.data(nameOf(this.#type), bytes);
    if (this.#error.length < ERROR_BYTES_MAX) this.#error += bytes.toString("utf8");
    if (this.#payloadLeft === 0) throw new Error(`the daemon ends the stream: ${this.#error.trim()}`);
  }
}

/** What is written to standard input is shown with standard output, as Docker's own client does. */
function nameOf(type: number): LogStream {
  return type === 2 ? "stderr" : "stdout";
}
