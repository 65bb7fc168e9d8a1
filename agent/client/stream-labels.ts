import type { LabelSet } from "../../lib/wire/labels.ts";

/** Label whose value is the tenant of an entry; it is not sent. */
export const TENANT_LABEL = "__tenant_id__";

/** A set of labels as one client sends it. */
export interface ResolvedStream {
  readonly tenant: string;
  /** Canonical text in UTF-8: `{a="x", b="y"}`. */
  readonly text: Uint8Array;
}

/** Sets remembered; past this the memory is emptied, which costs time and never correctness: streams are compared by their text then. */
const REMEMBERED_MAX = 20_000;

/** Resolves labels to streams: external labels put in, the tenant (which may be one of them) taken out. The same labels give the same object. */
export class StreamLabels {
  readonly #tenantId: string;
  readonly #external: readonly (readonly [string, string])[];
  readonly #byLabels = new Map<LabelSet, ResolvedStream>();
  readonly #byText = new Map<string, ResolvedStream>();

  constructor(tenantId: string, externalLabels: Readonly<Record<string, string>>) {
    this.#tenantId = tenantId;
    this.#external = Object.entries(externalLabels);
  }

  resolve(labels: LabelSet): ResolvedStream {
    let stream = this.#byLabels.get(labels);
    if (stream !== undefined) return stream;
    if (this.#byLabels.size >= REMEMBERED_MAX) this.#byLabels.clear();
    stream = this.#make(labels);
    this.#byLabels.set(labels, stream);
    return stream;
  }

  #make(labels: LabelSet): ResolvedStream {
    let all = labels;
    for (const [name, value] of this.#external) if (!all.has(name)) all = all.with(name, value);
    const text = String(all.without(TENANT_LABEL));
    const tenant = all.get(TENANT_LABEL) || this.#tenantId;
    const key = `${tenant}\0${text}`;
    let stream = this.#byText.get(key);
    if (stream === undefined) {
      if (this.#byText.size >= REMEMBERED_MAX) this.#byText.clear();
      this.#byText.set(key, (stream = { tenant, text: Buffer.from(text) }));
    }
    return stream;
  }
}
