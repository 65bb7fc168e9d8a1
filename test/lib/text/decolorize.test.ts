import { expect, test } from "vitest";
import { decolorize } from "../../../lib/text/decolorize.ts";

for (const [name, text, want] of [
  ["colours", "\x1b[0;32mhttp\x1b[0m: GET", "http: GET"],
  ["an empty parameter", "\x1b[1;31;40mred\x1b[m end", "red end"],
  ["256 and true colours", "\x1b[38;5;196mX\x1b[48;2;1;2;3mY\x1b[0m", "XY"],
  ["cursor and erasing", "\x1b[2K\x1b[1Gline\x1b[3A", "line"],
  ["private parameters", "\x1b[?25lhide\x1b[?25h", "hide"],
  ["colon parameters", "\x1b[4:3mcurly\x1b[0m", "curly"],
  ["a hyperlink", "\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text"],
  ["a title ended by BEL", "\x1b]0;title\x07after", "after"],
  ["a string that does not end", "\x1b]0;title and text", "0;title and text"],
  ["a character set", "\x1b(Bplain", "plain"],
  ["CSI as one character", "\u009b31mred", "red"],
  ["a sequence that the end of the line cuts", "A\x1b[1;31", "A"],
  ["a sequence that another line follows", "A\x1b[1;31\nB", "A\x1b[1;31\nB"],
  ["no sequence", "plain [0m", "plain [0m"],
  ["a lone escape", "a\x1b", "a\x1b"],
] as const)
  test(name, () => expect(decolorize(text)).toBe(want));

test("starts of strings that never end are looked at once each", () => {
  const line = "\u009d".repeat(400_000);
  expect(decolorize(`${line}\n\u009dtitle\x07after`)).toBe(`${line}\nafter`);
});
