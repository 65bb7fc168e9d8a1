import { describe, expect, test } from "vitest";
import { compileIpMatcher } from "../../../lib/text/ip-match.ts";

const LINES = [
  "src=10.0.0.1 dst=10.0.0.2",
  "from 192.168.1.1:8080 to 8.8.8.8",
  "v6 2001:db8::1 ok",
  "v6 [::1]:443",
  "::ffff:10.0.0.1",
  "no address",
  "10.0.0.256 is none",
  "1.2.3",
  "fe80::1%eth0",
  "10.0.0.1-10.0.0.9",
  "(172.16.0.5)",
  "x10.0.0.7y",
  "ip=10.10.10.10,11.11.11.11",
  "999.1.1.1 127.0.0.1",
  "2001:0db8:0000::0001",
];

for (const [pattern, want] of [
  ["10.0.0.1", [0, 9]],
  ["10.0.0.0/24", [0, 9, 11]],
  ["10.0.0.0/8", [0, 9, 11, 12]],
  ["192.168.0.0/16", [1]],
  ["2001:db8::1", [2, 14]],
  ["2001:db8::/32", [2, 14]],
  ["::1", [3]],
  ["fe80::/10", [8]],
  ["127.0.0.1", [13]],
  ["172.16.0.1-172.16.0.9", [10]],
  ["::ffff:0:0/96", [4]],
  ["0.0.0.0/0", [0, 1, 9, 10, 11, 12, 13]],
] as const)
  test(`finds ${pattern}`, () => expect(LINES.flatMap((line, i) => (compileIpMatcher(pattern).test(line) ? [i] : []))).toEqual(want));

describe("where an address may stand", () => {
  for (const [line, want] of [
    ["ends with 10.0.0.1.", true],
    ["id:10.0.0.1", true],
    ["1.10.0.0.1", false],
    ["10.0.0.1.5", false],
    ["110.0.0.1", false],
    ["", false],
  ] as const)
    test(`"${line}"`, () => expect(compileIpMatcher("10.0.0.1").test(line)).toBe(want));
  test("::1 at the end of a line", () => expect(compileIpMatcher("::1").test("from ::1")).toBe(true));
  test("a range of v6", () => expect(compileIpMatcher("2001:db8::1-2001:db8::8").test("vpn 2001:db8::5")).toBe(true));
});

for (const [text, want] of [
  ["10.1.2.3", true],
  ["11.1.2.3", false],
  ["GET", null],
  ["10.1.2.3 ", null],
] as const)
  test(`a whole value: "${text}"`, () => expect(compileIpMatcher("10.0.0.0/8").testAddress(text)).toBe(want));

for (const pattern of [
  "nope",
  "",
  "10.0.0.0/40",
  "10.0.0.0/-1",
  "1.2.3.4/99",
  "10.0.0.9-10.0.0.1",
  "10.0.0.1-::1",
  "10.0.0",
  "::1/129",
  "10.0.0.1 - 10.0.0.2",
])
  test(`refuses "${pattern}"`, () => expect(() => compileIpMatcher(pattern)).toThrow(`ip: invalid pattern: ${JSON.stringify(pattern)}`));
