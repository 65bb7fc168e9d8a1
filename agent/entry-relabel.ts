// Relabelling of entries: sources that are not files give each entry internal labels, which the scrape config's rules turn into the
// labels of its stream. Most entries of a source are alike in what the rules can see, so results are kept by just that.

import { compileRegex, type Regex } from "../lib/text/regex.ts";
import { compileRelabel, type Relabel, type RelabelConfig } from "../lib/text/relabel.ts";
import { LabelSet } from "../lib/wire/labels.ts";

/** Results kept; past this the cache is emptied, which costs time and never correctness. */
const RESULTS_MAX = 4_096;
/** Names for which it is remembered whether a rule looks at them. */
const NAMES_MAX = 4_096;

export class EntryRelabel {
  /**
   * The names of internal labels (`__…`) that the rules look at; undefined when a `labelmap` goes by patterns of names, so that only
   * `looksAt` can tell. A source need not make labels that are not among them.
   */
  readonly reads: ReadonlySet<string> | undefined;
  readonly #named: ReadonlySet<string>;
  readonly #mapped: readonly Regex[];
  readonly #looksAt = new Map<string, boolean>();
  readonly #rules: Relabel;
  readonly #results = new Map<string, LabelSet | undefined>();

  /** @throws RegexError for a pattern RE2 refuses */
  constructor(configs: readonly RelabelConfig[]) {
    this.#rules = compileRelabel(configs);
    this.#named = namesReadBy(configs);
    // What `labeldrop` and `labelkeep` take away matters only where another rule reads it.
    this.#mapped = configs
      .filter(({ action }) => action === "labelmap")
      .map(({ regex }) => compileRegex(regex, { anchored: true, dotAll: true }));
    this.reads = this.#mapped.length > 0 ? undefined : this.#named;
  }

  /** Whether an internal label of that name can make a difference. */
  looksAt(name: string): boolean {
    let looks = this.#looksAt.get(name);
    if (looks === undefined) {
      looks = this.#named.has(name) || this.#mapped.some((regex) => regex.test(name));
      if (this.#looksAt.size >= NAMES_MAX) this.#looksAt.clear();
      this.#looksAt.set(name, looks);
    }
    return looks;
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
      if (name.startsWith("__") && !this.looksAt(name)) continue;
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
