// Extracts values of a JSON object by JMESPath. Paths of plain keys (nearly all there are) read spans of the line's bytes and parse
// nothing; other expressions, and lines the scanner is not sure about, go through JSON.parse.

import { z } from "zod";
import { kernels } from "../../lib/kernels/index.ts";
import { JSON_ABSENT, JSON_LINE_OBJECT, JSON_NESTED, JSON_NULL } from "../../lib/kernels/kernels.ts";
import { goJson } from "../../lib/text/go-json.ts";
import { compileJmespath } from "../../lib/text/jmespath.ts";
import { type Column, type EntryBatch, textOf, type Value } from "../../lib/wire/entry-batch.ts";
import { columnOf } from "../extracted-data.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage, type StageContext } from "../stage.ts";
import { attempt, fail, source, strictBoolean, textMap } from "../stage-config.ts";
import { textOfValue, wellFormed } from "../value-text.ts";

/** One expression: the keys of a plain path, or any JMESPath. */
interface Extraction {
  readonly name: string;
  readonly keys: readonly string[] | undefined;
  readonly evaluate: (document: unknown) => unknown;
}

export const json = defineStage({
  name: "json",
  config: z.object({
    expressions: textMap().transform((map, context): readonly Extraction[] => {
      if (map.size === 0) return fail(context, "is required: a map from extracted names to JMESPath expressions");
      return [...map].map(([name, given]) => {
        const expression = given === "" ? name : given;
        const evaluate = attempt(context, () => compileJmespath(expression), `could not compile the expression of ${name}: `);
        return { name, keys: plainPath(expression), evaluate };
      });
    }),
    source: source(),
    drop_malformed: strictBoolean().default(false),
  }),
  build({ expressions, source: from, drop_malformed: dropMalformed }, context): Stage {
    const spans = from === undefined && expressions.every(({ keys }) => keys !== undefined);
    const reader = spans ? new SpanReader(expressions) : undefined;
    return {
      process(batch) {
        const malformed = reader === undefined ? readDocuments(batch, expressions, from) : reader.read(batch);
        if (dropMalformed && malformed !== undefined) dropEntries(batch, malformed, context);
      },
    };
  },
});

const PLAIN_KEY = /(?:([A-Za-z_]\w*)|("(?:[^"\\]|\\.)*"))(\.|$)/y;

/** The keys of an expression that is only `a.b."c d"`; undefined for any other. */
function plainPath(expression: string): string[] | undefined {
  const keys: string[] = [];
  PLAIN_KEY.lastIndex = 0;
  while (PLAIN_KEY.lastIndex < expression.length) {
    const match = PLAIN_KEY.exec(expression);
    if (match === null || (match[3] === "." && PLAIN_KEY.lastIndex === expression.length)) return undefined;
    try {
      keys.push(match[1] ?? (JSON.parse(match[2]!) as string));
    } catch {
      return undefined;
    }
  }
  return keys.length === 0 ? undefined : keys;
}

function dropEntries(batch: EntryBatch, malformed: ReadonlySet<number>, context: StageContext): void {
  if (malformed.size === 0) return;
  batch.filterLive((i) => !malformed.has(i));
  context.dropped("malformed_json", malformed.size);
}

/** Parses each document whole. Returns the entries whose document is malformed. */
function readDocuments(batch: EntryBatch, extractions: readonly Extraction[], from: string | undefined): Set<number> {
  const malformed = new Set<number>();
  const columns = extractions.map(
    ({ name }) =>
      (): Column =>
        columnOf(batch, name),
  );
  for (let k = 0; k < batch.liveCount; k++) {
    const i = batch.live[k]!;
    const input = from === undefined ? batch.line(i) : textOfValue(batch.extract(from, i));
    if (input === undefined) continue;
    const document = parseDocument(input);
    if (document === undefined) malformed.add(i);
    else setAll(extractions, document, (e, value) => columns[e]!().set(i, value));
  }
  return malformed;
}

function setAll(extractions: readonly Extraction[], document: object | null, set: (e: number, value: Value) => void): void {
  for (let e = 0; e < extractions.length; e++) set(e, storedValue(evaluate(extractions[e]!, document)));
}

function evaluate({ evaluate }: Extraction, document: unknown): unknown {
  try {
    return evaluate(document);
  } catch {
    // A function got a type it does not take: the expression finds nothing.
    return null;
  }
}

/** Lists and objects are kept as JSON text; what was not found is nil. */
function storedValue(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "object") return goJson(value);
  return value as Value;
}

/** An object, or null for `null`, which counts as an object without keys; undefined for anything else. */
function parseDocument(text: string): object | null | undefined {
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "n") return undefined;
  try {
    return JSON.parse(text) as object | null;
  } catch {
    return undefined;
  }
}

/** Reads plain paths of a whole batch's lines by the scanning kernel. Its arrays serve batch after batch. */
class SpanReader {
  readonly #extractions: readonly Extraction[];
  readonly #keys: Uint8Array[] = [];
  /** By extraction: which of the scanned keys its path starts with. */
  readonly #slotOf: number[];
  #capacity = 0;
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  #verdict = new Uint8Array(0);
  #kind = new Uint8Array(0);
  #valueStart = new Int32Array(0);
  #valueEnd = new Int32Array(0);

