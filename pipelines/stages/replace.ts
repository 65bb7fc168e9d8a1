// Replaces what the groups of an expression capture, in the line or in an extracted value, by what a Go template makes of it.

import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { CompiledTemplate } from "../../lib/text/go-template/index.ts";
import type { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { linePrefilter } from "../line-test.ts";
import { defineStage, type Stage } from "../stage.ts";
import { requiredRegexText, source, templateText } from "../stage-config.ts";
import { TemplateData } from "../template-data.ts";
import { sourceText } from "../value-text.ts";

export const replace = defineStage({
  name: "replace",
  config: () => z.object({ expression: requiredRegexText(), source: source(), replace: templateText() }),
  build({ expression, source: from, replace: compiled }, { debug }): Stage {
    const mayMatch = from === undefined ? linePrefilter(expression) : undefined;
    const named = expression.groupNames.flatMap((name, group): [string, number][] => (name === "" ? [] : [[name, group]]));
    return {
      process(batch) {
        mayMatch?.start?.(batch);
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          if (mayMatch !== undefined && !mayMatch.holds(batch, i)) continue;
          const input = sourceText(batch, from, i);
          if (input === undefined) continue;
          const matches = expression.matchAllSpans(input);
          if (matches.length === 0) continue;
          try {
            const result = replaceGroups(input, matches, compiled, batch, i);
            if (from === undefined) batch.setLine(i, result.text);
            else batch.setExtracted(from, i, result.text);
            storeGroups(named, input, matches[0]!, result.byCaptured, batch, i);
          } catch (error) {
            debug({ expression: expression.source, error: messageOf(error) }, "template failed: text left as it was");
          }
        }
      },
    };
  },
});

interface Replaced {
  readonly text: string;
  /** What each captured text became. */
  readonly byCaptured: ReadonlyMap<string, string>;
}

/** Text outside of groups stays. Of nested groups the outer one is replaced; the inner one's result is computed all the same. */
function replaceGroups(input: string, matches: readonly Int32Array[], compiled: CompiledTemplate, batch: EntryBatch, i: number): Replaced {
  const byCaptured = new Map<string, string>();
  let text = "";
  let copied = 0;
  for (const spans of matches) {
    for (let g = 2; g < spans.length; g += 2) {
      const start = spans[g]!;
      const end = spans[g + 1]!;
      if (start < 0) continue;
      const captured = input.slice(start, end);
      let replacement = byCaptured.get(captured);
      if (replacement === undefined) {
        replacement = compiled.execute(new TemplateData(batch, i, captured, undefined));
        byCaptured.set(captured, replacement);
      }
      if (start < copied) continue;
      text += input.slice(copied, start) + replacement;
      copied = end;
    }
  }
  return { text: text + input.slice(copied), byCaptured };
}

/** Named groups of the first match are stored with what they became. */
function storeGroups(
  named: readonly (readonly [name: string, group: number])[],
  input: string,
  spans: Int32Array,
  byCaptured: ReadonlyMap<string, string>,
  batch: EntryBatch,
  i: number,
): void {
  for (const [name, group] of named) {
    const start = spans[2 * group]!;
    const stored = byCaptured.get(start < 0 ? "" : input.slice(start, spans[2 * group + 1]));
    if (stored !== undefined) batch.setExtracted(name, i, stored);
  }
}
