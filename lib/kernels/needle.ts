// Literals to search for: preparing one picks the two of its bytes that are the least common in logs, which the search looks for first.

import type { Needle } from "./kernels.ts";

/**
 * Prepares a literal. With `ignoreCase`, ASCII letters match in either case; other letters only match their own bytes.
 * The bytes are copied.
 */
export function prepareNeedle(bytes: Uint8Array, ignoreCase: boolean): Needle {
  const folded = Uint8Array.from(bytes, (byte) => (ignoreCase && byte >= 65 && byte <= 90 ? byte | 32 : byte));
  let probeA = 0;
  for (let i = 1; i < folded.length; i++) if (commonness(folded[i]!) < commonness(folded[probeA]!)) probeA = i;
  // The second probe wants another byte: the same one again says little more.
  let probeB = probeA === 0 ? Math.max(0, folded.length - 1) : 0;
  for (let i = 0; i < folded.length; i++) {
    if (i === probeA) continue;
    const better = rank(folded, i, probeA) - rank(folded, probeB, probeA);
    if (better < 0) probeB = i;
  }
  return { bytes: folded, ignoreCase, probeA: Math.min(probeA, probeB), probeB: Math.max(probeA, probeB) };
}

const rank = (folded: Uint8Array, i: number, other: number): number => commonness(folded[i]!) + (folded[i] === folded[other] ? 100 : 0);

// Bytes of log text from the most common to the rarest, measured on access logs, JSON, logfmt and Java traces.
const COMMON = " 0123456789e\"atiorsn:/.,-=lcdpumhgT_vbfk[]{}()wyjxzqSAICOERDLMWPUNGFBHZKVXYJQ;?&%+\\'@#<>|$!*~^`\t\r";
let commonnessByByte: Uint8Array | undefined;

const commonness = (byte: number): number => (commonnessByByte ??= commonnessTable())[byte]!;

function commonnessTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < COMMON.length; i++) table[COMMON.charCodeAt(i)] = 100 - i;
  // Bytes of UTF-8 sequences: rare in most logs, common in some.
  return table.fill(30, 0x80);
}
