// Relabelling of entries: sources that are not files give each entry internal labels, which the scrape config's rules turn into the
// labels of its stream. Most entries of a source are alike in what the rules can see, so results are kept by just that.

import { LabelSet } from "../lib/wire/labels.ts";
import { compileRelabel, type Relabel, type RelabelConfig } from "./relabel.ts";

/** Results kept; past this the cache is emptied, which costs time and never correctness. */
const RESULTS_MAX = 4_096;

export class EntryRelabel {
  /**
   * The names of internal labels (`__…`) that the rules look at; undefined when a rule goes by names (`labelmap`, `labeldrop`,
   * `labelkeep`), so that each may matter. A source need not make labels that are not among them.
   */
  readonly reads: ReadonlySet<string> | undefined;
  readonly #rules: Relabel;
  readonly #results = new Map<string, LabelSet | undefined>();

  /** @throws RegexError for a pattern RE2 refuses */
  constructor(configs: readonly RelabelConfig[]) {
    this.#rules = compileRelabel(configs);
    this.reads = configs.some(({ action }) => action.startsWith("label")) ? undefined : namesReadBy(configs);
  }

  /**
   * The stream's labels for an entry with these labels, internal and plain; undefined when a rule drops the entry. Internal labels
   * and those with an empty value are left out. `raw` may be changed.
   */
  labelsOf(raw: Map<string, string>): LabelSet | undefined {
    const key = this.#keyOf(raw);
    if (this.#results.has(key)) return this.#results.get(key);
    for (const [name, value] of raw) if (value === "") raw.delete(name);
    const labels = this.#rules(raw) ? LabelSet.of([...raw].filter(([name]) => !name.startsWith("__"))) : undefined;
    if (this.#results.size >= RESULTS_MAX) this.#results.clear();
    this.#results.set(key, labels);
    return labels;
  }

  #keyOf(raw: ReadonlyMap<string, string>): string {
    let key = "";
    for (const [name, value] of raw) {
      if (this.reads !== undefined && name.startsWith("__") && !this.reads.has(name)) continue;
      key += `${name.length},${value.length}:${name}${value}`;
    }
    return key;
  }
}

function namesReadBy(configs: readonly RelabelConfig[]): ReadonlySet<string> {
  return new Set(
    configs.flatMap(({ source_labels: sources, target_label: target }) =>
      // `keepequal` and `dropequal` read their target.
      [...(sources ?? []), target].filter((name) => name.startsWith("__")),
    ),
  );
}
