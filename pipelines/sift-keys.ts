// Makes a stage's YAML ready for its schema as Promtail's decoder would: keys in any case, null as absent, unknown keys left out (and
// told, for nobody writes one on purpose).

import type { z } from "zod";
import { type ConfigPath, nearest } from "../lib/runtime/config-file.ts";

/** The parts of a zod schema that lead to what is inside. */
interface SchemaParts {
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly def?: { readonly type?: string; readonly innerType?: z.ZodType; readonly in?: z.ZodType; readonly out?: z.ZodType };
}

/**
 * A copy of `given` with only the keys that the schema knows, at every level of objects. Free maps (labels, expressions) are left alone.
 *
 * @param warn called for each key that is left out, with its path
 */
export function siftKeys(schema: z.ZodType, given: unknown, path: ConfigPath, warn: (path: ConfigPath, message: string) => void): unknown {
  const { shape, valueType } = unwrap(schema);
  if (shape !== undefined) return given === null || given === undefined ? {} : siftObject(shape, given, path, warn);
  if (valueType === undefined || !isPlainObject(given)) return given;
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, siftKeys(valueType, value, [...path, key], warn)]));
}

function siftObject(
  shape: Readonly<Record<string, z.ZodType>>,
  given: unknown,
  path: ConfigPath,
  warn: (path: ConfigPath, message: string) => void,
): unknown {
  if (!isPlainObject(given)) return given;
  const sifted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const known = Object.hasOwn(shape, key) ? key : Object.keys(shape).find((name) => name === key.toLowerCase());
    if (known === undefined) {
      const near = nearest(key, Object.keys(shape));
      warn([...path, key], `unknown key ${key} has no effect${near === undefined ? "" : `; did you mean "${near}"?`}`);
    } else if (value !== null) sifted[known] = descends(shape[known]!) ? siftKeys(shape[known]!, value, [...path, key], warn) : value;
  }
  return sifted;
}

const descends = (schema: z.ZodType): boolean => {
  const { shape, valueType } = unwrap(schema);
  return shape !== undefined || valueType !== undefined;
};

/** The schema inside defaults, optionals and transforms. */
function unwrap(schema: z.ZodType): SchemaParts {
  let here = schema as unknown as SchemaParts & { def: SchemaParts["def"] & { valueType?: z.ZodType } };
  for (let depth = 0; depth < 10; depth++) {
    const inner = here.def?.innerType ?? (here.def?.type === "pipe" ? (isTransform(here.def.in) ? here.def.out : here.def.in) : undefined);
    if (inner === undefined) break;
    here = inner as unknown as typeof here;
  }
  return here.def?.type === "record" ? { ...here, valueType: here.def.valueType! } : here;
}

const isTransform = (schema: z.ZodType | undefined): boolean => (schema as unknown as SchemaParts | undefined)?.def?.type === "transform";

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
