import type { LabelSet } from "../../lib/wire/labels.ts";

/** Label whose value is the tenant of an entry; it is not sent. */
export const TENANT_LABEL = "__tenant_id__";

const utf8 = new TextEncoder();

/** A set of labels as one client sends it. */
export interface ResolvedStream {
  readonly tenant: string;
  /** What is sent, in its canonical text: `{a="x", b="y"}`. */
  readonly sent: LabelSet;
  /** In memory of its own: a small buffer would be cut from a piece of 8 KiB, and one stream that lives long would keep all of that. */
  readonly sentBytes: Uint8Array;
  /** What is sent, with the tenant if it is not the client's own. As long as somebody has the stream, it is the only one of its key. */
  readonly key: LabelSet;
  /** What it took in the batch before, encoded: the room to begin the next with. */
  batchBytes: number;
}

/**
 * Resolves labels to streams: external labels put in, the tenant (which may be one of them) taken out. The same labels give the same
 * object. Streams are remembered as long as somebody has their labels: on a node whose pods come and go, others would only pile up.
 */
export class StreamLabels {
  readonly #tenantId: string;
  readonly #external: readonly (readonly [string, string])[];
  readonly #streams = new WeakMap<LabelSet, ResolvedStream>();

  constructor(tenantId: string, externalLabels: Readonly<Record<string, string>>) {
    this.#tenantId = tenantId;
    this.#external = Object.entries(externalLabels);
  }

  resolve(labels: LabelSet): ResolvedStream {
    let stream = this.#streams.get(labels);
    if (stream === undefined) this.#streams.set(labels, (stream = this.#make(labels)));
    return stream;
  }

  #make(labels: LabelSet): ResolvedStream {
    let all = labels;
    for (const [name, value] of this.#external) if (!all.has(name)) all = all.put(name, value);
    const sent = all.without(TENANT_LABEL);
    const tenant = all.has(TENANT_LABEL) ? all.get(TENANT_LABEL) : this.#tenantId;
    const key = tenant === this.#tenantId ? sent : sent.put(TENANT_LABEL, tenant);
    let stream = this.#streams.get(key);
    if (stream === undefined) this.#streams.set(key, (stream = { tenant, sent, sentBytes: utf8.encode(String(sent)), key, batchBytes: 0 }));
    return stream;
  }
}
