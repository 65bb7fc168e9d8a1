// RFC 3339 as Go's time.Parse(time.RFC3339Nano) takes it: an hour of one digit passes, so does a comma before the fraction; zone
// offsets reach 24:60; the 60th second, the 24th hour and days that a month lacks do not. Further, the time must fit a column of
// 32-bit seconds (1901-12-13 to 2038-01-19).

/** Result of the last `parseTime` that returned true. */
export let parsedSec = 0;
export let parsedNanos = 0;

export function parseRfc3339(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  sec: Int32Array,
  nanos: Int32Array,
  ok: Uint8Array,
): number {
  let okCount = 0;
  for (let i = 0; i < count; i++) {
    const good = starts[i]! >= 0 && parseTime(bytes, starts[i]!, ends[i]!);
    ok[i] = good ? 1 : 0;
    sec[i] = good ? parsedSec : 0;
    nanos[i] = good ? parsedNanos : 0;
    if (good) okCount++;
  }
  return okCount;
}

/** Parses the whole of `bytes[start, end)`; leaves the time in `parsedSec` and `parsedNanos`. */
export function parseTime(bytes: Uint8Array, start: number, end: number): boolean {
  // The shortest is 2006-01-02T1:04:05Z.
  if (end - start < 19) return false;
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  // A pair that is not two digits counts as -10000 or less and so fails each of these.
  if (year < 0 || month < 1 || day < 1 || month > 12 || day > daysIn(year, month)) return false;
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d || bytes[start + 10] !== 0x54) return false;

  let at = start + 11;
  let hour = twoDigits(bytes, at);
  if (hour >= 0) at += 2;
  else hour = isDigit(bytes[at]!) ? bytes[at++]! - 48 : -1;
  if (hour < 0 || hour > 23 || end - at < 7) return false;
  const minute = twoDigits(bytes, at + 1);
  const second = twoDigits(bytes, at + 4);
  if (minute < 0 || minute > 59 || second < 0 || second > 59 || bytes[at] !== 0x3a || bytes[at + 3] !== 0x3a) return false;
  at += 6;

  let fraction = 0;
  if ((bytes[at] === 0x2e || bytes[at] === 0x2c) && at + 1 < end && isDigit(bytes[at + 1]!)) {
    at++;
    let scale = 100_000_000;
    for (; at < end && isDigit(bytes[at]!); at++) {
      fraction += (bytes[at]! - 48) * scale;
      scale = Math.floor(scale / 10);
    }
  }
  const offset = parseZone(bytes, at, end);
  if (offset === BAD_ZONE) return false;
  const seconds = daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
  if (seconds !== (seconds | 0)) return false;
  parsedSec = seconds;
  parsedNanos = fraction;
  return true;
}

const BAD_ZONE = 1 << 30;

/** Seconds east of UTC of `Z` or `±hh:mm`, which must be all of `bytes[at, end)`. */
function parseZone(bytes: Uint8Array, at: number, end: number): number {
  if (end - at === 1) return bytes[at] === 0x5a ? 0 : BAD_ZONE;
  if (end - at !== 6 || bytes[at + 3] !== 0x3a || (bytes[at] !== 0x2b && bytes[at] !== 0x2d)) return BAD_ZONE;
  const hours = twoDigits(bytes, at + 1);
  const minutes = twoDigits(bytes, at + 4);
  if (hours < 0 || hours > 24 || minutes < 0 || minutes > 60) return BAD_ZONE;
  const offset = hours * 3_600 + minutes * 60;
  return bytes[at] === 0x2d ? -offset : offset;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 48;
  const ones = bytes[at + 1]! - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000;
}

const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;

function daysIn(year: number, month: number): number {
  if (month !== 2) return 30 + ((month + (month >> 3)) & 1);
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that a leap day is a year's last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}
