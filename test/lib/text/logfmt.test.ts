import { describe, expect, test } from "vitest";
import { parseLogfmt, printGoLogfmtError, printLogfmtError, scanLogfmt } from "../../../lib/text/logfmt.ts";

const pairs = (line: string, lenient: boolean) =>
  parseLogfmt(line, { lenient })
    .pairs.map(([key, value]) => `${key}→${value}`)
    .join(" ");

describe("lenient", () => {
  for (const [name, line, want] of [
    ["pairs", "a=1 b=2", "a→1 b→2"],
    ["blanks of every kind", "  a=1 \t b=2\nc=3 ", "a→1 b→2 c→3"],
    ["a bare key", "a", "a→"],
    ["an empty value", 'a= b=""', "a→ b→"],
    ["quoted", 'a="b c" d=e', "a→b c d→e"],
    ["escapes", 'a="nl\\n q\\" \\u00e9 \\ud83d\\ude80"', 'a→nl\n q" é 🚀'],
    ["no escapes without quotes", "a=\\n", "a→\\n"],
    ["a pair right behind a quote", 'a="x"y=2', "a→x y→2"],
    ["an open quote", 'a="x', ""],
    ["no key", "=1 b=2", "b→2"],
    ["two equals signs", "a==1 b=2", "b→2"],
    ["an equals sign in a value", "a=b=c d=e", "d→e"],
    ["a quote in a value", 'a=x"y b=1', "b→1"],
    ["a quoted key", 'msg=hello world=2 "quoted key"=3', "msg→hello world→2"],
    ["JSON in a value", 'json={"k":"v"}', ""],
    ["single quotes are text", "a='single quoted'", "a→'single quoted'→"],
    ["any character in keys", "(a)=1 [b]=2 a.b=3 ä=ö", "(a)→1 [b]→2 a.b→3 ä→ö"],
    ["a bad escape", 'a="\\x" b=1', "b→1"],
    ["nothing", "   ", ""],
  ] as const)
    test(name, () => expect(pairs(line, true)).toBe(want));
});

describe("strict", () => {
  for (const [line, want, error] of [
    ["=1", "", "logfmt syntax error at pos 1 : unexpected '='"],
    ["a==1", "", "logfmt syntax error at pos 3 : unexpected '='"],
    ["a=b=c", "", "logfmt syntax error at pos 4 : unexpected '='"],
    ['a=x"y', "", "logfmt syntax error at pos 4 : unexpected '\"'"],
    ['a="', "", "logfmt syntax error at pos 4 : unterminated quoted value"],
    ['a="x', "", "logfmt syntax error at pos 5 : unterminated quoted value"],
    ["a=1,b=2", "", "logfmt syntax error at pos 6 : unexpected '='"],
    ["url=http://x/?a=b&c=d", "", "logfmt syntax error at pos 16 : unexpected '='"],
    ['msg=hello world=2 "quoted key"=3', "msg→hello world→2", "logfmt syntax error at pos 19 : unexpected '\"'"],
    ['ä=1 b="', "ä→1", "logfmt syntax error at pos 9 : unterminated quoted value"],
  ] as const)
    test(line, () => {
      const read = parseLogfmt(line);
      expect(read.pairs.map(([key, value]) => `${key}→${value}`).join(" ")).toBe(want);
      expect(printLogfmtError(read.error!)).toBe(error);
    });
  test("positions count from the record's start", () => {
    const read = parseLogfmt("a=1\nb==2", { records: true });
    expect(read.pairs).toEqual([["a", "1"]]);
    expect(printGoLogfmtError(read.error!)).toBe("logfmt syntax error at pos 3 on line 2: unexpected '='");
  });
  test("a quoted value ends with its record", () =>
    expect(parseLogfmt('a="x\ny"', { records: true }).error?.detail).toBe("unterminated quoted value"));
  test("invalid UTF-8 in a key", () => expect(parseLogfmt(Buffer.from([0x61, 0xff, 0x3d, 0x31])).error?.detail).toBe("invalid key"));
});

test("offsets point into the bytes given", () => {
  const bytes = Buffer.from("skip a=12 b");
  const scanner = scanLogfmt(bytes, 5, 9);
  expect(scanner.next()).toBe(true);
  expect([scanner.keyStart, scanner.keyEnd, scanner.valueStart, scanner.valueEnd]).toEqual([5, 6, 7, 9]);
  expect(scanner.keyIs(Buffer.from("a"))).toBe(true);
  expect(scanner.next()).toBe(false);
});
