// Semantic versions and constraints over them (`>=1.2, <2 || ^3`), by the rules of the Go package Masterminds/semver 3, which sprig's
// functions stand on: parts may be missing, and what is missing in a constraint is a wildcard.

export class SemverError extends Error {
  override readonly name = "SemverError";
}

export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly prerelease: string;
  readonly metadata: string;
  readonly original: string;
}

const IDENTIFIERS = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const TAIL = `(?:-(${IDENTIFIERS}))?(?:\\+(${IDENTIFIERS}))?`;
const NUMBER = "(0|[1-9]\\d*)";
const VERSION = new RegExp(`^v?${NUMBER}(?:\\.${NUMBER})?(?:\\.${NUMBER})?${TAIL}$`);
const PART_MAX = 2n ** 64n;

/** @throws SemverError */
export function parseVersion(text: string): Version {
  const [, major, minor = "0", patch = "0", prerelease = "", metadata = ""] = VERSION.exec(text) ?? [];
  if (major === undefined || [major, minor, patch].some((part) => BigInt(part) >= PART_MAX) || hasLeadingZero(prerelease))
    throw new SemverError("invalid semantic version");
  return { major: BigInt(major), minor: BigInt(minor), patch: BigInt(patch), prerelease, metadata, original: text };
}

/** A number of a prerelease is written without zeros in front. */
const hasLeadingZero = (prerelease: string): boolean => prerelease.split(".").some((part) => /^0\d+$/.test(part));

export function printVersion({ major, minor, patch, prerelease, metadata }: Version): string {
  return `${major}.${minor}.${patch}${prerelease === "" ? "" : `-${prerelease}`}${metadata === "" ? "" : `+${metadata}`}`;
}

