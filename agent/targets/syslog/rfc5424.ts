// RFC 5424:  <PRI>VERSION SP TIME SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
//
// Every field may be `-`. Lengths of fields and digits of a second's fraction may pass the RFC's bounds: a message is more than its form.

import { textOf } from "../../../lib/wire/entry-batch.ts";
import { isDigit, readPriority, readTime, SyslogError, type SyslogMessage, trimTextEnd } from "./message.ts";

const SPACE = 32;
const QUOTE = 34;
const DASH = 45;
const EQUALS = 61;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;

/** @throws SyslogError saying what is wrong with it */
export function parseRfc5424(bytes: Uint8Array, start: number, end: number): SyslogMessage {
  const [priority, afterPriority] = readPriority(bytes, start, end);
  let at = readVersion(bytes, afterPriority, end);
  const token = (what: string): string => {
    const from = at;
    while (at < end && bytes[at] !== SPACE) at++;
    if (at === from || at === end) throw new SyslogError(`the message ends before or in its ${what}`);
    const text = textOf(bytes, from, at++);
    return text === "-" ? "" : text;
  };
  const timeText = token("time");
  const time = timeText === "" ? undefined : readTime(timeText);
  if (time === undefined && timeText !== "") throw new SyslogError("the time is not one of RFC 3339");
  const hostname = token("host name");
  const appName = token("application name");
  const procId = token("process id");
  const msgId = token("message id");
  const [data, afterData] = readStructuredData(bytes, at, end);
  const [textStart, textEnd] = readText(bytes, afterData, end);
  return { priority, time, hostname, appName, procId, msgId, data, textStart, textEnd };
}

function readVersion(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && at < start + 3 && isDigit(bytes[at]!)) at++;
  if (at === start || bytes[start] === 48 || bytes[at] !== SPACE || at >= end) {
    throw new SyslogError("expecting a version value in the range 1-999 (a message of RFC 3164 has none: set syslog_format: rfc3164)");
  }
  return at + 1;
}

function readStructuredData(bytes: Uint8Array, start: number, end: number): [SyslogMessage["data"], next: number] {
  if (start < end && bytes[start] === DASH) return [[], start + 1];
  if (start >= end || bytes[start] !== OPEN) throw new SyslogError("structured data is - or begins with [");
  const data: [string, string, string][] = [];
  let at = start;
  while (at < end && bytes[at] === OPEN) at = readElement(bytes, at + 1, end, data);
  return [data, at];
}

/** `id name="value" …]` @returns where it ends */
function readElement(bytes: Uint8Array, start: number, end: number, data: [string, string, string][]): number {
  let at = skipName(bytes, start, end);
  const id = textOf(bytes, start, at);
  while (at < end && bytes[at] === SPACE) {
    const nameStart = at + 1;
    const nameEnd = skipName(bytes, nameStart, end);
    if (bytes[nameEnd] !== EQUALS || bytes[nameEnd + 1] !== QUOTE || nameEnd + 1 >= end) {
      throw new SyslogError('a parameter of structured data is name="value"');
    }
    const [value, next] = readValue(bytes, nameEnd + 2, end);
    data.push([id, textOf(bytes, nameStart, nameEnd), value]);
    at = next;
  }
  if (at >= end || bytes[at] !== CLOSE) throw new SyslogError("an element of structured data ends with ]");
  return at + 1;
}

function skipName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte <= SPACE || byte === EQUALS || byte === CLOSE || byte === QUOTE || byte >= 127) break;
  }
  if (at === start || at === end) throw new SyslogError("a name in structured data is empty or does not end");
  return at;
}

/** Up to the closing quote; `\"`, `\\` and `\]` stand for what follows the backslash, before anything else it stands for itself. */
function readValue(bytes: Uint8Array, start: number, end: number): [value: string, next: number] {
  let escaped = false;
  let at = start;
  for (; at < end && bytes[at] !== QUOTE; at++) {
    if (bytes[at] !== BACKSLASH) continue;
    escaped = true;
    at++;
  }
  if (at >= end) throw new SyslogError("a value in structured data does not end");
  const text = textOf(bytes, start, at);
  return [escaped ? text.replace(/\\(["\\\]])/g, "$1") : text, at + 1];
}

function readText(bytes: Uint8Array, start: number, end: number): [start: number, end: number] {
  if (trimTextEnd(bytes, start, end) === start) return [start, start];
  if (bytes[start] !== SPACE) throw new SyslogError("a space stands before the text");
  const hasMark = bytes[start + 1] === 0xef && bytes[start + 2] === 0xbb && bytes[start + 3] === 0xbf;
  const textStart = Math.min(end, start + (hasMark ? 4 : 1));
  return [textStart, trimTextEnd(bytes, textStart, end)];
}
