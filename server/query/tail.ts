// One tail: new entries of a tenant that satisfy a log query, as they are stored. Each push is looked at once, when storage takes it in;
// what the client does not take in time is dropped and named, so that a slow reader costs a bounded amount of memory.

import { kernels } from "../../lib/kernels/index.ts";
import type { LogExpr } from "../../lib/logql/ast.ts";
import { compileMatcher } from "../../lib/logql/index.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import { lineStart } from "../../lib/wire/push-columns.ts";
import type { AcceptedPush } from "../ingest/accepted-push.ts";
import type { PageDelete } from "../page.ts";
import { DeletedLines } from "./deleted-lines.ts";
import { EntryKeeper, type KeptEntry } from "./entry-keeper.ts";
import { LOG_QUERY_HINTS } from "./hints.ts";
import { LineState } from "./line-state.ts";
import { type CompiledPipeline, compilePipeline, runOps } from "./ops/compile.ts";

/** Entries that wait for the client, before more are dropped. */
const QUEUE_ENTRIES_MAX = 10_000;
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** Dropped entries that are named in one frame; more are only missing. */
const DROPPED_NAMED_MAX = 1_000;
/** Label sets whose match is remembered; past this the memory is emptied. */
const STREAMS_REMEMBERED_MAX = 50_000;

interface Waiting {
  readonly entries: readonly KeptEntry[];
  readonly bytes: number;
  readonly arrivedMs: number;
}

export class Tail {
  readonly #pipeline: CompiledPipeline;
  readonly #matchers: readonly { readonly name: string; readonly test: (value: string) => boolean }[];
  readonly #accepted = new Map<LabelSet, boolean>();
  readonly #line = new LineState();
  readonly #deleted = new DeletedLines(kernels);
  readonly #deletesOf: (labels: LabelSet) => readonly PageDelete[];
  readonly #queue: Waiting[] = [];
  #queuedEntries = 0;
  #queuedBytes = 0;
  #dropped: KeptEntry[] = [];

  /**
   * @param deletesOf what delete requests hide of a stream: late entries may be among it
   * @throws LogqlError for an op that cannot be compiled
   */
  constructor(log: LogExpr, deletesOf: (labels: LabelSet) => readonly PageDelete[] = () => []) {
    this.#deletesOf = deletesOf;
    this.#pipeline = compilePipeline(log, null, LOG_QUERY_HINTS, kernels);
    this.#matchers = log.matchers.map((matcher) => ({ name: matcher.name, test: compileMatcher(matcher) }));
  }

  /** Looks at a push while its columns are valid. Returns whether anything is new to be sent. */
  offer(push: AcceptedPush, nowMs: number): boolean {
    const matching = push.streams.filter(({ labels }) => this.#accepts(labels));
    if (matching.length === 0) return false;
    // The ops run kernels, which may overwrite the push's bytes: it gets memory of its own first.
    const bytes = push.bytes.slice();
    const ends = push.ends.slice(0, push.entryCount);
    const own = { ...push, bytes, ends };
    const keeper = new EntryKeeper(Number.POSITIVE_INFINITY, "forward");
    matching.forEach(({ labels, from, to }, stream) => {
      const deleted = this.#deletedOf(own, labels);
      for (let i = from; i < to; i++) if (push.keep?.[i] !== 0 && !deleted?.has(i)) this.#take(own, i, labels, stream, keeper);
    });
    return this.#enqueue(keeper.finish(), nowMs);
  }

  /** Entries that arrived up to `untilMs`, in order of time, and those dropped since the last call. */
  take(untilMs: number): { entries: KeptEntry[]; dropped: readonly KeptEntry[] } {
    const entries: KeptEntry[] = [];
    while (this.#queue.length > 0 && this.#queue[0]!.arrivedMs <= untilMs) {
      const waiting = this.#queue.shift()!;
      this.#queuedEntries -= waiting.entries.length;
      this.#queuedBytes -= waiting.bytes;
      for (const entry of waiting.entries) entries.push(entry);
    }
    const dropped = this.#dropped;
    this.#dropped = [];
    return { entries: entries.sort((a, b) => a.sec - b.sec || a.nanos - b.nanos), dropped };
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#dropped.length === 0;
  }

  #accepts(labels: LabelSet): boolean {
    let accepted = this.#accepted.get(labels);
    if (accepted === undefined) {
      accepted = this.#matchers.every(({ name, test }) => test(labels.get(name)));
      if (this.#accepted.size >= STREAMS_REMEMBERED_MAX) this.#accepted.clear();
      this.#accepted.set(labels, accepted);
    }
    return accepted;
  }

  #deletedOf(push: AcceptedPush, labels: LabelSet): ReadonlySet<number> | undefined {
    const deletes = this.#deletesOf(labels);
    if (deletes.length === 0) return undefined;
    const stats = { entryCount: push.entryCount, lineBytes: 0, metadataBytes: 0, minSec: 0, minNanos: 0, maxSec: 0, maxNanos: 0 };
    return this.#deleted.of({ ...push, stats, fields: undefined }, labels, deletes);
  }

  #take(push: AcceptedPush, i: number, base: LabelSet, stream: number, keeper: EntryKeeper): void {
    const line = this.#line;
    line.setLine(i, push.bytes, lineStart(push.ends, i), push.ends[i]!);
    line.sec = push.sec[i]!;
    line.nanos = push.nanos[i]!;
    for (const filter of this.#pipeline.lineFilters) if (!filter.passesAll && !filter.test(line)) return;
    line.labels.reset(base, push.metadata?.[i], push.bytes);
    if (!runOps(this.#pipeline, line)) return;
    keeper.add(line, stream, i);
  }

  #enqueue(entries: readonly KeptEntry[], arrivedMs: number): boolean {
    if (entries.length === 0) return false;
    let bytes = 0;
    for (const { line } of entries) bytes += line.length * 2;
    if (this.#queuedEntries + entries.length > QUEUE_ENTRIES_MAX || this.#queuedBytes + bytes > QUEUE_BYTES_MAX) {
      this.#dropped.push(...entries.slice(0, Math.max(0, DROPPED_NAMED_MAX - this.#dropped.length)));
    } else {
      this.#queue.push({ entries, bytes, arrivedMs });
      this.#queuedEntries += entries.length;
      this.#queuedBytes += bytes;
    }
    return true;
  }
}
