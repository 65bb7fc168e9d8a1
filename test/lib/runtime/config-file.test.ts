import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError, checkConfig, nearest, parseYaml } from "../../../lib/runtime/config-file.ts";

const schema = z.strictObject({
  server: z.strictObject({ http_listen_port: z.number().default(80), log_level: z.string().default("info") }).prefault({}),
  clients: z.array(z.strictObject({ url: z.string(), tenant_id: z.string().default("") })).default([]),
});
const errorsOf = (text: string): readonly string[] => {
  try {
    checkConfig(parseYaml(text, "f.yaml"), schema);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
};

describe("configuration files", () => {
  for (const [name, text, want] of [
    [
      "an unknown key, with the nearest known one",
      "server:\n  http_listen_prt: 1\n",
      ['f.yaml:2:3: unknown key server.http_listen_prt; did you mean "http_listen_port"?'],
    ],
    ["an unknown key that is like none", "zzzzzzzz: 1\n", ["f.yaml:1:1: unknown key zzzzzzzz"]],
    ["a missing key in a list", "clients:\n  - tenant_id: a\n", ["f.yaml:2:5: clients[0].url is required"]],
    [
      "every fault at once",
      "server: {x: 1}\nclients: [{url: 5}]\n",
      ["f.yaml:1:10: unknown key server.x", "f.yaml:2:12: clients[0].url: Invalid input: expected string, received number"],
    ],
    ["a key twice", "server: {}\nserver: {}\n", ["f.yaml:2:1: Map keys must be unique"]],
    ["nothing is fine", "", []],
    ["a byte order mark and CRLF are fine", "\ufeffserver:\r\n  log_level: warn\r\n", []],
  ] as const)
    test(name, () => expect(errorsOf(text)).toEqual(want));

  test("a tab as indentation is refused with its place", () => expect(errorsOf("server:\n\tlog_level: x\n")[0]).toMatch(/^f\.yaml:2:1: /));
  test("an alias bomb is refused", () => {
    const levels = Array.from({ length: 10 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(",")}]`);
    expect(errorsOf(`l0: &l0 [x,x,x,x,x,x,x,x,x]\n${levels.join("\n")}\n`)[0]).toMatch(/alias/i);
  });
  test("an alias within what it stands for is refused", () => expect(errorsOf("a: &a [1, *a]\n")[0]).toMatch(/alias/i));
  test("hundreds of aliases of one part are fine", () => {
    const many = Array.from({ length: 500 }, (_, i) => `x${i}: {<<: *common, k: ${i}, list: *list}`).join("\n");
    const { value } = parseYaml(`common: &common {a: 1, list: &list [1, 2]}\n${many}\n`, "f");
    expect((value as Record<string, unknown>).x499).toEqual({ a: 1, k: 499, list: [1, 2] });
  });
  test("an anchor stands for what had it last", () =>
    expect(parseYaml("a: &x [1]\nb: *x\nc: &x {d: 1}\ne: *x\n", "f").value).toEqual({ a: [1], b: [1], c: { d: 1 }, e: { d: 1 } }));
  test("booleans and numbers are those of YAML 1.1", () =>
    expect(parseYaml("a: yes\nb: 0x10\nc: off\n", "f").value).toEqual({ a: true, b: 16, c: false }));
  test("merge keys work", () =>
    expect(parseYaml("x: &x {a: 1}\nz: {<<: *x, b: 2}\n", "f").value).toEqual({ x: { a: 1 }, z: { a: 1, b: 2 } }));
});

test("the nearest word is near", () => {
  expect(nearest("scrape_config", ["scrape_configs", "server"])).toBe("scrape_configs");
  expect(nearest("q", ["server"])).toBeUndefined();
});
