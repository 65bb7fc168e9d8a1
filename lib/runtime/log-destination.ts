// Where the log's lines go: stderr; and under systemd, where stderr is the journal, in a way that keeps their levels. The journal takes
// entries natively through the package `systemd-journald`, where somebody has installed it beside this one (it is compiled against
// libsystemd, so it is no dependency of ours: docs/decisions/0008-own-log-in-the-journal.md); otherwise a line begins with its
// priority, `<6>`, which journald takes off (sd-daemon(3)).

import { existsSync, fstatSync } from "node:fs";
import type { LogLevel } from "./log.ts";

export type WriteLine = (line: string, level: LogLevel) => void;

/** As syslog numbers them. */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };
const STDERR_FD = 2;
const NATIVE_PACKAGE: string = "systemd-journald";
const NATIVE_SOCKET = "/run/systemd/journal/socket";

/** What we use of the package. */
interface NativeJournal {
  err(message: string): void;
  warning(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}
const NATIVE_METHODS: Readonly<Record<LogLevel, keyof NativeJournal>> = { error: "err", warn: "warning", info: "info", debug: "debug" };

/** Whether standard error goes to systemd's journal: `JOURNAL_STREAM` names its device and inode (systemd.exec(5)). */
export function stderrIsJournal(env: NodeJS.ProcessEnv = process.env, fd = STDERR_FD): boolean {
  const match = /^(\d+):(\d+)$/.exec(env.JOURNAL_STREAM ?? "");
  if (match === null) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return dev === BigInt(match[1]!) && ino === BigInt(match[2]!);
  } catch {
    return false;
  }
}

/** The line with its priority before it, for a journal that reads lines. */
export function withPriority(line: string, level: LogLevel): string {
  return `<${PRIORITIES[level]}>${line}`;
}

const toJournal = stderrIsJournal();

export function writeToStderr(line: string, level: LogLevel): void {
  process.stderr.write(toJournal ? withPriority(line, level) : line);
}

/** The journal's own interface, where stderr is the journal and the package can be loaded; else stderr. @param identifier the program's name in the journal */
export async function openLogDestination(
  identifier: string,
  load: () => Promise<unknown> = () => import(NATIVE_PACKAGE),
): Promise<WriteLine> {
  if (!toJournal || !existsSync(NATIVE_SOCKET)) return writeToStderr;
  return nativeWriter(identifier, load).catch(() => writeToStderr);
}

/** @throws Error when the package cannot be loaded */
export async function nativeWriter(identifier: string, load: () => Promise<unknown>): Promise<WriteLine> {
  const loaded = (await load()) as { default: new (fields: Readonly<Record<string, string>>) => NativeJournal };
  const journal = new loaded.default({ syslog_identifier: identifier });
  // The package reads past the end of a text with a NUL in it.
  return (line, level) => journal[NATIVE_METHODS[level]](line.trimEnd().replaceAll("\0", "\ufffd"));
}
