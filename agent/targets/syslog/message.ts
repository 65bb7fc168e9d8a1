// A syslog message, whichever of the two formats it came in, and the labels Promtail gives it.

export interface SyslogMessage {
  /** facility * 8 + severity, 0..191 */
  readonly priority: number;
  /** Whole seconds since 1970 and nanoseconds; undefined when the sender gave no time. */
  readonly time: readonly [sec: number, nanos: number] | undefined;
  /** `""` where the message has none. */
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  /** Structured data, in order: id, name, value. */
  readonly data: readonly (readonly [id: string, name: string, value: string])[];
  /** Where the text is in the bytes that were parsed. */
  readonly textStart: number;
  readonly textEnd: number;
}

/** Why bytes are no syslog message: text for the log. */
export class SyslogError extends Error {}

const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];
const FACILITIES =
  "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console solaris-cron local0 local1 local2 local3 local4 local5 local6 local7".split(
    " ",
  );

/** Adds the labels that a rule may look at; names and values are Promtail's. */
export function addMessageLabels(
  raw: Map<string, string>,
  message: SyslogMessage,
  looksAt: (name: string) => boolean,
  labelStructuredData: boolean,
): void {
  const set = (name: string, value: string): void => {
    if (value !== "" && looksAt(name)) raw.set(name, value);
  };
  set("__syslog_message_severity", SEVERITIES[message.priority & 7]!);
  set("__syslog_message_facility", FACILITIES[message.priority >> 3]!);
  set("__syslog_message_hostname", message.hostname);
  set("__syslog_message_app_name", message.appName);
  set("__syslog_message_proc_id", message.procId);
  set("__syslog_message_msg_id", message.msgId);
  if (!labelStructuredData) return;
  for (const [id, name, value] of message.data) set(`__syslog_message_sd_${id.replaceAll("@", "_")}_${name}`, value);
}

const LESS = 60;
const MORE = 62;

/** `<0>` to `<191>`. @returns the priority and where it ends. @throws SyslogError */
export function readPriority(bytes: Uint8Array, start: number, end: number): readonly [priority: number, next: number] {
  if (bytes[start] !== LESS) throw new SyslogError("a message begins with its priority, <0> to <191>");
  let priority = 0;
  let at = start + 1;
  for (; at < end && at < start + 4 && isDigit(bytes[at]!); at++) priority = priority * 10 + bytes[at]! - 48;
  if (at === start + 1 || bytes[at] !== MORE || at >= end || priority > 191) {
    throw new SyslogError("a priority is a number from 0 to 191 in angle brackets");
  }
  return [priority, at + 1];
}

/** Leaves out line ends and NULs behind the text: they belong to the framing. */
export function trimTextEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === 10 || bytes[at - 1] === 13 || bytes[at - 1] === 0)) at--;
  return at;
}

export function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

const DAY_MS = 86_400_000;
const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))$/;

/** RFC 3339. @returns whole seconds and nanoseconds; undefined when it is no such time */
export function readTime(text: string): readonly [sec: number, nanos: number] | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", , sign, offsetHour = "0", offsetMinute = "0"] = match;
  const atMs = utcMs(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  if (atMs === undefined || Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined;
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  return [(atMs - offsetMs) / 1000, Number(fraction.padEnd(9, "0"))];
}

/** Milliseconds since 1970 of a time that exists; a leap second counts as the second after it. */
export function utcMs(year: number, month: number, day: number, hour: number, minute: number, second: number): number | undefined {
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const dayMs = new Date(0).setUTCFullYear(year, month, day);
  if (month < 0 || month > 11 || new Date(dayMs).getUTCDate() !== day) return undefined;
  return Math.floor(dayMs / DAY_MS) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000;
}
