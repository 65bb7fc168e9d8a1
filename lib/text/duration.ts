// Durations as people write them, in the two spellings of the field: Go's (`1.5s`, `250ms`, `-1h30m`: time.ParseDuration and
// Duration.String) and Prometheus' (`1h30m`, `2w`: whole numbers, units from large to small, model.ParseDuration).

/** A duration that could not be read. The text is Go's, because users see it in answers and search for it. */
export class DurationError extends Error {
  override readonly name = "DurationError";
}

const NS_PER_MS = 1e6;
const GO_UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3_600e9,
};
const GO_DURATION_NS_MAX = 2 ** 63;
/** Stands for "for ever". In a double it is one nanosecond too long. */
const GO_DURATION_LONGEST = "2562047h47m16.854775807s";
const POINT = 46;
/** Whole numbers of so many digits are exact in a double. */
const EXACT_DIGITS = 15;

/**
 * Reads a Go duration: `[+-]` then numbers with units `ns us µs ms s m h`, fractions allowed, `0` alone allowed.
 *
 * @returns nanoseconds, a whole number (exact to 2^53 ns = 104 days, then to the next double)
 * @throws DurationError in Go's words
 */
export function parseGoDurationNs(text: string): number {
  if (text === GO_DURATION_LONGEST) return GO_DURATION_NS_MAX;
  const invalid = (): DurationError => new DurationError(`time: invalid duration ${quote(text)}`);
  let at = text[0] === "-" || text[0] === "+" ? 1 : 0;
  const sign = text[0] === "-" ? -1 : 1;
  if (text.length - at === 1 && text[at] === "0") return 0;
  if (at === text.length) throw invalid();

  let totalNs = 0;
  while (at < text.length) {
    const wholeStart = at;
    at = skipDigits(text, at);
    let digits = at - wholeStart;
    const whole = Number(text.slice(wholeStart, at));
    let fraction = "";
    if (text[at] === ".") {
      const fractionStart = ++at;
      at = skipDigits(text, at);
      digits += at - fractionStart;
      fraction = text.slice(fractionStart, at);
    }
    if (digits === 0) throw invalid();
    const unitStart = at;
    while (at < text.length && text[at] !== "." && !isDigit(text.charCodeAt(at))) at++;
    const unit = text.slice(unitStart, at);
    if (unit === "") throw new DurationError(`time: missing unit in duration ${quote(text)}`);
    const unitNs = Object.hasOwn(GO_UNIT_NS, unit) ? GO_UNIT_NS[unit]! : 0;
    if (unitNs === 0) throw new DurationError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    totalNs += whole * unitNs + fractionNs(fraction, unitNs);
    if (totalNs > GO_DURATION_NS_MAX || (totalNs === GO_DURATION_NS_MAX && sign > 0)) throw invalid();
  }
  return totalNs === 0 ? 0 : sign * totalNs;
}

/**
 * Reads the commonest Go durations, one number and one ASCII unit as in `12.5ms`, straight from `bytes[start, end)`.
 *
 * @returns nanoseconds as `parseGoDurationNs`; undefined for what only that can read, or refuse
 */
export function plainDurationNs(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  let value = 0;
  let digits = 0;
  // Ten to the number of decimals, exact as long as the digits are.
  let parts = 1;
  let afterPoint = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (isDigit(byte)) {
      value = value * 10 + (byte - 48);
      digits++;
      if (afterPoint) parts *= 10;
    } else if (byte === POINT && !afterPoint) afterPoint = true;
    else break;
  }
  if (digits === 0 || digits > EXACT_DIGITS || parts > 1e12) return undefined;
  const unitNs = unitNsOf(bytes, at, end);
  const perDigit = unitNs / parts;
  const ns = value * perDigit;
  return unitNs > 0 && Number.isInteger(perDigit) && ns <= Number.MAX_SAFE_INTEGER ? ns : undefined;
}

/** 0 for a unit of other letters. */
function unitNsOf(bytes: Uint8Array, at: number, end: number): number {
  const isSecondOf = end - at === 2 && bytes[at + 1] === 0x73;
  switch (end - at === 1 || isSecondOf ? bytes[at] : 0) {
    case 0x6e:
      return isSecondOf ? 1 : 0;
    case 0x75:
      return isSecondOf ? 1e3 : 0;
    case 0x6d:
      return isSecondOf ? 1e6 : 60e9;
    case 0x73:
      return isSecondOf ? 0 : 1e9;
    case 0x68:
      return isSecondOf ? 0 : 3_600e9;
    default:
      return 0;
  }
}

