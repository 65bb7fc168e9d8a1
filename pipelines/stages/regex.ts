// Extracts the named groups of the first match.

import { z } from "zod";
import type { Regex, RegexMatch } from "../../lib/text/regex.ts";
import type { Column } from "../../lib/wire/entry-batch.ts";
import { columnOf } from "../extracted-data.ts";
import { LineMatcher } from "../line-test.ts";
import { defineStage, type Stage } from "../stage.ts";
import { requiredRegexText, source } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

export const regex = defineStage({
  name: "regex",
  config: () => z.object({ expression: requiredRegexText(), source: source(), labels_from_groups: z.unknown().optional() }),
  warn: ({ expression }) =>
    expression.groupNames.some((name) => name !== "") ? undefined : `expression has no named group, so it extracts nothing`,
  build({ expression, source: from }): Stage {
    // A name may stand for several groups; the last of them wins, also one that took no part.
    const groups = new Map<string, number>();
    expression.groupNames.forEach((name, group) => {
      if (name !== "") groups.set(name, group);
    });
    const names = [...groups.keys()];
    const numbers = [...groups.values()];
    const lines = from === undefined ? new LineMatcher(expression) : undefined;
    return {
      process(batch) {
        let columns: Column[] | undefined;
        lines?.start(batch);
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          const match = lines === undefined ? execOn(expression, textOfValue(batch.extract(from!, i))) : lines.exec(batch, i);
          if (match === null) continue;
          columns ??= names.map((name) => columnOf(batch, name));
          for (let c = 0; c < columns.length; c++) columns[c]!.set(i, match[numbers[c]!] ?? "");
        }
      },
    };
  },
});

const execOn = (expression: Regex, text: string | undefined): RegexMatch | null => (text === undefined ? null : expression.exec(text));
