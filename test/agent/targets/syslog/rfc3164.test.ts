import { describe, expect, test } from "vitest";
import { SyslogError } from "../../../../agent/targets/syslog/message.ts";
import { parseRfc3164 } from "../../../../agent/targets/syslog/rfc3164.ts";
import { seededRandom } from "../../../../lib/runtime/clock.ts";

const NOW_MS = Date.UTC(2026, 10, 26, 12, 0, 0);

function parse(text: string, nowMs = NOW_MS) {
  const bytes = Buffer.concat([Buffer.from("xx"), Buffer.from(text, "latin1"), Buffer.from("yy")]);
  const { textStart, textEnd, time, ...message } = parseRfc3164(bytes, 2, bytes.length - 2, nowMs);
  const at = time === undefined ? "" : new Date(time[0] * 1000).toISOString().replace(".000", time[1] === 0 ? "" : `.${time[1]}`);
  return [message.priority, at, message.hostname, message.appName, message.procId, bytes.toString("latin1", textStart, textEnd)];
}

describe("reads", () => {
  test.each([
    [
      "the RFC's example",
      "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
      [34, "2026-10-11T22:14:15Z", "mymachine", "su", "", "'su root' failed"],
    ],
    ["a process id", "<13>Nov  1 00:00:01 h app[77]: text", [13, "2026-11-01T00:00:01Z", "h", "app", "77", "text"]],
    ["no tag", "<131>Nov 21 20:00:33 h1 hello world", [131, "2026-11-21T20:00:33Z", "h1", "", "", "hello world"]],
    ["no host name", "<13>Nov 21 20:00:33 app[1]: text", [13, "2026-11-21T20:00:33Z", "", "app", "1", "text"]],
    ["a time of RFC 3339", "<13>2026-11-21T20:00:33.5Z h app: text", [13, "2026-11-21T20:00:33.500000000Z", "h", "app", "", "text"]],
    ["a time with year", "<13>Nov 21 2025 20:00:33 h app: text", [13, "2025-11-21T20:00:33Z", "h", "app", "", "text"]],
    ["no time", "<13>app: text", [13, "", "", "app", "", "text"]],
    ["nothing but a text", "<13>use the BFG", [13, "", "", "", "", "use the BFG"]],
    ["a text with colons", "<13>Nov 21 20:00:33 h app: a: b", [13, "2026-11-21T20:00:33Z", "h", "app", "", "a: b"]],
    [
      "a text that looks like a tag and is an address",
      "<13>Nov 21 20:00:33 h http://x/ y",
      [13, "2026-11-21T20:00:33Z", "h", "", "", "http://x/ y"],
    ],
    ["an IPv6 host name", "<13>Nov 21 20:00:33 fe80::1 app: t", [13, "2026-11-21T20:00:33Z", "fe80::1", "app", "", "t"]],
    ["an empty text", "<13>Nov 21 20:00:33 h app:", [13, "2026-11-21T20:00:33Z", "h", "app", "", ""]],
    ["a line end", "<13>Nov 21 20:00:33 h app: text\r\n", [13, "2026-11-21T20:00:33Z", "h", "app", "", "text"]],
    ["a day that does not exist", "<13>Feb 31 20:00:33 h app: t", [13, "", "", "", "", "Feb 31 20:00:33 h app: t"]],
    ["spaces in the text", "<13>Nov 21 20:00:33 h app:  t", [13, "2026-11-21T20:00:33Z", "h", "app", "", " t"]],
  ])("%s", (_, text, expected) => expect(parse(text)).toEqual(expected));

  test("the year is the nearest", () => {
    expect(parse("<1>Dec 31 23:59:59 h a: t", Date.UTC(2027, 0, 1))[1]).toBe("2026-12-31T23:59:59Z");
    expect(parse("<1>Jan  1 00:00:01 h a: t", Date.UTC(2026, 11, 31, 23))[1]).toBe("2027-01-01T00:00:01Z");
    expect(parse("<1>Feb 29 12:00:00 h a: t", Date.UTC(2028, 1, 29, 13))[1]).toBe("2028-02-29T12:00:00Z");
  });
});

test.each(["", "text", "<>x", "<999>x", "<1"])("%j is refused", (text) => expect(() => parse(text)).toThrow(SyslogError));

test("any bytes are a message or an error of its own", () => {
  const random = seededRandom(8);
  const words = ["<13>", "Nov 21 20:00:33", " ", "h", "app", "[", "1", "]", ":", "\xff", "\n", "\0"];
  for (let round = 0; round < 20_000; round++) {
    const text = `${round % 2 ? "<13>" : ""}${Array.from({ length: 1 + Math.floor(random() * 12) }, () => words[Math.floor(random() * words.length)]).join("")}`;
    try {
      const line = parse(text).at(-1) as string;
      expect(text.replace(/[\n\r\0]+$/, "").endsWith(line)).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(SyslogError);
    }
  }
});
