import { describe, expect, test } from "vitest";
import { SyslogError } from "../../../../agent/targets/syslog/message.ts";
import { parseRfc5424 } from "../../../../agent/targets/syslog/rfc5424.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

function parse(text: string) {
  const bytes = Buffer.concat([Buffer.from("xx"), Buffer.from(text, "latin1"), Buffer.from("yy")]);
  const { textStart, textEnd, ...message } = parseRfc5424(bytes, 2, bytes.length - 2);
  return { ...message, text: bytes.toString("latin1", textStart, textEnd) };
}
const NONE = { time: undefined, hostname: "", appName: "", procId: "", msgId: "", data: [], text: "" };

describe("reads", () => {
  test("the RFC's first example", () =>
    expect(parse("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed for lonvick on /dev/pts/8")).toEqual({
      priority: 34,
      time: [1_065_910_455, 3_000_000],
      hostname: "mymachine.example.com",
      appName: "su",
      procId: "",
      msgId: "ID47",
      data: [],
      text: "'su root' failed for lonvick on /dev/pts/8",
    }));

  test("structured data with escapes", () =>
    expect(parse('<165>1 - - - - - [exampleSDID@32473 iut="3" q="a\\"b\\\\c\\]d\\e"][empty@1] text').data).toEqual([
      ["exampleSDID@32473", "iut", "3"],
      ["exampleSDID@32473", "q", 'a"b\\c]d\\e'],
    ]));

  test.each([
    ["no text at all", "<0>1 - - - - - -", NONE],
    ["an empty text", "<0>1 - - - - - - ", NONE],
    ["a text that is a line end", "<0>1 - - - - - - \n", NONE],
    ["a byte order mark before the text", "<0>1 - - - - - - \xef\xbb\xbfx", { ...NONE, text: "x" }],
    ["two spaces before the text", "<0>1 - - - - - -  x", { ...NONE, text: " x" }],
    ["a text of several lines", "<0>1 - - - - - - a\nb\r\n", { ...NONE, text: "a\nb" }],
    ["a version of three digits", "<0>999 - - - - - - x", { ...NONE, text: "x" }],
  ])("%s", (_, text, expected) => expect(parse(text)).toEqual({ priority: 0, ...expected }));

  test.each([
    ["2024-02-29T23:59:59Z", [1_709_251_199, 0]],
    ["2024-02-29T23:59:59.123456789+02:00", [1_709_243_999, 123_456_789]],
    ["2024-02-29T23:59:59.5-00:30", [1_709_252_999, 500_000_000]],
    ["2016-12-31T23:59:60Z", [1_483_228_800, 0]],
    ["1969-12-31T23:59:59.25Z", [-1, 250_000_000]],
  ])("the time %s", (time, expected) => expect(parse(`<1>1 ${time} - - - - - x`).time).toEqual(expected));
});

describe("refuses", () => {
  test.each([
    ["nothing", "", "begins with its priority"],
    ["no priority", "1 - - - - - - x", "begins with its priority"],
    ["an empty priority", "<>1 - - - - - - x", "0 to 191"],
    ["a priority past 191", "<192>1 - - - - - - x", "0 to 191"],
    ["a priority without end", "<1", "0 to 191"],
    ["no version", "<1>- - - - - - x", "expecting a version value in the range 1-999"],
    ["an older message", "<13>Nov 21 20:00:35 vm app: text", "set syslog_format: rfc3164"],
    ["a version of four digits", "<1>1000 - - - - - - x", "version"],
    ["a day that does not exist", "<1>1 2023-02-29T00:00:00Z - - - - - x", "RFC 3339"],
    ["a time without zone", "<1>1 2023-02-28T00:00:00 - - - - - x", "RFC 3339"],
    ["an end before the structured data", "<1>1 - - - - -", "message id"],
    ["structured data that does not end", '<1>1 - - - - - [a b="c"', "ends with ]"],
    ["a value that does not end", '<1>1 - - - - - [a b="c\\"] x', "does not end"],
    ["a value without quotes", "<1>1 - - - - - [a b=c] x", 'name="value"'],
    ["an element without name", "<1>1 - - - - - [] x", "empty"],
    ["text right behind the structured data", "<1>1 - - - - - -x", "space"],
  ])("%s", (_, text, error) => expect(() => parse(text)).toThrow(error));
});

test("any bytes are a message or an error of its own", () => {
  const random = seededRandom(7);
  const words = ["<", ">", "1", "34", " ", "-", "[", "]", "a@1", "=", '"', "\\", "\n", "\xff", "2003-10-11T22:14:15.003Z", "x"];
  let messages = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = `${round % 2 ? "<1>1 - - - - - " : ""}${Array.from({ length: 1 + Math.floor(random() * 14) }, () => words[Math.floor(random() * words.length)]).join("")}`;
    try {
      const message = parse(text);
      messages++;
      expect(text.endsWith(message.text) || /[\n]$/.test(text)).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(SyslogError);
    }
  }
  expect(messages).toBeGreaterThan(50);
});
