// RFC 3164, which describes what was seen rather than what must be:  <PRI>Mmm dd hh:mm:ss HOSTNAME TAG[PID]: TEXT
//
// Taken as well: a time of RFC 3339 or one with a year, no host name (what programs write to /dev/log), no tag, and nothing but a
// priority and a text (section 4.3.2). The time has neither year nor zone: it is UTC, as with Promtail, of the year that is nearest.

import { textOf } from "../../../lib/wire/entry-batch.ts";
import { readPriority, readTime, type SyslogMessage, trimTextEnd, utcMs } from "./message.ts";

const SPACE = 32;
const COLON = 58;
const OPEN = 91;
const CLOSE = 93;
const TAG_BYTES_MAX = 128;
const TIME_BYTES_MAX = 40;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const STAMP = /^([A-Z][a-z]{2}) ([ \d]\d) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?= |$)/;

interface Stamp {
  readonly time: readonly [sec: number, nanos: number];
  readonly next: number;
}

interface Tag {
  readonly name: string;
  readonly procId: string;
  readonly next: number;
}

/** @throws SyslogError when it does not even begin with a priority */
export function parseRfc3164(bytes: Uint8Array, start: number, end: number, nowMs: number): SyslogMessage {
  const [priority, afterPriority] = readPriority(bytes, start, end);
  const textEnd = trimTextEnd(bytes, afterPriority, end);
  const stamp = readStamp(bytes, afterPriority, textEnd, nowMs);
  let at = stamp?.next ?? afterPriority;
  let hostname = "";
  let tag = readTag(bytes, at, textEnd);
  if (stamp !== undefined && tag === undefined) {
    const hostEnd = endOfToken(bytes, at, textEnd);
    hostname = textOf(bytes, at, hostEnd);
    at = Math.min(textEnd, hostEnd + 1);
    tag = readTag(bytes, at, textEnd);
  }
  const textStart = tag?.next ?? at;
  return {
    priority,
    time: stamp?.time,
    hostname,
    appName: tag?.name ?? "",
    procId: tag?.procId ?? "",
    msgId: "",
    data: [],
    textStart,
    textEnd,
  };
}

function readStamp(bytes: Uint8Array, start: number, end: number, nowMs: number): Stamp | undefined {
  const text = textOf(bytes, start, Math.min(end, start + TIME_BYTES_MAX));
  const match = STAMP.exec(text);
  if (match === null) {
    const token = text.split(" ", 1)[0]!;
    const time = readTime(token);
    return time === undefined ? undefined : { time, next: Math.min(end, start + token.length + 1) };
  }
  const [all, month, day, year, hour, minute, second, fraction = ""] = match;
  const at = (ofYear: number): number | undefined =>
    utcMs(ofYear, MONTHS.indexOf(month!), Number(day), Number(hour), Number(minute), Number(second));
  const ms = year === undefined ? nearest(at, nowMs) : at(Number(year));
  return ms === undefined ? undefined : { time: [ms / 1000, Number(fraction.padEnd(9, "0"))], next: Math.min(end, start + all.length + 1) };
}

function nearest(at: (year: number) => number | undefined, nowMs: number): number | undefined {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const candidates = [thisYear - 1, thisYear, thisYear + 1].map(at).filter((ms) => ms !== undefined);
  candidates.sort((a, b) => Math.abs(a - nowMs) - Math.abs(b - nowMs));
  return candidates[0];
}

/** `name:`, `name[pid]:`, with one space behind it left out. */
function readTag(bytes: Uint8Array, start: number, end: number): Tag | undefined {
  let at = start;
  while (at < end && at - start <= TAG_BYTES_MAX && bytes[at]! > SPACE && bytes[at] !== COLON && bytes[at] !== OPEN) at++;
  if (at === start || at >= end) return undefined;
  const nameEnd = at;
  let procId = "";
  if (bytes[at] === OPEN) {
    const close = bytes.indexOf(CLOSE, at);
    if (close < 0 || close + 1 >= end || close - at > TAG_BYTES_MAX) return undefined;
    procId = textOf(bytes, at + 1, close);
    at = close + 1;
  }
  if (bytes[at] !== COLON || (at + 1 < end && bytes[at + 1]! > SPACE)) return undefined;
  const next = at + 1 < end && bytes[at + 1] === SPACE ? at + 2 : at + 1;
  return { name: textOf(bytes, start, nameEnd), procId, next };
}

function endOfToken(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE) at++;
  return at;
}
