// Queries of the common kinds over a few megabytes of the newest stored pages, run once before the server calls itself ready. JavaScript and
// kernels are compiled well only after they have worked for a while; without this, the first query of a kind costs its user about twice
// the processor time of the next (docs/decisions/0010-warm-up.md).

import { queryJson } from "./http/query-json.ts";
import type { LogView, PageReader, PageRef, StreamPages, TimeRange } from "./page.ts";
import type { QueryEngine } from "./query/engine.ts";
import type { BlockMeta } from "./store/catalog.ts";

/** Of lines, per kind of line. Two threads get work from twice 4 MiB on. */
const SAMPLE_BYTES = 10 * 1024 * 1024;
/** Streams whose lines are looked at. */
const STREAMS_MAX = 64;
const ROUNDS = 2;
const TIME_MAX_MS = 3_000;
const NS_PER_SECOND = 1_000_000_000n;
const LIMIT = 1_000;

export interface WarmUpParts {
  readonly blocks: readonly BlockMeta[];
  readonly view: LogView;
  readonly openReader: () => PageReader;
  readonly engine: Pick<QueryEngine, "over">;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

type Kind = "json" | "logfmt" | "text";

interface Sample {
  readonly kind: Kind;
  readonly line: string;
  readonly streams: StreamPages[];
  bytes: number;
}

/**
 * Resolves after at most about three seconds, at once where little is stored. Never rejects: what a query fails on is of no interest here.
 *
 * @returns how many queries were run
 */
export async function warmUp(parts: WarmUpParts): Promise<number> {
  const until = performance.now() + TIME_MAX_MS;
  const newest = parts.blocks.reduce<BlockMeta | undefined>(
    (best, block) => (best === undefined || block.maxSec > best.maxSec ? block : best),
    undefined,
  );
  if (newest === undefined || newest.lineBytes < SAMPLE_BYTES) return 0;
  const range = { startNs: BigInt(newest.minSec) * NS_PER_SECOND, endNs: (BigInt(newest.maxSec) + 1n) * NS_PER_SECOND };
  let done = 0;
  const samples = await samplesOf(await parts.view.select(newest.tenant, [], range), parts.openReader());
  for (let round = 0; round < ROUNDS; round++) {
    for (const sample of samples) {
      const engine = parts.engine.over({ select: () => sample.streams });
      for (const query of queriesFor(sample)) {
        if (parts.signal.aborted || performance.now() > until) return done;
        await run(engine, newest.tenant, query, range, parts.signal).catch(() => {});
        done++;
      }
    }
  }
  return done;
}

/** By kind of line: pages of streams that have such lines, up to a size. */
async function samplesOf(streams: readonly StreamPages[], reader: PageReader): Promise<Sample[]> {
  const samples = new Map<Kind, Sample>();
  for (const { labels, pages } of streams.slice(0, STREAMS_MAX)) {
    const stored = pages.filter(({ location }) => location.kind === "block");
    if (stored.length === 0) continue;
    const line = await firstLine(stored[0]!, reader).catch(() => "");
    const kind = kindOf(line);
    const sample = samples.get(kind) ?? { kind, line, streams: [], bytes: 0 };
    samples.set(kind, sample);
    const taken: PageRef[] = [];
    for (const page of stored) {
      if (sample.bytes >= SAMPLE_BYTES) break;
      taken.push(page);
      sample.bytes += page.stats.lineBytes;
    }
    if (taken.length > 0) sample.streams.push({ labels, pages: taken });
  }
  return [...samples.values()];
}

async function firstLine(ref: PageRef, reader: PageReader): Promise<string> {
  const { bytes, ends } = await reader.open(ref);
  return new TextDecoder().decode(bytes.subarray(0, ends[0]));
}

function kindOf(line: string): Kind {
  if (line.startsWith("{")) return "json";
  return /^[\w.]+=/.test(line) ? "logfmt" : "text";
}

/** Of the forms that people ask most: a search, the newest lines; a count by a label, a filter on a number, a quantile of parsed lines. */
function queriesFor({ kind, line }: Sample): string[] {
  return (kind === "text" ? textQueries(line) : parserQueries(kind, line)).map((query) => query.replace("{}", '{warm="up"}'));
}

function textQueries(line: string): string[] {
  const word = /[a-zA-Z]{5,}/.exec(line)?.[0] ?? "error";
  return [
    `sum(count_over_time({} |= "${word}" [RANGE]))`,
    "sum by (word) (count_over_time({} | regexp `(?P<word>\\w+) \\S+` [RANGE]))",
    "{}",
  ];
}

function parserQueries(kind: Kind, line: string): string[] {
  const fields = kind === "json" ? jsonFields(line) : logfmtFields(line);
  const [number, value] = fields.find(([, text]) => isNumber(text)) ?? ["status", "1"];
  const [name] = fields.find(([, text]) => /^[a-zA-Z]+$/.test(text)) ?? ["level"];
  const [duration] = fields.find(([, text]) => /^[0-9.]+[mnu]?s$/.test(text)) ?? [undefined];
  const unwrapped = duration === undefined ? number : `duration(${duration})`;
  return [
    `sum by (${name}) (count_over_time({} | ${kind} | ${number} > ${value} [RANGE]))`,
    `quantile_over_time(0.9, {} | ${kind} | unwrap ${unwrapped} | __error__="" [RANGE]) by (${name})`,
  ];
}

const isNumber = (text: string): boolean => text !== "" && /^[0-9.]+$/.test(text) && Number.isFinite(Number(text));

function jsonFields(line: string): [name: string, value: string][] {
  try {
    return plainNames(Object.entries(JSON.parse(line) as object).map(([name, value]) => [name, String(value)]));
  } catch {
    return [];
  }
}

function logfmtFields(line: string): [name: string, value: string][] {
  return plainNames([...line.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)].map(([, name, quoted, bare]) => [name!, quoted ?? bare ?? ""]));
}

const plainNames = (fields: [string, string][]): [string, string][] => fields.filter(([name]) => /^[a-zA-Z][a-zA-Z0-9]*$/.test(name));

/** As a client would: the answer is written as JSON, and thrown away. */
async function run(
  engine: Pick<QueryEngine, "instant" | "range">,
  tenant: string,
  text: string,
  range: TimeRange,
  signal: AbortSignal,
): Promise<void> {
  const seconds = (range.endNs - range.startNs) / NS_PER_SECOND + 1n;
  const common = { tenants: [tenant], query: text.replace("RANGE", `${seconds}s`), limit: LIMIT, direction: "backward" as const, signal };
  const overTime = !text.includes("RANGE");
  const answer = overTime
    ? await engine.range({ ...common, ...range, stepNs: (seconds / 100n + 1n) * NS_PER_SECOND, intervalNs: 0n })
    : await engine.instant({ ...common, timeNs: range.endNs });
  for (const _ of queryJson(answer, []));
}