/** Below 0, 0 or above 0. Metadata does not count; a prerelease comes before its release. */
export function compareVersions(a: Version, b: Version): number {
  for (const part of ["major", "minor", "patch"] as const) if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  if (a.prerelease === b.prerelease) return 0;
  if (a.prerelease === "" || b.prerelease === "") return a.prerelease === "" ? 1 : -1;
  const [left, right] = [a.prerelease.split("."), b.prerelease.split(".")];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = compareIdentifiers(left[i], right[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers come before words, and fewer identifiers before more. */
function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA && isNumberB) return Math.sign(Number(BigInt(a) - BigInt(b)));
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}

interface Constraint {
  readonly holds: Comparison;
  readonly version: Version;
  /** Which parts of the version are wildcards, or not there. */
  readonly anyMinor: boolean;
  readonly anyPatch: boolean;
}

type Comparison = (version: Version, constraint: Constraint) => boolean;

const order = (version: Version, { version: bound }: Constraint): number => compareVersions(version, bound);

const OPERATORS: Readonly<Record<string, Comparison>> = {
  "": equalOrTilde,
  "=": equalOrTilde,
  "!=": (version, constraint) => !equalOrTilde(version, constraint),
  ">": greater,
  ">=": (version, constraint) => order(version, constraint) >= 0,
  "=>": (version, constraint) => order(version, constraint) >= 0,
  "<": (version, constraint) => order(version, constraint) < 0,
  "<=": lessOrEqual,
  "=<": lessOrEqual,
  "~": tilde,
  "~>": tilde,
  "^": caret,
};

const PART = "(?:\\d+|[xX*])";
const ONE = new RegExp(`^(=|!=|>|<|>=|=>|<=|=<|~|~>|\\^|)\\s*v?(${PART})(?:\\.(${PART}))?(?:\\.(${PART}))?${TAIL}`);
const RANGE = new RegExp(`(v?${PART}(?:\\.${PART}){0,2}${TAIL})\\s+-\\s+(v?${PART}(?:\\.${PART}){0,2}${TAIL})`, "g");

/** Compiles a constraint. @throws SemverError */
export function compileConstraint(text: string): (version: Version) => boolean {
  const ranges = text.replace(RANGE, (_, from: string, _pre, _meta, to: string) => `>=${from},<=${to}`);
  const alternatives = ranges.split("||").map((part) => constraintsOf(part, text));
  return (version) => alternatives.some((all) => all.every((constraint) => admits(constraint, version)));
}

function constraintsOf(text: string, whole: string): Constraint[] {
  const all: Constraint[] = [];
  let rest = text.trim();
  do {
    const match = ONE.exec(rest);
    const after = match === null ? "" : rest.slice(match[0].length);
    if (match === null || !/^(?:\s*,\s*\S|\s+[^\s,]|\s*$)/.test(after)) throw new SemverError(`improper constraint: ${whole}`);
    all.push(constraintOf(match));
    rest = after.replace(/^\s*,?\s*/, "");
  } while (rest !== "");
  return all;
}

function constraintOf([, operator = "", major = "", minor, patch, prerelease = "", metadata = ""]: RegExpExecArray): Constraint {
  const isAny = (part: string | undefined): boolean => part === undefined || /^[xX*]$/.test(part);
  const number = (part: string | undefined): bigint => (isAny(part) ? 0n : BigInt(part!));
  // A wildcard for the major version admits everything; behind another operator it is 0.0.0.
  if (isAny(major)) {
    const holds = operator === "" || operator === "=" ? tilde : OPERATORS[operator]!;
    return { holds, version: parseVersion("0.0.0"), anyMinor: false, anyPatch: false };
  }
  const anyMinor = isAny(minor);
  const version = {
    major: BigInt(major),
    minor: number(minor),
    patch: anyMinor ? 0n : number(patch),
    prerelease,
    metadata,
    original: "",
  };
  return { holds: OPERATORS[operator]!, version, anyMinor, anyPatch: anyMinor || isAny(patch) };
}

/** Prereleases are admitted only by constraints that name one. */
function admits(constraint: Constraint, version: Version): boolean {
  const { holds, version: bound, anyPatch } = constraint;
  const looksAway = holds === OPERATORS["!="] && !anyPatch;
  if (version.prerelease !== "" && bound.prerelease === "" && !looksAway) return false;
  return holds(version, constraint);
}

function equalOrTilde(version: Version, constraint: Constraint): boolean {
  return constraint.anyPatch ? tilde(version, constraint) : order(version, constraint) === 0;
}

/** Above 11 is 12, not 11.1. */
function greater(version: Version, constraint: Constraint): boolean {
  const { version: bound, anyMinor, anyPatch } = constraint;
  if (!anyPatch) return order(version, constraint) > 0;
  if (version.major !== bound.major) return version.major > bound.major;
  return !anyMinor && version.minor > bound.minor;
}

function lessOrEqual(version: Version, constraint: Constraint): boolean {
  const { version: bound, anyMinor, anyPatch } = constraint;
  if (!anyPatch) return order(version, constraint) <= 0;
  if (version.major !== bound.major) return version.major < bound.major;
  return anyMinor || version.minor <= bound.minor;
}

/** The last part may grow; of `~1` the minor one too. */
function tilde(version: Version, constraint: Constraint): boolean {
  const { version: bound, anyMinor, anyPatch } = constraint;
  if (order(version, constraint) < 0) return false;
  if (!anyPatch && bound.major === 0n && bound.minor === 0n && bound.patch === 0n) return true;
  return version.major === bound.major && (anyMinor || version.minor === bound.minor);
}

/** The first part that is not 0 stays. */
function caret(version: Version, constraint: Constraint): boolean {
  const { version: bound, anyMinor, anyPatch } = constraint;
  if (order(version, constraint) < 0 || version.major !== bound.major) return false;
  if (bound.major > 0n || anyMinor) return true;
  if (version.minor !== bound.minor) return false;
  return bound.minor > 0n || anyPatch || version.patch === bound.patch;
}
