// Pages that name tests name ones that exist.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

test("tests named in docs/reliability-sources.md exist under their names", () => {
  const page = readFileSync(join(ROOT, "docs/reliability-sources.md"), "utf8");
  const named = [...page.matchAll(/\[([^\]]+)\]\(\.\.\/(test\/[^)]+)\)/g)];
  expect(named.length).toBeGreaterThan(90);
  const missing = named.filter(([, name, path]) => !readFileSync(join(ROOT, path!), "utf8").includes(name!));
  expect(missing.map(([, name, path]) => `${path}: ${name}`)).toEqual([]);
});
