// Storage for tests of queries: entries in arrays, cut into pages; a view and a reader over them.

import type { Matcher } from "../../../lib/logql/ast.ts";
import { compileMatcher } from "../../../lib/logql/matcher.ts";
import type { MetadataPair } from "../../../lib/wire/entry-batch.ts";
import type { LabelSet } from "../../../lib/wire/labels.ts";
import { encodeTally, readTally } from "../../../server/block/page-tally.ts";
import type {
  Page,
  PageLocation,
  PageReader,
  PageRef,
  PageStats,
  LogView as PageView,
  StreamPages,
  TimeRange,
} from "../../../server/page.ts";

export interface TestEntry {
  readonly ns: bigint;
  readonly line: string;
  readonly metadata?: readonly MetadataPair[];
}

const NS = 1_000_000_000n;

export class MemoryData implements PageView {
  readonly #streams = new Map<string, { tenant: string; labels: LabelSet; entries: TestEntry[] }>();
  readonly #pages: Page[] = [];
  readonly #cut = new Map<string, PageRef[]>();
  readonly #pageEntries: number;
  readonly #shape: (page: Page) => Page;
  /** Pages have tallies of at most so many bytes. */
  readonly #tallyBytesMax: number;
  /** Pages that were opened, for tests of what is not read. */
  opened = 0;

  /** @param shape what readers are given for a page */
  constructor(pageEntries = 50, shape: (page: Page) => Page = (page) => page, tallyBytesMax = 0) {
    this.#pageEntries = pageEntries;
    this.#tallyBytesMax = tallyBytesMax;
    this.#shape = shape;
  }

  add(tenant: string, labels: LabelSet, entries: readonly TestEntry[]): void {
    const key = `${tenant}\u0000${labels}`;
    const known = this.#streams.get(key);
    if (known === undefined) this.#streams.set(key, { tenant, labels, entries: [...entries] });
    else known.entries.push(...entries);
    this.#cut.delete(key);
  }

  select(tenant: string, matchers: readonly Matcher[], range: TimeRange): StreamPages[] {
    const predicates = matchers.map((matcher) => ({ name: matcher.name, matches: compileMatcher(matcher) }));
    const found: StreamPages[] = [];
    for (const [key, stream] of this.#streams) {
      if (stream.tenant !== tenant || !predicates.every(({ name, matches }) => matches(stream.labels.get(name)))) continue;
      const pages = this.#pagesOf(key).filter(({ stats }) => overlaps(stats, range));
      if (pages.length > 0) found.push({ labels: stream.labels, pages });
    }
    return found;
  }

  openReader(): PageReader {
    const pageAt = (location: PageLocation): Page => {
      if (location.kind !== "memory") throw new Error("a test page is in memory");
      return this.#pages[new DataViewOf(location.encoded).number()]!;
    };
    return {
      tally: ({ location, stats }) => {
        const page = pageAt(location);
        return readTally(encodeTally({ ...page, entryCount: stats.entryCount }, this.#tallyBytesMax), stats);
      },
      mayContain: (location, literal) =>
        Buffer.from(pageAt(location).bytes)
          .toString("latin1")
          .toLowerCase()
          .includes(Buffer.from(literal).toString("latin1").toLowerCase()),
      open: (ref) => {
        this.opened++;
        return pageAt(ref.location);
      },
    };
  }

  #pagesOf(key: string): PageRef[] {
    let refs = this.#cut.get(key);
    if (refs !== undefined) return refs;
    refs = [];
    const { entries } = this.#streams.get(key)!;
    // Cut in order of arrival, sorted within: pages of a stream may overlap.
    for (let from = 0; from < entries.length; from += this.#pageEntries) {
      const part = withoutRepeats(
        entries
          .slice(from, from + this.#pageEntries)
          .map((entry, i) => ({ entry, i }))
          .sort((a, b) => (a.entry.ns < b.entry.ns ? -1 : a.entry.ns > b.entry.ns ? 1 : a.i - b.i))
          .map(({ entry }) => entry),
      );
      refs.push(this.#addPage(part));
    }
    this.#cut.set(key, refs);
    return refs;
  }

  #addPage(entries: readonly TestEntry[]): PageRef {
    const page = pageOf(entries);
    const number = this.#pages.push(this.#shape(page)) - 1;
    return {
      stats: page.stats,
      location: { kind: "memory", encoded: Uint8Array.from([number & 255, (number >> 8) & 255, (number >> 16) & 255]) },
    };
  }
}

class DataViewOf {
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  number(): number {
    return this.#bytes[0]! | (this.#bytes[1]! << 8) | (this.#bytes[2]! << 16);
  }
}

/** A page holds an entry once, as the head stores it. */
function withoutRepeats(entries: readonly TestEntry[]): TestEntry[] {
  return entries.filter(
    (entry, i) =>
      !entries.some(
        (other, j) =>
          j < i && other.ns === entry.ns && other.line === entry.line && JSON.stringify(other.metadata) === JSON.stringify(entry.metadata),
      ),
  );
}

export function pageOf(entries: readonly TestEntry[]): Page {
  const lines = entries.map(({ line }) => Buffer.from(line));
  const bytes = new Uint8Array(lines.reduce((sum, line) => sum + line.length + 1, 0));
  // Longer than they need to be, as a page's columns are: nobody may rely on their length.
  const ends = new Int32Array(entries.length + 3).fill(-7);
  const sec = new Int32Array(entries.length + 3).fill(-7);
  const nanos = new Int32Array(entries.length + 3).fill(-7);
  let at = 0;
  lines.forEach((line, i) => {
    bytes.set(line, at);
    at += line.length;
    ends[i] = at;
    bytes[at++] = 10;
    sec[i] = Number(entries[i]!.ns / NS);
    nanos[i] = Number(entries[i]!.ns % NS);
  });
  const metadata = entries.some((entry) => entry.metadata !== undefined) ? entries.map((entry) => entry.metadata) : undefined;
  const last = entries.length - 1;
  const stats: PageStats = {
    entryCount: entries.length,
    lineBytes: lines.reduce((sum, line) => sum + line.length, 0),
    metadataBytes: (metadata ?? []).flatMap((pairs) => pairs ?? []).reduce((sum, [name, value]) => sum + name.length + value.length, 0),
    minSec: sec[0]!,
    minNanos: nanos[0]!,
    maxSec: sec[last]!,
    maxNanos: nanos[last]!,
  };
  return { stats, bytes, ends, sec, nanos, metadata, fields: undefined };
}

function overlaps(stats: PageStats, range: TimeRange): boolean {
  const min = BigInt(stats.minSec) * NS + BigInt(stats.minNanos);
  const max = BigInt(stats.maxSec) * NS + BigInt(stats.maxNanos);
  return max >= range.startNs && min <= range.endNs;
}
