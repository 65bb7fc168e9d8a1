// The program's own log: logfmt or JSON lines on stderr, as Promtail and Loki write them (`level=info ts=… msg=…`).

import { pino } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "logfmt" | "json";

export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
  child(fields: object): Log;
  /** `debug`, `info`, `warn` or `error`; may be changed while the program runs. */
  level: string;
}

/** @param write where finished lines go; stderr when absent */
export function createLog(options: { level?: LogLevel; format?: LogFormat; write?: (line: string) => void } = {}): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const stream = { write: options.format === "json" ? write : (line: string) => write(toLogfmt(line)) };
  return pino(
    {
      level: options.level ?? "info",
      base: null,
      messageKey: "msg",
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

/** A log that says nothing, for tests. */
export const silentLog: Log = createLog({ write: () => {} });

function toLogfmt(line: string): string {
  const fields = JSON.parse(line) as Record<string, unknown>;
  const { level, ts, msg, ...rest } = fields;
  const pairs = Object.entries({ level, ts, ...rest, msg }).filter(([, value]) => value !== undefined);
  return `${pairs.map(([key, value]) => `${key}=${logfmtValue(value)}`).join(" ")}\n`;
}

function logfmtValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s="\\]+$/.test(text) ? text : JSON.stringify(text);
}
