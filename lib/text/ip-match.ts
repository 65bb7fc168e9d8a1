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
  const [first, last] = [Number(set.first), Number(set.last)];
  return {
    test: (text) => (set.v6 ? findV6(text, holds) : findV4(text, first, last)),
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

const V4 = /(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/g;

/** `10.0.0.1:443`, `ip=10.0.0.1,`, `x10.0.0.1y`; not the middle of longer numbers, nor of a v6 address. */
function findV4(text: string, first: number, last: number): boolean {
  V4.lastIndex = 0;
  for (let match = V4.exec(text); match !== null; match = V4.exec(text)) {
    const before = text[match.index - 1];
    const behind = text.slice(V4.lastIndex, V4.lastIndex + 2);
    if (before !== undefined && /[\d.]/.test(before)) continue;
    if (/^\.?\d/.test(behind)) continue;
    let value = 0;
    for (let i = 1; i <= 4; i++) {
      const part = match[i]!;
      // Neither 256 nor 010.
      if (Number(part) > 255 || (part.length > 1 && part[0] === "0")) value = Number.NaN;
      value = value * 256 + Number(part);
    }
    if (value >= first && value <= last && !(before === ":" && endsV6(text, V4.lastIndex))) return true;
  }
  return false;
}

/** Is the run of address characters that ends here a v6 address, such as `::ffff:10.0.0.1`? */
function endsV6(text: string, end: number): boolean {
  let start = end;
  while (start > 0 && end - start < 64 && /[0-9a-fA-F:.]/.test(text[start - 1]!)) start--;
  return isIPv6(text.slice(start, end));
}

function findV6(text: string, holds: (address: Address) => boolean): boolean {
  for (const [run] of text.matchAll(/[0-9a-fA-F:.]{3,}/g)) {
    if (!run.includes(":")) continue;
    const address =
      parseAddress(run) ??
      parseAddress(
        run
          .replace(/^\.+|\.+$/g, "")
          .replace(/(?<!:):$/, "")
          .replace(/^:(?!:)/, ""),
      );
    if (address !== null && holds(address)) return true;
  }
  return false;
}
