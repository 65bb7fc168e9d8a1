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

/** What becomes true as one: a crash leaves all of it or nothing. */
export interface CatalogChange {
  readonly add?: readonly BlockMeta[];
  /** Keys of blocks. */
  readonly remove?: readonly string[];
  /** WAL segments before this one have all their entries in blocks; absent: as before. */
  readonly walFrom?: number;
}

export interface Catalog {
  /** Blocks of a tenant that may have entries in `[fromSec, toSec]`. */
  blocks(tenant: string, fromSec: number, toSec: number): readonly BlockMeta[];
  all(): readonly BlockMeta[];
  tenants(): readonly string[];
  /** First WAL segment that is still needed. */
  readonly walFrom: number;
  /**
   * Durable when it resolves.
   *
   * @param applied called at the moment from which the catalogue shows the change, before anything else can run
   */
  change(change: CatalogChange, applied?: () => void): Promise<void>;
  close(): Promise<void>;
}
