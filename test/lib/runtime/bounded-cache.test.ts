import { expect, test } from "vitest";
import { BoundedCache } from "../../../lib/runtime/bounded-cache.ts";

/** A cache of texts by their length, with what was made and dropped in order. */
function cacheOf(sizeMax: number): { use(...keys: string[]): void; cache: BoundedCache<string>; happened: string[] } {
  const happened: string[] = [];
  const cache = new BoundedCache<string>(
    sizeMax,
    (value) => value.length,
    (value) => happened.push(`-${value}`),
  );
  const make = (key: string) => (): string => {
    happened.push(`+${key}`);
    return key;
  };
  return {
    cache,
    happened,
    use: (...keys) => {
      for (const key of keys) expect(cache.get(key, make(key))).toBe(key);
    },
  };
}

const does = (name: string, sizeMax: number, keys: readonly string[], want: readonly string[]) =>
  test(name, () => {
    const { use, happened } = cacheOf(sizeMax);
    use(...keys);
    expect(happened).toEqual(want);
  });
does("what is kept is not made again", 4, ["aa", "bb", "aa", "bb"], ["+aa", "+bb"]);
does("what was used longest ago goes first", 4, ["aa", "bb", "aa", "cc", "aa", "bb"], ["+aa", "+bb", "+cc", "-bb", "+bb", "-cc"]);
does("as many go as there has to be room for", 4, ["a", "b", "c", "dddd"], ["+a", "+b", "+c", "+dddd", "-a", "-b", "-c"]);
does("one that is too large is kept alone, until the next", 4, ["a", "ffffff", "ffffff", "b"], ["+a", "+ffffff", "-a", "+b", "-ffffff"]);

test("what is deleted is dropped once, and makes room", () => {
  const { use, cache, happened } = cacheOf(4);
  use("aa", "bb");
  cache.delete("aa");
  cache.delete("aa");
  cache.delete("never");
  use("cc");
  cache.clear();
  expect(happened).toEqual(["+aa", "+bb", "-aa", "+cc", "-bb", "-cc"]);
});

test("what cannot be made is not kept", () => {
  const { use, cache, happened } = cacheOf(4);
  const fail = (): string => {
    throw new Error("no");
  };
  expect(() => cache.get("a", fail)).toThrow("no");
  use("a");
  expect(happened).toEqual(["+a"]);
});
