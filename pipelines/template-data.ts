// An entry's extracted data as a template sees it: every value as text, and what the stage adds (`.Value`, `.Entry`). A view: nothing is
// copied, for a template asks for a name or two of many.

import type { TemplateMap, TemplateValue } from "../lib/text/go-template/index.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import { eachExtracted } from "./extracted-data.ts";
import { textOfValue } from "./value-text.ts";

export class TemplateData implements TemplateMap {
  readonly #batch: EntryBatch;
  readonly #i: number;
  readonly #value: string | undefined;
  readonly #line: string | undefined;
  /** What the template has made of it, once it has changed something. */
  #changed: Map<string, TemplateValue> | undefined;

  /** @param value what `.Value` is; @param line what `.Entry` is; undefined where the stage has none */
  constructor(batch: EntryBatch, i: number, value: string | undefined, line: string | undefined) {
    this.#batch = batch;
    this.#i = i;
    this.#value = value;
    this.#line = line;
  }

  /** Undefined for a value that is missing, nil or no text. */
  get(name: string): TemplateValue | undefined {
    if (this.#changed !== undefined) return this.#changed.get(name);
    if (name === "Value" && this.#value !== undefined) return this.#value;
    if (name === "Entry" && this.#line !== undefined) return this.#line;
    return textOfValue(this.#batch.extract(name, this.#i));
  }

  changeable(): Map<string, TemplateValue> {
    return (this.#changed ??= new Map(this.entries()));
  }

  entries(): Iterable<readonly [string, TemplateValue]> {
    if (this.#changed !== undefined) return this.#changed;
    const all = new Map<string, string>();
    eachExtracted(this.#batch, this.#i, (name, value) => {
      const text = textOfValue(value);
      if (text !== undefined) all.set(name, text);
    });
    if (this.#value !== undefined) all.set("Value", this.#value);
    if (this.#line !== undefined) all.set("Entry", this.#line);
    return all;
  }
}
