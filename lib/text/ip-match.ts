// LogQL's `ip("…")`: one address, a range `a-b`, or a prefix `10.0.0.0/8`, v4 or v6. As a label filter it judges a whole value, as a line
// filter it looks for any address in the line.

import { isIPv4, isIPv6 } from "node:net";

/** A pattern that is refused; the text is the one Loki shows. */
export class IpPatternError extends Error {
  override readonly name = "IpPatternError";
}

export interface IpMatcher {
  /** Is there an address in the text that belongs to the set? */
  test(text: string): boolean;
  /** Does the text, as a whole, name an address of the set? Null when it names none. */
  testAddress(text: string): boolean | null;
}

/** Addresses as numbers, by family, since 1.2.3.4 and ::1.2.3.4 are not the same. */
interface Address {
  readonly v6: boolean;
  readonly value: bigint;
}

/** @throws IpPatternError */
export function compileIpMatcher(pattern: string): IpMatcher {
  const set = parseSet(pattern);
  const holds = (address: Address): boolean => address.v6 === set.v6 && address.value >= set.first && address.value <= set.last;
  return {
    test: (text) => findAddress(text, holds),
    testAddress(text) {
      const address = parseAddress(text);
      return address === null ? null : holds(address);
    },
  };
}

interface AddressSet {
  readonly v6: boolean;
  readonly first: bigint;
  readonly last: bigint;
}

function parseSet(pattern: string): AddressSet {
  const invalid = (): IpPatternError => new IpPatternError(`ip: invalid pattern: ${JSON.stringify(pattern)}`);
  const slash = pattern.indexOf("/");
  const dash = pattern.indexOf("-");
  const first = parseAddress(pattern.slice(0, slash >= 0 ? slash : dash >= 0 ? dash : undefined));
  if (first === null) throw invalid();
  const bits = first.v6 ? 128 : 32;
  if (slash >= 0) {
    const length = pattern.slice(slash + 1);
    if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) throw invalid();
    const size = 1n << BigInt(bits - Number(length));
    const start = first.value - (first.value % size);
    return { v6: first.v6, first: start, last: start + size - 1n };
  }
  if (dash < 0) return { v6: first.v6, first: first.value, last: first.value };
  const last = parseAddress(pattern.slice(dash + 1));
  if (last === null || last.v6 !== first.v6 || last.value < first.value) throw invalid();
  return { v6: first.v6, first: first.value, last: last.value };
}

/** An address without zone. A v4 address in v6 form (`::ffff:1.2.3.4`) is v6, as it is to Loki. */
function parseAddress(text: string): Address | null {
  if (isIPv4(text)) return { v6: false, value: v4Value(text) };
  return text.includes("%") || !isIPv6(text) ? null : { v6: true, value: v6Value(text) };
}

function v4Value(text: string): bigint {
  return BigInt(text.split(".").reduce((value, part) => value * 256 + Number(part), 0));
}

function v6Value(text: string): bigint {
  const plain = text.replace(/\d+\.\d+\.\d+\.\d+$/, (v4) => {
    const value = v4Value(v4);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [head = "", tail] = plain.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill("0"), ...right];
  return groups.reduce((value, group) => (value << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

/** The shortest address is `::`, the shortest that is anything `::1`. */
const ADDRESS_CHARS_MIN = 3;

function findAddress(text: string, holds: (address: Address) => boolean): boolean {
  for (const [run] of text.matchAll(/[0-9a-fA-F:.]+/g)) {
    if (run.length >= ADDRESS_CHARS_MIN && /[:.]/.test(run) && matchRun(run, holds)) return true;
  }
  return false;
}

/** A run may have an address at its start, its end or between (`10.0.0.1:443`, `ip:10.0.0.1.`): pieces are tried, the longest first. */
function matchRun(run: string, holds: (address: Address) => boolean): boolean {
  const whole = parseAddress(run);
  if (whole !== null) return holds(whole);
  for (const [v4] of run.matchAll(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d])(?!\.\d)/g)) {
    const address = parseAddress(v4);
    if (address !== null && holds(address)) return true;
  }
  const trimmed = run
    .replace(/^[.]+|[.]+$/g, "")
    .replace(/(?<!:):$/, "")
    .replace(/^:(?!:)/, "");
  if (trimmed === run) return false;
  const address = parseAddress(trimmed);
  return address !== null && holds(address);
}
