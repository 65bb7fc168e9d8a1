// The catalogue: which blocks exist. The one mutable thing of the store.

/** What is known of a block without opening it. */
export interface BlockMeta {
  readonly key: string;
  readonly tenant: string;
  /** Times of its oldest and newest entry, in whole seconds, both inclusive. */
  readonly minSec: number;
  readonly maxSec: number;
  readonly entryCount: number;
  readonly lineBytes: number;
  readonly objectBytes: number;
}

export interface Catalog {
  /** Blocks of a tenant that may have entries in `[fromSec, toSec]`. */
  blocks(tenant: string, fromSec: number, toSec: number): readonly BlockMeta[];
  all(): readonly BlockMeta[];
  tenants(): readonly string[];
  /**
   * Adds and removes blocks as one: durable when it resolves, and a crash leaves all of it or nothing.
   *
   * @param applied called in the moment in which readers begin to see the change, for what must change with it
   */
  change(add: readonly BlockMeta[], remove: readonly string[], applied?: () => void): Promise<void>;
  close(): Promise<void>;
}
