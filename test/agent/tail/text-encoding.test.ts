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
  ["UTF-16LE", "e400 6100", "äa"],
  ["utf-16be", "00e4 0061", "äa"],
] as const)
  test(`${name} is read`, () => expect(openEncoding(name)!.decode(bytes(hex.replaceAll(" ", "")))).toBe(want));

test("UTF-8 needs no decoding", () => expect([openEncoding("UTF-8"), openEncoding("")]).toEqual([undefined, undefined]));

for (const name of ["klingon", "hex", "Base64", "binary"])
  test(`${name} is refused`, () => expect(() => openEncoding(name)).toThrow(`encoding "${name}" is not known; use an IANA name`));
