// Numbers shared with malformed.ts.

export const TRUNCATED: i32 = -1;
export const VARINT_TOO_LONG: i32 = -2;
export const LENGTH_PAST_END: i32 = -3;
export const WRONG_WIRE_TYPE: i32 = -4;
export const ILLEGAL_TAG: i32 = -5;
export const TIME_OUT_OF_RANGE: i32 = -6;
export const GROUPS_TOO_DEEP: i32 = -7;
export const OFFSET_BEFORE_START: i32 = -8;
export const OUTPUT_OVERRUN: i32 = -9;
export const OUTPUT_SHORT: i32 = -10;
export const DECLARED_TOO_LARGE: i32 = -11;
export const DECLARED_IMPOSSIBLE: i32 = -12;
export const TRAILING_BYTES: i32 = -13;
export const BAD_HEADER: i32 = -14;
export const BAD_CODE_TABLE: i32 = -15;
export const STREAM_MISMATCH: i32 = -16;
export const NO_ROOM: i32 = -100;
