// From the bytes of a message to an entry: parsed, labelled, counted.

import { Buffer } from "node:buffer";
import type { Clock } from "../../../lib/runtime/clock.ts";
import type { Log } from "../../../lib/runtime/log.ts";
import type { EntryRelabel } from "../../entry-relabel.ts";
import type { ReceivedEntries } from "../received-entries.ts";
import type { FrameFault } from "./frames.ts";
import { addMessageLabels, SyslogError, type SyslogMessage, trimTextEnd } from "./message.ts";
import { parseRfc3164 } from "./rfc3164.ts";
import { parseRfc5424 } from "./rfc5424.ts";
import type { SyslogFormat } from "./settings.ts";
import type { SyslogMetrics } from "./syslog-metrics.ts";

/** Of a message that cannot be read, shown in the log. */
const SHOWN_BYTES_MAX = 200;

const FAULTS: Readonly<Record<FrameFault, string>> = {
  no_frame: "a message begins with <priority>, or with its length in digits and a space",
  too_long: "the message is longer than max_message_length",
  half_frame: "the connection ended inside a message",
};

export interface MessageReaderOptions {
  readonly format: SyslogFormat;
  readonly labels: Readonly<Record<string, string>>;
  readonly labelStructuredData: boolean;
  readonly useIncomingTimestamp: boolean;
  readonly useWholeMessage: boolean;
  readonly relabel: EntryRelabel;
  readonly received: ReceivedEntries;
  readonly metrics: SyslogMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who sends, as labels have it. */
export interface Sender {
  readonly address: string;
  readonly hostname: string;
}

export class MessageReader {
  readonly #options: MessageReaderOptions;
  readonly #constants: readonly (readonly [string, string])[];
  readonly #looksAt = (name: string): boolean => this.#options.relabel.looksAt(name);

  constructor(options: MessageReaderOptions) {
    this.#options = options;
    this.#constants = Object.entries(options.labels);
  }

  fault(fault: FrameFault, sender: Sender): void {
    this.#wrong(FAULTS[fault], sender);
  }

  message(bytes: Uint8Array, start: number, end: number, sender: Sender): void {
    const { metrics, received, relabel, useIncomingTimestamp, useWholeMessage, format } = this.#options;
    const message = this.#parse(bytes, start, end, sender);
    if (message === undefined) return;
    if (message.textEnd <= message.textStart) return metrics.emptyMessages.inc();
    const labels = relabel.labelsOf(this.#labelsOf(message, sender));
    if (labels === undefined) return metrics.dropped.inc({ reason: "relabel" });
    const whole = useWholeMessage && format === "rfc5424";
    const line = whole ? bytes.subarray(start, trimTextEnd(bytes, start, end)) : bytes.subarray(message.textStart, message.textEnd);
    metrics.entries.inc();
    received.add(line, useIncomingTimestamp ? message.time : undefined, labels);
  }

  #parse(bytes: Uint8Array, start: number, end: number, sender: Sender): SyslogMessage | undefined {
    const { format, clock } = this.#options;
    try {
      return format === "rfc3164" ? parseRfc3164(bytes, start, end, clock.nowMs()) : parseRfc5424(bytes, start, end);
    } catch (error) {
      if (!(error instanceof SyslogError)) throw error;
      this.#wrong(error.message, sender, Buffer.from(bytes.subarray(start, Math.min(end, start + SHOWN_BYTES_MAX))).toString());
      return undefined;
    }
  }

  #labelsOf(message: SyslogMessage, { address, hostname }: Sender): Map<string, string> {
    const raw = new Map(this.#constants);
    if (this.#looksAt("__syslog_connection_ip_address")) raw.set("__syslog_connection_ip_address", address);
    if (this.#looksAt("__syslog_connection_hostname")) raw.set("__syslog_connection_hostname", hostname);
    addMessageLabels(raw, message, this.#looksAt, this.#options.labelStructuredData);
    return raw;
  }

  #wrong(error: string, { address }: Sender, text?: string): void {
    this.#options.metrics.parsingErrors.inc();
    this.#options.log.debug({ error, from: address, ...(text === undefined ? {} : { text }) }, "not a syslog message");
  }
}
