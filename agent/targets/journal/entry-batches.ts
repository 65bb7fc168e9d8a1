// From fields of the journal to batches of entries: the line, the time, and the labels that the rules make of the fields they look at.

import { goJson } from "../../../lib/text/go-json.ts";
import { EntryBatch, textOf } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import type { EntryRelabel } from "../../entry-relabel.ts";
import { cleanLines } from "../clean-lines.ts";
import type { ExportHandler } from "./export-parser.ts";
import type { JournalMetrics } from "./journal-metrics.ts";

const PRIORITY_KEYWORDS = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
const LABEL_PREFIX = "__journal_";
const KEYWORD_LABEL = "__journal_priority_keyword";
/** Of all values of one entry, when the line is all of them. */
const JSON_BYTES_MAX = 16 * 1024 * 1024;

export interface EntryOptions {
  readonly relabel: EntryRelabel;
  /** The block's own. */
  readonly labels: Readonly<Record<string, string>>;
  /** The line is a JSON object of all fields. */
  readonly json: boolean;
  /** Fields and values by which the agent's own entries are known; one of them is enough. */
  readonly own: readonly (readonly [field: string, value: string])[];
  readonly metrics: JournalMetrics;
  /** Tells, at debug level, of an entry that is not sent. */
  readonly onDropped: (error: "no_message" | "empty_labels", cursor: string) => void;
}

/** What a field is wanted for. */
export interface FieldUse {
  readonly kind: "cursor" | "time" | "field";
  readonly name: string;
  readonly isMessage: boolean;
  /** The label's name, where a rule looks at it. */
  readonly label: string | undefined;
  readonly hasKeyword: boolean;
  readonly ownValue: Uint8Array | undefined;
  readonly inJson: boolean;
}

interface Span {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class EntryBatches implements ExportHandler<FieldUse> {
  readonly #options: EntryOptions;
  readonly #ownValues: ReadonlyMap<string, Uint8Array>;
  readonly #constants: readonly (readonly [string, string])[];
  #batch: EntryBatch | undefined;
  #cursor: Span | undefined;
  #lastCursor: Span | undefined;
  #timeUs = 0;
  #message: Span | undefined;
  #raw = new Map<string, string>();
  #json = new Map<string, string>();
  #jsonBytes = 0;
  #isOwn = false;
  /** Entries that have come, sent or not. */
  entryCount = 0;
  /** Time of the last of them, in milliseconds. */
  lastMs = 0;
  /** Told of each entry before it is taken; false leaves it out. */
  admit: ((cursor: string, timeMs: number) => boolean) | undefined;

  constructor(options: EntryOptions) {
    this.#options = options;
    this.#ownValues = new Map(options.own.map(([field, value]) => [field, Buffer.from(value)]));
    this.#constants = Object.entries(options.labels);
  }

