import { expect, test } from "vitest";
import { openEncoding } from "../../../agent/tail/text-encoding.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");

for (const [name, hex, want] of [
  ["latin1", "47 72 fc 6e", "Grün"],
  ["Windows-1251", "cf f0 e8 e2 e5 f2", "Привет"],
  ["shift_jis", "93fa 967b", "日本"],
  ["gb18030", "c4e3 bac3", "你好"],
  ["IBM866", "8f e0 a8", "При"],
  ["iso-2022-jp", "1b2442 467c 4b5c 1b2842 21", "日本!"],
  ["iso-8859-6-e", "c7 21", "ا!"],
  ["csWindows1251", "cf f0", "Пр"],
  ["csISO885915", "a4", "€"],
  ["csKOI8U", "f0", "П"],
  ["csGBK", "c4e3 80", "你€"],
  ["csGB18030", "c4e3", "你"],
  ["windows-936", "c4e3 a2a1", "你ⅰ"],
  ["IBM00858", "d5", "€"],
  ["PC-Multilingual-850+euro", "d5", "€"],
  ["Extended_UNIX_Code_Packed_Format_for_Japanese", "c6fc", "日"],
  ["ISO_8859-6-E", "c7", "ا"],
  ["csUTF16LE", "e400", "ä"],
  ["csUTF16", "00e4", "ä"],
  ["cp1252", "80", "€"],
  ["sjis", "93fa", "日"],
  [" latin1 ", "fc", "ü"],
  ["UTF-16LE", "e400 6100", "äa"],
  ["utf-16be", "00e4 0061", "äa"],
] as const)
  test(`${name} is read`, () => expect(openEncoding(name)!.decode(bytes(hex.replaceAll(" ", "")))).toBe(want));

test("UTF-8 needs no decoding", () =>
  expect(["UTF-8", "utf8", "csUTF8", ""].map(openEncoding)).toEqual([undefined, undefined, undefined, undefined]));

for (const name of ["klingon", "hex", "Base64", "binary"])
  test(`${name} is refused`, () => expect(() => openEncoding(name)).toThrow(`encoding "${name}" is not known; use an IANA name`));
