// What the build puts into the agent's one file: a package that slips out of it costs every start its loading, one that should be a file
// of its own costs those memory who never use it.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const built = (path: string): string => readFileSync(new URL(`../../dist/agent/${path}`, import.meta.url), "latin1");

/** Packages that a file loads from node_modules, by name. */
function loads(text: string): string[] {
  const names = [...text.matchAll(/(?:require|import)\("([^".][^"]*)"\)/g)].map(([, name]) => name!);
  return [...new Set(names.filter((name) => !name.startsWith("node:") && !BUILT_IN.has(name)))].sort();
}

const BUILT_IN = new Set(
  "assert buffer child_process crypto dns events fs http http2 https module net os path process punycode stream string_decoder tls tty url util v8 vm worker_threads zlib".split(
    " ",
  ),
);

describe("the agent's file", () => {
  test("loads only what few configurations need", () =>
    expect(loads(built("agent.cjs"))).toEqual(["fzstd", "iconv-lite", "kafkajs", "mmdb-lib", "supports-color"]));
  test("leaves Kubernetes' client to a file of its own", () => {
    expect(built("agent.cjs")).toContain('require("./discovery/kubernetes/kube-config.cjs")');
    expect(loads(built("discovery/kubernetes/kube-config.cjs"))).toEqual(["encoding", "supports-color"]);
  });
});