  /** Fields that journalctl has to write; undefined for all. */
  get fieldsWanted(): readonly string[] | undefined {
    const { relabel, json } = this.#options;
    if (json || relabel.reads === undefined) return undefined;
    const read = [...relabel.reads].filter((name) => name.startsWith(LABEL_PREFIX)).map(fieldOfLabel);
    return [...new Set(["MESSAGE", ...this.#ownValues.keys(), ...read.filter((name) => /^[A-Z0-9_]+$/.test(name))])];
  }

  /** Cursor of the last entry that has come. */
  get lastCursor(): string | undefined {
    return this.#lastCursor === undefined ? undefined : spanText(this.#lastCursor);
  }

  /** What has come since the last call. */
  take(): EntryBatch | undefined {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch !== undefined) cleanLines(batch);
    return batch;
  }

  /** Forgets the fields of an entry that will not be completed. */
  abandonEntry(): void {
    this.#clear();
  }

  use(name: string): FieldUse | undefined {
    const { relabel, json } = this.#options;
    if (name === "__CURSOR" || name === "__REALTIME_TIMESTAMP") return useOf(name, name === "__CURSOR" ? "cursor" : "time");
    // Addresses and times the journal adds are no fields of the entry.
    if (name.startsWith("__")) return undefined;
    const label = LABEL_PREFIX + name.toLowerCase();
    const hasKeyword = name === "PRIORITY" && relabel.looksAt(KEYWORD_LABEL);
    const wanted: FieldUse = {
      kind: "field",
      name,
      isMessage: name === "MESSAGE" && !json,
      label: relabel.looksAt(label) ? label : undefined,
      hasKeyword,
      ownValue: this.#ownValues.get(name),
      inJson: json,
    };
    const isWanted = wanted.isMessage || wanted.label !== undefined || hasKeyword || wanted.ownValue !== undefined || json;
    return isWanted ? wanted : undefined;
  }

  /** A field that is repeated counts with its last value. */
  field(use: FieldUse, bytes: Uint8Array, start: number, end: number, cutBytes: number): void {
    if (use.kind === "time") {
      this.#timeUs = readDecimal(bytes, start, end);
      return;
    }
    const span = { bytes, start, end };
    if (use.kind === "cursor") {
      this.#cursor = span;
      return;
    }
    if (cutBytes > 0) this.#options.metrics.cutValues.inc();
    if (use.isMessage) this.#message = span;
    if (use.ownValue !== undefined && isSame(use.ownValue, span)) this.#isOwn = true;
    if (use.label === undefined && !use.hasKeyword && !use.inJson) return;
    const text = textOf(bytes, start, end);
    if (use.label !== undefined) this.#raw.set(use.label, text);
    if (use.hasKeyword) this.#raw.set(KEYWORD_LABEL, keywordOf(text));
    if (use.inJson) this.#addJson(use.name, text, end - start);
  }

  entry(): void {
    const cursor = this.#cursor;
    if (cursor !== undefined) {
      this.#lastCursor = cursor;
      this.entryCount++;
      this.lastMs = this.#timeUs / 1000;
      if (this.admit === undefined || this.admit(spanText(cursor), this.lastMs)) this.#add(cursor);
    }
    this.#clear();
  }

  #add(cursor: Span): void {
    const { metrics, json } = this.#options;
    if (this.#isOwn) return metrics.ownEntries.inc();
    if (!json && this.#message === undefined) return this.#drop("no_message", cursor);
    const labels = this.#labels();
    if (labels === undefined || labels.size === 0) return this.#drop("empty_labels", cursor);
    metrics.lines.inc();
    this.#batch ??= new EntryBatch(new Uint8Array(32 * 1024), 128, 0);
    const sec = Math.floor(this.#timeUs / 1e6);
    const nanos = (this.#timeUs - sec * 1e6) * 1000;
    const line = json ? goJson(this.#json) : this.#message!.bytes.subarray(this.#message!.start, this.#message!.end);
    this.#batch.addText(line, sec, nanos, labels);
  }

  /** Undefined when a rule drops the entry. */
  #labels(): LabelSet | undefined {
    for (const [name, value] of this.#constants) this.#raw.set(name, value);
    return this.#options.relabel.labelsOf(this.#raw);
  }

  #addJson(name: string, text: string, bytes: number): void {
    if (this.#jsonBytes + bytes > JSON_BYTES_MAX) return this.#options.metrics.cutValues.inc();
    this.#jsonBytes += bytes;
    this.#json.set(name, text);
  }

  #drop(error: "no_message" | "empty_labels", cursor: Span): void {
    this.#options.metrics.errors.inc({ error });
    this.#options.onDropped(error, spanText(cursor));
  }

  #clear(): void {
    this.#cursor = undefined;
    this.#message = undefined;
    this.#timeUs = 0;
    this.#isOwn = false;
    if (this.#raw.size > 0) this.#raw = new Map();
    if (this.#json.size > 0) this.#json = new Map();
    this.#jsonBytes = 0;
  }
}

function useOf(name: string, kind: FieldUse["kind"]): FieldUse {
  return { kind, name, isMessage: false, label: undefined, hasKeyword: false, ownValue: undefined, inJson: false };
}

/** `__journal__systemd_unit` is made of `_SYSTEMD_UNIT`, and the keyword of `PRIORITY`. */
function fieldOfLabel(label: string): string {
  return label === KEYWORD_LABEL ? "PRIORITY" : label.slice(LABEL_PREFIX.length).toUpperCase();
}

function keywordOf(priority: string): string {
  return /^[0-7]$/.test(priority) ? PRIORITY_KEYWORDS[Number(priority)]! : priority;
}

function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at]! - 48);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function isSame(wanted: Uint8Array, { bytes, start, end }: Span): boolean {
  return end - start === wanted.length && wanted.every((byte, i) => byte === bytes[start + i]);
}

function spanText({ bytes, start, end }: Span): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
