// Byte sizes in the two spellings of the field: what data says (go-humanize: `1.5 kB` = 1500, `1KiB` = 1024; LogQL's `bytes`) and
// what configuration says (flagext.ByteSize over datasize: `256kb` = 262144, whole numbers, every unit a power of 1024).

/** A size that could not be read; the text is the one Loki shows. */
export class ByteSizeError extends Error {
  override readonly name = "ByteSizeError";
}

const UINT64_MAX = 2 ** 64;
const HUMAN_UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ...[..."kmgtpe"].flatMap((prefix, i): [string, number][] => [
    [prefix, 1000 ** (i + 1)],
    [`${prefix}b`, 1000 ** (i + 1)],
    [`${prefix}i`, 1024 ** (i + 1)],
    [`${prefix}ib`, 1024 ** (i + 1)],
  ]),
]);

/**
 * Reads a size as go-humanize's ParseBytes does: a decimal number (commas allowed), spaces, a unit in any case.
 *
 * @returns whole bytes, cut off
 * @throws ByteSizeError in go-humanize's words
 */
export function parseHumanBytes(text: string): number {
  const number = /^[\d.,]*/.exec(text)![0];
  const digits = number.replaceAll(",", "");
  if (!/^(\d+\.?\d*|\.\d+)$/.test(digits)) throw new ByteSizeError(`strconv.ParseFloat: parsing ${JSON.stringify(digits)}: invalid syntax`);
  const unit = text.slice(number.length).trim().toLowerCase();
  const unitBytes = HUMAN_UNIT_BYTES.get(unit);
  if (unitBytes === undefined) throw new ByteSizeError(`unhandled size name: ${unit}`);
  const bytes = Number(digits) * unitBytes;
  if (bytes >= UINT64_MAX) throw new ByteSizeError(`too large: ${text}`);
  return Math.floor(bytes);
}

const CONFIG_UNITS = ["", "K", "M", "G", "T", "P", "E"] as const;
const CONFIG_UNIT_NAMES: readonly (readonly string[])[] = [
  ["", "B", "BYTE"],
  ["K", "KB", "KILO", "KILOBYTE", "KILOBYTES"],
  ["M", "MB", "MEGA", "MEGABYTE", "MEGABYTES"],
  ["G", "GB", "GIGA", "GIGABYTE", "GIGABYTES"],
  ["T", "TB", "TERA", "TERABYTE", "TERABYTES"],
  ["P", "PB", "PETA", "PETABYTE", "PETABYTES"],
  ["E", "EB"],
];

/**
 * Reads a size of Promtail's or Loki's configuration: a whole number and a unit in any case, `K` and `KB` both 1024. Nothing
 * at all is 0.
 *
 * @throws ByteSizeError
 */
export function parseConfigBytes(text: string | number): number {
  if (text === "") return 0;
  const upper = String(text).toUpperCase();
  const match = /^(\d+)\s*([A-Z]*)\s*$/.exec(upper);
  const power = match === null ? -1 : CONFIG_UNIT_NAMES.findIndex((names) => names.includes(match[2]!));
  if (power < 0)
    throw new ByteSizeError(`unable to parse byte size: strconv.UnmarshalText: parsing ${JSON.stringify(upper)}: invalid syntax`);
  const bytes = Number(match![1]) * 1024 ** power;
  if (bytes >= UINT64_MAX)
    throw new ByteSizeError(`unable to parse byte size: strconv.UnmarshalText: parsing ${JSON.stringify(upper)}: value out of range`);
  return bytes;
}

/** Prints a configured size in the largest unit that leaves a whole number, as Loki's messages do: `256KB`, `1000B`. */
export function printConfigBytes(bytes: number): string {
  let power = 0;
  let count = bytes;
  while (count !== 0 && power < 6 && count % 1024 === 0) {
    count /= 1024;
    power++;
  }
  return `${count}${CONFIG_UNITS[power]}B`;
}

const DECIMAL_UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;
const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** Prints a size as go-humanize's Bytes does, powers of 1000, two digits: `82 B`, `1.5 kB`, `12 MB`. */
export function printHumanBytes(bytes: number): string {
  return printScaled(bytes, 1000, DECIMAL_UNITS);
}

/** Prints a size as go-humanize's IBytes does, powers of 1024, two digits: `1.5 KiB`. */
export function printHumanBinaryBytes(bytes: number): string {
  return printScaled(bytes, 1024, BINARY_UNITS);
}

function printScaled(bytes: number, base: number, units: readonly string[]): string {
  if (bytes < 10) return `${bytes} B`;
  let power = 0;
  while (power < units.length - 1 && bytes / base ** power >= base) power++;
  const value = Math.floor((bytes / base ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundHalfEven(value)} ${units[power]}`;
}

/** Go's `%.0f`: to the nearest whole number, halves to the even one. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
