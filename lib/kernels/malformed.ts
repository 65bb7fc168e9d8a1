// What the decoders refuse, by number: the WebAssembly kernels return the number, the TypeScript ones throw it, so that both say the
// same about the same input.

import { MalformedInput } from "./kernels.ts";

export const TRUNCATED = -1;
export const VARINT_TOO_LONG = -2;
export const LENGTH_PAST_END = -3;
export const WRONG_WIRE_TYPE = -4;
export const ILLEGAL_TAG = -5;
export const TIME_OUT_OF_RANGE = -6;
export const GROUPS_TOO_DEEP = -7;
export const OFFSET_BEFORE_START = -8;
export const OUTPUT_OVERRUN = -9;
export const OUTPUT_SHORT = -10;
export const DECLARED_TOO_LARGE = -11;
export const DECLARED_IMPOSSIBLE = -12;
export const TRAILING_BYTES = -13;
export const BAD_HEADER = -14;
export const BAD_CODE_TABLE = -15;
export const STREAM_MISMATCH = -16;
/** Not a fault of the input: the kernel's room is too small for it, the TypeScript twin takes it. */
export const NO_ROOM = -100;

const TEXTS: Readonly<Record<number, string>> = {
  [TRUNCATED]: "it ends in the middle of a field",
  [VARINT_TOO_LONG]: "a varint is longer than its type allows",
  [LENGTH_PAST_END]: "a length reaches past the end",
  [WRONG_WIRE_TYPE]: "a field has another wire type than its message allows",
  [ILLEGAL_TAG]: "a tag has field number 0, wire type 6 or 7, or ends a group that was not begun",
  [TIME_OUT_OF_RANGE]: "a timestamp is outside the years 1 to 9999 or its nanoseconds outside 0 to 999999999",
  [GROUPS_TOO_DEEP]: "groups are nested more than 32 deep",
  [OFFSET_BEFORE_START]: "a copy reaches before the start of the output",
  [OUTPUT_OVERRUN]: "it decodes to more bytes than declared",
  [OUTPUT_SHORT]: "it decodes to fewer bytes than declared",
  [DECLARED_TOO_LARGE]: "its declared length is larger than allowed",
  [DECLARED_IMPOSSIBLE]: "its declared length is more than an input of its size can hold",
  [TRAILING_BYTES]: "bytes follow its end",
  [BAD_HEADER]: "its header is not one this version writes",
  [BAD_CODE_TABLE]: "a table of code lengths is not a complete prefix code",
  [STREAM_MISMATCH]: "a stream holds more or fewer values than the header says",
};

/** The error for a negative result of a decoder. @param what what was decoded, as a sentence's start: "snappy block" */
export function malformed(what: string, code: number, inputBytes: number): MalformedInput {
  return new MalformedInput(`${what} of ${inputBytes} bytes is malformed: ${TEXTS[code] ?? `code ${code}`}`);
}
