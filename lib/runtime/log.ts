// The program's own log: logfmt or JSON lines on stderr, as Promtail and Loki write them (`level=info ts=… msg=…`).

import { pino } from "pino";
import { writeToStderr } from "./log-destination.ts";

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

/** @param write where finished lines go, each with its line feed; stderr when absent */
export function createLog(options: { level?: LogLevel; format?: LogFormat; write?: (line: string, level: LogLevel) => void } = {}): Log {
  const write = options.write ?? writeToStderr;
  const stream = {
    // Asks pino to leave the level of the line here before it writes.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    write(line: string): void {
      write(options.format === "json" ? line : toLogfmt(line), levelOf(this.lastLevel));
    },
  };
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

function levelOf(number: number): LogLevel {
  return number >= 50 ? "error" : number >= 40 ? "warn" : number >= 30 ? "info" : "debug";
}

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
