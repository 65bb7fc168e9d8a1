// A flag that overrides a key of the configuration file.

/** `list` has commas between its words; a `url` or `level` is a text that is checked. */
export type FlagKind = "text" | "list" | "int" | "uint" | "float" | "bool" | "duration" | "size" | "url" | "level";

export interface ConfigFlag {
  readonly kind: FlagKind;
  /** Dotted key of the configuration file; undefined for a flag that is only taken. */
  readonly key: string | undefined;
  readonly help: string;
  /** What there is without the flag; absent where Go's usage leaves it out: nothing, 0, false. */
  readonly default?: string;
}

export const configFlag = (kind: FlagKind, key: string | undefined, help: string, standard?: string): ConfigFlag =>
  standard === undefined ? { kind, key, help } : { kind, key, help, default: standard };
