// RFC 3339, as typescript/rfc3339.ts describes it. Most lines share their date with the line before, whose day is remembered.

/** Result of the last `parseTime` that returned true. */
export let parsedSec: i32 = 0;
export let parsedNanos: i32 = 0;

// The ten bytes of the date seen last, and the seconds from 1970 to its midnight.
let dateHead: u64 = 0;
let dateTail: u32 = 0;
let dateSec: i64 = 0;

const BAD: i32 = -10_000;

export function parseRfc3339(base: usize, starts: usize, ends: usize, count: i32, sec: usize, nanos: usize, ok: usize): i32 {
  let okCount = 0;
  for (let i = 0; i < count; i++) {
    const start = load<i32>(starts + (i << 2));
    const good = start >= 0 && parseTime(base + start, base + load<i32>(ends + (i << 2)));
    store<u8>(ok + i, good ? 1 : 0);
    store<i32>(sec + (i << 2), good ? parsedSec : 0);
    store<i32>(nanos + (i << 2), good ? parsedNanos : 0);
    if (good) okCount++;
  }
  return okCount;
}

/** Parses the whole of [start, end). */
export function parseTime(start: usize, end: usize): bool {
  if (<i32>(end - start) < 19) return false;
  if (load<u8>(start + 10) != 0x54 || !parseDate(start)) return false;
  let at = start + 11;
  let hour = twoDigits(at);
  if (hour >= 0) at += 2;
  else {
    hour = <i32>load<u8>(at++) - 48;
    if (<u32>hour > 9) return false;
  }
  if (hour > 23 || <i32>(end - at) < 7) return false;
  const minute = twoDigits(at + 1);
  const second = twoDigits(at + 4);
  if (<u32>minute > 59 || <u32>second > 59 || load<u8>(at) != 0x3a || load<u8>(at + 3) != 0x3a) return false;
  at += 6;

  let fraction: u32 = 0;
  let byte: u32 = load<u8>(at);
  if ((byte == 0x2e || byte == 0x2c) && at + 1 < end && isDigit(load<u8>(at + 1))) {
    at++;
    let digits = 0;
    for (; at < end; at++) {
      byte = load<u8>(at);
      if (!isDigit(byte)) break;
      if (digits++ < 9) fraction = fraction * 10 + (byte - 48);
    }
    for (; digits < 9; digits++) fraction *= 10;
  }
  let offset = 0;
  if (end - at == 1) {
    if (load<u8>(at) != 0x5a) return false;
  } else {
    offset = parseOffset(at, end);
    if (offset == BAD * 10_000) return false;
  }
  const seconds = dateSec + <i64>(hour * 3_600 + minute * 60 + second - offset);
  if (seconds != <i64>(<i32>seconds)) return false;
  parsedSec = <i32>seconds;
  parsedNanos = <i32>fraction;
  return true;
}

/** Sets `dateSec` from the ten bytes `2006-01-02`. */
function parseDate(at: usize): bool {
  const head = load<u64>(at);
  const tail: u32 = load<u16>(at + 8);
  if (head == dateHead && tail == dateTail) return true;
  const century = twoDigits(at);
  const ofCentury = twoDigits(at + 2);
  const month = twoDigits(at + 5);
  const day = twoDigits(at + 8);
  if (century < 0 || ofCentury < 0 || month < 1 || day < 1 || month > 12) return false;
  if (load<u8>(at + 4) != 0x2d || load<u8>(at + 7) != 0x2d) return false;
  const year = century * 100 + ofCentury;
  if (day > daysIn(year, month)) return false;
  const y = month > 2 ? year : year - 1;
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  // The year before the year 0 is the last of its 400 years: shifted by 400 years so that division rounds down.
  const z = y + 400;
  const days = z * 365 + z / 4 - z / 100 + z / 400 + dayOfYear - 719_468 - 146_097;
  dateSec = <i64>days * 86_400;
  dateHead = head;
  dateTail = tail;
  return true;
}

function daysIn(year: i32, month: i32): i32 {
  if (month != 2) return 30 + ((month + (month >> 3)) & 1);
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
}

/** Seconds east of UTC of `±hh:mm`, which must be all of [at, end). */
function parseOffset(at: usize, end: usize): i32 {
  const sign: u32 = load<u8>(at);
  if (end - at != 6 || load<u8>(at + 3) != 0x3a || (sign != 0x2b && sign != 0x2d)) return BAD * 10_000;
  const hours = twoDigits(at + 1);
  const minutes = twoDigits(at + 4);
  if (<u32>hours > 24 || <u32>minutes > 60) return BAD * 10_000;
  const offset = hours * 3_600 + minutes * 60;
  return sign == 0x2d ? -offset : offset;
}

// @ts-ignore: decorator
@inline
function twoDigits(at: usize): i32 {
  const tens = <u32>load<u8>(at) - 48;
  const ones = <u32>load<u8>(at + 1) - 48;
  return tens > 9 || ones > 9 ? BAD : <i32>(tens * 10 + ones);
}

// @ts-ignore: decorator
@inline
function isDigit(byte: u32): bool {
  return byte - 48 <= 9;
}
