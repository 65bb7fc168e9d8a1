import { describe, expect, test } from "vitest";
import { compareVersions, compileConstraint, parseVersion, printVersion } from "../../../lib/text/semver.ts";

describe("versions", () => {
  for (const [text, want] of [
    ["1.2.3", "1.2.3"],
    ["v1.2", "1.2.0"],
    ["1-rc.1+b5", "1.0.0-rc.1+b5"],
  ] as const)
    test(`${text} is ${want}`, () => expect(printVersion(parseVersion(text))).toBe(want));

  for (const text of ["", "a", "1.2.3.4", "01.2.3", "1.2.3-01", "1.2.x", " 1.2.3", "1.2.3-", "99999999999999999999.0.0"])
    test(`"${text}" is none`, () => expect(() => parseVersion(text)).toThrow("invalid semantic version"));

  test("their order", () => {
    const sorted = ["1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0", "1.0.1", "1.10.0", "2.0.0"];
    const shuffled = [...sorted].sort();
    expect(shuffled.sort((a, b) => compareVersions(parseVersion(a), parseVersion(b)))).toEqual(sorted);
    expect(compareVersions(parseVersion("1.0.0+a"), parseVersion("1.0.0+b"))).toBe(0);
  });
});

describe("constraints", () => {
  for (const [constraint, admitted, refused] of [
    ["1.2.3", "1.2.3", "1.2.4"],
    ["1.2", "1.2.9", "1.3.0"],
    ["=1", "1.9.9", "2.0.0"],
    ["!=1.2", "1.3.0", "1.2.9"],
    [">1", "2.0.0", "1.9.0"],
    [">=1.2, <2", "1.9.0", "2.0.0"],
    [">=1.2 <2", "1.2.0", "1.1.9"],
    ["<=1.2", "1.2.9", "1.3.0"],
    ["~1.2.3", "1.2.9", "1.3.0"],
    ["~>1", "1.9.0", "2.0.0"],
    ["^1.2.3", "1.9.0", "2.0.0"],
    ["^0.2.3", "0.2.9", "0.3.0"],
    ["^0.0.3", "0.0.3", "0.0.4"],
    ["^0.x", "0.9.0", "1.0.0"],
    ["1.2.x || 3.*", "3.7.0", "2.0.0"],
    ["1.2 - 1.4.5", "1.4.5", "1.4.6"],
    ["*", "7.0.0", "7.0.0-rc.1"],
    [">=1.0.0-alpha", "1.0.0-beta", "0.9.0"],
    ["<2", "1.0.0", "1.0.0-beta"],
  ] as const)
    test(`${constraint} admits ${admitted} and refuses ${refused}`, () => {
      const admits = compileConstraint(constraint);
      expect([admits(parseVersion(admitted)), admits(parseVersion(refused))]).toEqual([true, false]);
    });

  for (const text of ["", "foo", "1.2.3 ,", ">= 1 ||", "1..2", "=>=1"])
    test(`"${text}" is none`, () => expect(() => compileConstraint(text)).toThrow(`improper constraint: ${text}`));
});