/** A Go duration in milliseconds; may have a fraction. Throws as `parseGoDurationNs` does. */
export function parseGoDurationMs(text: string): number {
  return parseGoDurationNs(text) / NS_PER_MS;
}

const PROMETHEUS_UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["y", 31_536_000_000],
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];
const PROMETHEUS_MS_MAX = GO_DURATION_NS_MAX / NS_PER_MS;

/**
 * Reads a Prometheus duration: whole numbers with units `y w d h m s ms`, each at most once and from large to small; or `0`.
 *
 * @throws DurationError in the words of prometheus/common
 */
export function parsePrometheusDurationMs(text: string): number {
  if (text === "") throw new DurationError("empty duration string");
  if (text === "0") return 0;
  const invalid = (): DurationError => new DurationError(`not a valid duration string: ${quote(text)}`);
  let totalMs = 0;
  let nextUnit = 0;
  let at = 0;
  while (at < text.length) {
    const countStart = at;
    at = skipDigits(text, at);
    if (at === countStart) throw invalid();
    const count = Number(text.slice(countStart, at));
    const unitStart = at;
    while (at < text.length && !isDigit(text.charCodeAt(at))) at++;
    if (at === unitStart) throw invalid();
    const unit = text.slice(unitStart, at);
    const rank = PROMETHEUS_UNITS.findIndex(([name]) => name === unit);
    if (rank < 0) throw new DurationError(`unknown unit ${quote(unit)} in duration ${quote(text)}`);
    if (rank < nextUnit) throw invalid();
    nextUnit = rank + 1;
    totalMs += count * PROMETHEUS_UNITS[rank]![1];
    if (totalMs > PROMETHEUS_MS_MAX) throw new DurationError("duration out of range");
  }
  return totalMs;
}

/** Prints nanoseconds as Go's Duration.String does: `1h0m0s`, `1.5s`, `250ms`, `0s`. */
export function printGoDuration(ns: number): string {
  if (ns === 0) return "0s";
  if (ns === GO_DURATION_NS_MAX) return GO_DURATION_LONGEST;
  const sign = ns < 0 ? "-" : "";
  const size = BigInt(Math.trunc(Math.abs(ns)));
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}\u00b5s`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const seconds = `${decimal(size % 60_000_000_000n, 9)}s`;
  const minutes = size / 60_000_000_000n;
  if (minutes === 0n) return sign + seconds;
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** Prints milliseconds as Prometheus does: `1h30m`, `1w`, `0s`. Years and weeks only where nothing remains. */
export function printPrometheusDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = Math.trunc(Math.abs(ms));
  let text = ms < 0 ? "-" : "";
  for (const [unit, unitMs] of PROMETHEUS_UNITS) {
    const whole = unit === "y" || unit === "w";
    if (whole && rest % unitMs !== 0) continue;
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text;
}

/** `.5` of a unit in whole nanoseconds, cut off as Go does; digits past what a unit can show do not count. */
function fractionNs(digits: string, unitNs: number): number {
  if (digits === "") return 0;
  const perDigit = unitNs / 10 ** digits.length;
  if (digits.length <= EXACT_DIGITS && Number.isInteger(perDigit)) return Number(digits) * perDigit;
  const kept = digits.slice(0, 15);
  return Number((BigInt(kept) * BigInt(unitNs)) / 10n ** BigInt(kept.length));
}

/** `size / 10^places` in decimal, without trailing zeros. */
function decimal(size: bigint, places: number): string {
  const one = 10n ** BigInt(places);
  const fraction = (size % one).toString().padStart(places, "0").replace(/0+$/, "");
  return fraction === "" ? `${size / one}` : `${size / one}.${fraction}`;
}

const isDigit = (unit: number): boolean => unit >= 48 && unit <= 57;

function skipDigits(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** Go's %q as the time package has it: quotes and backslashes escaped, other bytes as hexadecimal. */
function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (code >= 0x20 && code < 0x7f) out += char;
    else for (const byte of Buffer.from(char)) out += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return out + '"';
}
