// docs/agent-reference.md names all that the agent takes and shows, and nothing it does not. `UPDATE_REFERENCE=1` adds what is missing.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RareBlock } from "../../agent/config/scrape-config.ts";
import { SUPPORTED_BLOCKS } from "../../agent/config/verdicts.ts";
import { keysOfBlock, keysOfStage, SURFACE } from "./agent-surface.ts";

const FILE = join(import.meta.dirname, "../../docs/agent-reference.md");
/** `absent` is what Promtail has and this agent does not. */
const STATES = ["honoured", "differs", "no effect", "ours", "refused", "absent"];

interface Row {
  readonly name: string;
  readonly state: string;
  readonly cells: readonly string[];
}

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

function rowsUnder(heading: string): Row[] {
  const [, section = ""] = readFileSync(FILE, "utf8").split(new RegExp(`^#+ ${heading}$`, "m"));
  const [own = ""] = section.split(/^#/m);
  return [...own.matchAll(/^\|( `.*)\|$/gm)].map((match) => {
    const cells = match[1]!.split("|").map((cell) => cell.trim());
    return { name: namesIn(cells[0]!)[0]!, state: cells[1]!, cells };
  });
}

function addRows(heading: string, names: readonly string[]): void {
  const lines = readFileSync(FILE, "utf8").split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  const end = lines.findIndex((line, i) => i > start && line.startsWith("#"));
  const last = lines.slice(0, end < 0 ? undefined : end).findLastIndex((line) => line.startsWith("|"));
  lines.splice(last + 1, 0, ...names.map((name) => `| \`${name}\` | honoured | |`));
  writeFileSync(FILE, lines.join("\n"));
}

for (const [heading, surface] of Object.entries(SURFACE)) {
  describe(heading, () => {
    test("everything has a row, once", () => {
      const wanted = [...surface()].sort();
      expect(wanted.length).toBeGreaterThan(0);
      const named = (): string[] => rowsUnder(heading).map((row) => row.name);
      const missing = wanted.filter((name) => !named().includes(name));
      if (process.env.UPDATE_REFERENCE === "1" && missing.length > 0) addRows(heading, missing);
      expect(wanted.filter((name) => !named().includes(name))).toEqual([]);
      expect(named().filter((name, i, all) => all.indexOf(name) !== i)).toEqual([]);
    });
    test("no row is stale", () => {
      const wanted = surface();
      const stale = rowsUnder(heading).filter(({ name, state }) => state !== "absent" && !wanted.includes(name));
      expect(stale.map((row) => row.name)).toEqual([]);
      const here = rowsUnder(heading).filter(({ name, state }) => state === "absent" && wanted.includes(name));
      expect(here.map((row) => row.name)).toEqual([]);
    });
    test("every state is one of the legend, and all but the plain ones say why", () => {
      const wrong = rowsUnder(heading).filter(
        ({ state, cells }) => !STATES.includes(state) || (!["honoured", "ours"].includes(state) && (cells.at(-1) ?? "").length < 5),
      );
      expect(wrong.map((row) => `${row.name}: ${row.state}`)).toEqual([]);
    });
  });
}

describe("keys", () => {
  const rowOf = (heading: string, name: string): Row => rowsUnder(heading).find((row) => row.name === name)!;
  test.each(SURFACE["Discoveries and sources"]!())("of %s", (block) => {
    const row = rowOf("Discoveries and sources", block);
    expect(namesIn(row.cells[2] ?? "").sort(), `| \`${block}\` | … | ${quoted(keysOfBlock(block as RareBlock))} |`).toEqual(
      keysOfBlock(block as RareBlock).sort(),
    );
    expect(row.state === "refused", `${block} ${SUPPORTED_BLOCKS.has(block as RareBlock) ? "runs" : "does not run"}`).toBe(
      !SUPPORTED_BLOCKS.has(block as RareBlock),
    );
  });
  test.each(SURFACE.Stages!())("of stage %s", (stage) => {
    const named = namesIn(rowOf("Stages", stage).cells[2] ?? "").sort();
    expect(named, `| \`${stage}\` | … | ${quoted(keysOfStage(stage))} |`).toEqual(keysOfStage(stage).sort());
  });
});

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}