  constructor(extractions: readonly Extraction[]) {
    this.#extractions = extractions;
    const slots = new Map<string, number>();
    // An extraction with a longer path has a slot of its own, for what is found deeper is written over what the scan found.
    this.#slotOf = extractions.map(({ keys }, e) => {
      const id = keys!.length === 1 ? JSON.stringify(keys![0]) : `path ${e}`;
      const slot = slots.get(id) ?? this.#keys.push(new TextEncoder().encode(keys![0])) - 1;
      slots.set(id, slot);
      return slot;
    });
  }

  /** Returns the entries whose line is no object. */
  read(batch: EntryBatch): Set<number> | undefined {
    this.#reserve(batch.count);
    const [starts, ends] = this.#linesOf(batch);
    const width = this.#keys.length;
    kernels.scanJson(batch.bytes, starts, ends, batch.count, this.#keys, this.#verdict, this.#kind, this.#valueStart, this.#valueEnd);
    const columns = this.#extractions.map(({ name }, e) => {
      const slots = {
        kind: this.#kind,
        start: this.#valueStart,
        end: this.#valueEnd,
        stride: width,
        offset: this.#slotOf[e]!,
        count: batch.count,
      };
      const column = new SpanColumn(batch, slots, batch.extracted.get(name));
      batch.extracted.set(name, column);
      return column;
    });
    return this.#settle(batch, columns);
  }

  /** After the scan: what was not found is nil, other lines than objects say nothing, deeper paths and unsure lines are parsed. */
  #settle(batch: EntryBatch, columns: readonly SpanColumn[]): Set<number> | undefined {
    const kind = this.#kind;
    const width = this.#keys.length;
    const deep = this.#extractions.flatMap(({ keys }, e) => (keys!.length > 1 ? [e] : []));
    let malformed: Set<number> | undefined;
    if (batch.liveCount < batch.count) this.#clearDead(batch);
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      const first = i * width;
      if (this.#verdict[i] === JSON_LINE_OBJECT) {
        for (let slot = first; slot < first + width; slot++) if (kind[slot] === JSON_ABSENT) kind[slot] = JSON_NULL;
        for (let d = 0; d < deep.length; d++) this.#readDeep(batch, columns, deep[d]!, i);
        continue;
      }
      kind.fill(JSON_ABSENT, first, first + width);
      const document = parseDocument(batch.line(i));
      if (document === undefined) (malformed ??= new Set()).add(i);
      else setAll(this.#extractions, document, (e, value) => columns[e]!.set(i, value));
    }
    return malformed;
  }

  #readDeep(batch: EntryBatch, columns: readonly SpanColumn[], e: number, i: number): void {
    const slot = i * this.#keys.length + this.#slotOf[e]!;
    if (this.#kind[slot] !== JSON_NESTED) {
      this.#kind[slot] = JSON_NULL;
      return;
    }
    let value: unknown = JSON.parse(textOf(batch.bytes, this.#valueStart[slot]!, this.#valueEnd[slot]!));
    const keys = this.#extractions[e]!.keys!;
    for (let depth = 1; depth < keys.length; depth++) {
      const inside = value !== null && typeof value === "object" && !Array.isArray(value) && Object.hasOwn(value, keys[depth]!);
      value = inside ? (value as Record<string, unknown>)[keys[depth]!] : null;
    }
    columns[e]!.set(i, storedValue(value));
  }

  /** Entries that are not live keep what they had. */
  #clearDead(batch: EntryBatch): void {
    const width = this.#keys.length;
    const live = new Uint8Array(batch.count);
    for (let k = 0; k < batch.liveCount; k++) live[batch.live[k]!] = 1;
    for (let i = 0; i < batch.count; i++) if (live[i] === 0) this.#kind.fill(JSON_ABSENT, i * width, (i + 1) * width);
  }

  /** The lines to scan: as they are when all are live, else with empty spans in place of the others. */
  #linesOf(batch: EntryBatch): [starts: Int32Array, ends: Int32Array] {
    if (batch.liveCount === batch.count) return [batch.starts, batch.ends];
    this.#starts.fill(0, 0, batch.count);
    this.#ends.fill(0, 0, batch.count);
    for (let k = 0; k < batch.liveCount; k++) {
      const i = batch.live[k]!;
      this.#starts[i] = batch.starts[i]!;
      this.#ends[i] = batch.ends[i]!;
    }
    return [this.#starts, this.#ends];
  }

  #reserve(count: number): void {
    if (count <= this.#capacity) return;
    this.#capacity = Math.max(count, this.#capacity * 2, 64);
    const slots = this.#capacity * this.#keys.length;
    this.#starts = new Int32Array(this.#capacity);
    this.#ends = new Int32Array(this.#capacity);
    this.#verdict = new Uint8Array(this.#capacity);
    this.#kind = new Uint8Array(slots);
    this.#valueStart = new Int32Array(slots);
    this.#valueEnd = new Int32Array(slots);
  }
}
