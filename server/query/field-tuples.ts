// The field columns of a page as one column: for each line the number of its tuple, one value per label that the query asks of `| json`.
// Lines with equal tuples fare equally in a query that looks at these labels alone.

import { FIELD_UNSURE } from "../../lib/kernels/kernels.ts";
import type { LabelSet } from "../../lib/wire/labels.ts";
import type { Page, PageField } from "../page.ts";
import { ERROR_LABEL } from "./line-labels.ts";

/** Pages with more possible tuples are read line by line. */
const TUPLES_MAX = 1 << 17;

/** A line that has to be read. */
export const UNSURE = -1;

/** A label's place in tuples: the number of its value is `tuple / scale % radix`, 0 for none. */
interface Place {
  readonly name: string;
  readonly values: readonly string[];
  readonly scale: number;
  readonly radix: number;
}

export class FieldTuples {
  /** By line: the number of its tuple, below `tupleCount`, or UNSURE. Valid until the next call of `load`. */
  codes = new Int32Array(0);
  tupleCount = 0;
  readonly #names: readonly string[];
  #places: readonly Place[] = [];

  /** @param names of all labels that the query may look at; `__error__` stands for nothing in a line that is sure */
  constructor(names: readonly string[]) {
    this.#names = names.filter((name) => name !== ERROR_LABEL);
  }

  /** False when the page's fields do not say enough. A label of the stream hides the key of its name. */
  load(page: Page, base: LabelSet): boolean {
    const { fields } = page;
    if (fields === undefined) return false;
    const wanted = this.#names.filter((name) => !base.has(name));
    const columns: PageField[] = [];
    this.tupleCount = 1;
    for (const name of wanted) {
      const field = fields.find((one) => one.name === name);
      if (field === undefined) return false;
      columns.push(field);
      this.tupleCount *= field.values.length + 1;
    }
    // A label of structured metadata would do so too, line by line.
    if (this.tupleCount > TUPLES_MAX || metadataNames(page, this.#names)) return false;
    this.#number(columns, fields[0]!, page.stats.entryCount);
    return true;
  }

  /** The tuple's value of a label; undefined when its lines have none, or the stream has the label. */
  valueOf(tuple: number, name: string): string | undefined {
    for (const place of this.#places) {
      if (place.name === name) return place.values[(Math.floor(tuple / place.scale) % place.radix) - 1];
    }
    return undefined;
  }

  /** @param witness tells sure lines from others when no label is asked of them */
  #number(columns: readonly PageField[], witness: PageField, count: number): void {
    if (this.codes.length < count) this.codes = new Int32Array(Math.max(4096, count));
    const { codes } = this;
    codes.fill(0, 0, count);
    let scale = 1;
    this.#places = columns.map(({ name, values, ids }) => {
      const place = { name, values, scale, radix: values.length + 1 };
      addDigits(codes, ids, scale, count);
      scale *= place.radix;
      return place;
    });
    if (columns.length === 0) addDigits(codes, witness.ids, 0, count);
  }
}

function addDigits(codes: Int32Array, ids: Uint8Array, scale: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const id = ids[i]!;
    if (id === FIELD_UNSURE) codes[i] = UNSURE;
    else if (codes[i]! >= 0) codes[i]! += id * scale;
  }
}

/** Whether the structured metadata of any entry has one of the names. Entries with equal metadata share a list. */
export function metadataNames({ metadata, stats }: Page, names: readonly string[]): boolean {
  if (metadata === undefined) return false;
  const seen = new Set<unknown>([undefined]);
  let last: unknown;
  for (let i = 0; i < stats.entryCount; i++) {
    const pairs = metadata[i];
    if (pairs === last || seen.has(pairs)) continue;
    seen.add((last = pairs));
    if (pairs!.some(([name]) => names.includes(name))) return true;
  }
  return false;
}
