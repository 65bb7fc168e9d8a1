import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { familyOf } from "../../../agent/tail/generations.ts";
import { openExclude, openGlob } from "../../../agent/tail/glob.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "skald-glob-"));
  for (const name of [
    "a.log",
    "b.log",
    "b.log.1",
    ".hidden.log",
    "[x].log",
    "sub/a.log",
    "sub/deep/c.log",
    "sub/deep/d.txt",
    "other/a.log",
  ]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), "");
  }
  mkdirSync(join(folder, "folder.log"));
  symlinkSync(join(folder, "a.log"), join(folder, "link.log"));
  symlinkSync(join(folder, "sub"), join(folder, "linked"));
  symlinkSync(folder, join(folder, "other/circle"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const list = (pattern: string): string[] =>
  openGlob(join(folder, pattern))
    .list()
    .files.map((path) => path.slice(folder.length + 1));

describe("glob", () => {
  for (const [pattern, want] of [
    ["*.log", [".hidden.log", "[x].log", "a.log", "b.log", "link.log"]],
    ["?.log", ["a.log", "b.log"]],
    ["[ab].log", ["a.log", "b.log"]],
    ["[^a].log", ["b.log"]],
    ["[!a].log", ["b.log"]],
    ["[a-b].log*", ["a.log", "b.log", "b.log.1"]],
    ["{a,b}.log", ["a.log", "b.log"]],
    ["{a}.log", ["a.log"]],
    ["{a..c}.log", []],
    ["{a.log,b.{log,log.1}}", ["a.log", "b.log", "b.log.1"]],
    ["b.log{,.1}", ["b.log", "b.log.1"]],
    ["{,sub}", []],
    ["[{a]{.,-}log", ["a.log"]],
    ["\\{a\\}.log", []],
    ["{sub/{a,deep/c},other/a}.log", ["other/a.log", "sub/a.log", "sub/deep/c.log"]],
    ["{sub,none}/{**,none}/*.log", ["sub/a.log", "sub/deep/c.log"]],
    ["{sub,other}/a.log", ["other/a.log", "sub/a.log"]],
    ["{a.log,sub/deep/c.log}", ["a.log", "sub/deep/c.log"]],
    ["*/a.log", ["linked/a.log", "other/a.log", "sub/a.log"]],
    ["sub/**/*.log", ["sub/a.log", "sub/deep/c.log"]],
    ["sub/**", ["sub/a.log", "sub/deep/c.log", "sub/deep/d.txt"]],
    ["a.log", ["a.log"]],
    ["[x].log", ["[x].log"]],
    ["missing/*.log", []],
    ["nothing.log", []],
  ] as const) {
    test(`${pattern} lists`, () => expect(list(pattern)).toEqual([...want].sort()));
    test(`${pattern} matches what it lists`, () => {
      const glob = openGlob(join(folder, pattern));
      for (const path of glob.list().files) expect(glob.matches(path), path).toBe(true);
    });
  }

  for (const spelling of ["/./a.log", "//a.log", "/sub/../a.log"]) {
    test(`${spelling} keeps its way of writing, and is matched by no other`, () => {
      const written = `${folder}${spelling}`;
      const glob = openGlob(written);
      expect(glob.list()).toEqual({ files: [written], folders: [folder] });
      expect([written, join(folder, "a.log")].map((path) => glob.matches(path))).toEqual([true, false]);
    });
  }
  test("what a pattern finds is written plainly", () =>
    expect(openGlob(`${folder}//sub/../b.*`).list().files).toEqual([join(folder, "b.log"), join(folder, "b.log.1")]));
  test("a file with a slash behind it is the file", () => expect(list("a.log/")).toEqual(["a.log"]));

  for (const [exclude, pathGlob, excludes] of [
    ["/var/log/b.log", "/var/log/*.log", true],
    ["*b.log", "/var/log/*.log", false],
    ["/var/log/b.log", "*.log", false],
    ["", "/var/log/*.log", false],
  ] as const) {
    test(`exclude ${JSON.stringify(exclude)} of ${pathGlob}`, () =>
      expect(openExclude(exclude, pathGlob)?.matches("/var/log/b.log") === true).toBe(excludes));
  }
  test("a relative exclude of a relative pattern", () =>
    expect(openExclude("*b.log", "*.log")!.matches(join(process.cwd(), "b.log"))).toBe(true));

  test("links in circles come to an end", () => expect(list("other/**/b.log").length).toBeGreaterThan(0));
  test("`*` stays within a segment", () => expect(openGlob("/var/*.log").matches("/var/a/b.log")).toBe(false));
  test("`**` crosses segments, none as well", () => {
    const glob = openGlob("/var/**/b.log");
    expect(["/var/b.log", "/var/x/b.log", "/var/x/y/b.log", "/b.log"].map((path) => glob.matches(path))).toEqual([true, true, true, false]);
  });
  test("folders in which a match could appear are told", () => {
    expect(openGlob(join(folder, "sub/*/*.log")).list().folders).toEqual(
      expect.arrayContaining([join(folder, "sub"), join(folder, "sub/deep")]),
    );
    expect(openGlob(join(folder, "missing/*.log")).list().folders).toEqual([folder]);
  });
  for (const pattern of ["/a/[b", "/a/{b"]) {
    test(`${pattern} is refused`, () => expect(() => openGlob(pattern)).toThrow(/without/));
  }
});

describe("family of app.log", () => {
  const family = familyOf(["/var/log/app.log"]);
  for (const name of [
    "app.log.1",
    "app.log-20240131",
    "app.log.2024-01-31_10:00",
    "app.1.log",
    "app-20240131.log",
    "app.log.old",
    "app.log.20240131-120000",
  ]) {
    test(`${name} is of it`, () => expect(family(name)).toBe(true));
  }
  for (const name of ["app.log", "app.log.gz", "app.log.1.gz", "other.log.1", "app.logs", "app.log.error", "myapp.log.1"]) {
    test(`${name} is not`, () => expect(family(name)).toBe(false));
  }
});

describe("folders that a match could lie below", () => {
  for (const [pattern, through, not] of [
    [
      "/pods/*uid-1/app/*.log",
      ["/pods", "/pods/ns_pod_uid-1", "/pods/ns_pod_uid-1/app"],
      ["/pods/ns_pod_uid-2", "/pods/ns_pod_uid-1/proxy", "/var"],
    ],
    ["/a/**/*.log", ["/a", "/a/b", "/a/b/c"], ["/b"]],
    ["/{a/b,c}/*.log", ["/a", "/a/b", "/c"], ["/b", "/c/d"]],
    ["/[x]/*.log", ["/x", "/[x]"], ["/y"]],
    ["/a/b.log", ["/a"], ["/a/b.log", "/a/c"]],
  ] as const) {
    test(pattern, () => {
      const glob = openGlob(pattern);
      expect([through.filter((folder) => !glob.leadsThrough(folder)), not.filter((folder) => glob.leadsThrough(folder))]).toEqual([[], []]);
    });
  }
});
