// The addresses of `ip("…")`: one (`10.0.0.1`), a range (`10.0.0.1-10.0.0.9`) or a network (`10.0.0.0/8`); IPv4 and IPv6.

import { BlockList, isIP } from "node:net";

/** A pattern that names no addresses; the text is Loki's. */
export class IpPatternError extends Error {
  override readonly name = "IpPatternError";
}

/** The predicate over addresses; text that is no address is in no pattern. @throws IpPatternError `ip: invalid pattern: "nope"` */
export function compileIpPattern(pattern: string): (address: string) => boolean {
  const invalid = new IpPatternError(`ip: invalid pattern: ${JSON.stringify(pattern)}`);
  const list = new BlockList();
  const { family, fill } = parseIpPattern(pattern) ?? { family: 0, fill: undefined };
  if (fill === undefined) throw invalid;
  fill(list);
  return (address) => isIP(address) === family && list.check(address, familyName(family));
}

interface IpPattern {
  readonly family: number;
  readonly fill: (list: BlockList) => void;
}

function parseIpPattern(pattern: string): IpPattern | undefined {
  const family = isIP(pattern);
  if (family !== 0) return { family, fill: (list) => list.addAddress(pattern, familyName(family)) };
  return pattern.includes("/") ? parseNetwork(pattern) : parseRange(pattern);
}

function parseNetwork(pattern: string): IpPattern | undefined {
  const [, address, digits] = /^([^/]*)\/(0|[1-9]\d{0,2})$/.exec(pattern) ?? [];
  const family = isIP(address ?? "");
  const bits = Number(digits);
  if (family === 0 || bits > (family === 4 ? 32 : 128)) return undefined;
  return { family, fill: (list) => list.addSubnet(address!, bits, familyName(family)) };
}

function parseRange(pattern: string): IpPattern | undefined {
  const [, from, to] = /^([^-]*)-([^-]*)$/.exec(pattern) ?? [];
  const family = isIP(from ?? "");
  if (family === 0 || isIP(to!) !== family) return undefined;
  const fill = (list: BlockList): void => list.addRange(from!, to!, familyName(family));
  try {
    fill(new BlockList());
  } catch {
    // The end lies before the start.
    return undefined;
  }
  return { family, fill };
}

const familyName = (family: number): "ipv4" | "ipv6" => (family === 4 ? "ipv4" : "ipv6");
