// Loses the entry when every condition given holds.

import { z } from "zod";
import { TEXT_NOTHING, TEXT_ODD } from "../../lib/kernels/kernels.ts";
import type { Regex } from "../../lib/text/regex.ts";
import type { Column, EntryBatch } from "../../lib/wire/entry-batch.ts";
import { hasExtracted } from "../extracted-data.ts";
import { type EntryTest, lineTest } from "../line-test.ts";
import { SpanColumn } from "../span-column.ts";
import { defineStage, type Stage, type StageContext } from "../stage.ts";
import { durationNs, nameList, regexText, sizeBytes, text, weakText } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const config = () =>
  z
    .object({
      source: nameList(text()).default([]),
      separator: weakText().default(";"),
      expression: regexText(weakText()).optional(),
      value: weakText().optional(),
      older_than: durationNs().optional(),
      longer_than: sizeBytes().optional(),
      drop_counter_reason: weakText().default("drop_stage"),
    })
    .superRefine((given, context) => {
      const { source, expression, value, older_than: olderThan, longer_than: longerThan } = given;
      const problem = (message: string): void => context.addIssue({ code: "custom", message });
      if (source.length === 0 && expression === undefined && olderThan === undefined && longerThan === undefined) {
        problem("at least one of source, expression, older_than or longer_than has to be given");
      } else if (value !== undefined && source.length === 0) problem("value needs a source to compare with");
      if (value !== undefined && expression !== undefined) problem("value and expression exclude each other; give one of them");
    });

type Config = z.output<ReturnType<typeof config>>;

export const drop = defineStage({
  name: "drop",
  config,
  build(given, context): Stage {
    const conditions = conditionsOf(given, context);
    const only =
      conditions.length === 1
        ? conditions[0]!
        : { holds: (batch: EntryBatch, i: number) => conditions.every((one) => one.holds(batch, i)) };
    const reason = given.drop_counter_reason === "" ? "drop_stage" : given.drop_counter_reason;
    return {
      process(batch) {
        const before = batch.liveCount;
        for (const condition of conditions) condition.start?.(batch);
        batch.filterLive((i) => !only.holds(batch, i));
        if (batch.liveCount < before) context.dropped(reason, before - batch.liveCount);
      },
    };
  },
});

/** The cheap ones first. */
function conditionsOf(given: Config, { now }: StageContext): EntryTest[] {
  const { source, expression, value, older_than: olderThanNs, longer_than: longerThanBytes, separator } = given;
  const checks: EntryTest[] = [];
  if (longerThanBytes !== undefined) checks.push({ holds: (batch, i) => batch.lineLength(i) > longerThanBytes });
  if (olderThanNs !== undefined) checks.push(olderThan(olderThanNs, now));
  if (source.length === 0) {
    if (expression !== undefined) checks.push(lineTest(expression));
  } else if (value === undefined && expression === undefined) {
    checks.push({ holds: (batch, i) => source.every((name) => hasExtracted(batch, name, i)) });
  } else {
    checks.push(source.length === 1 ? ofOne(source[0]!, value, expression) : ofSeveral(source, separator, value, expression));
  }
  return checks;
}

function olderThan(limitNs: number, now: () => number): EntryTest {
  let nowMs = now();
  return {
    start: () => {
      nowMs = now();
    },
    holds: (batch, i) => nowMs * 1e6 - (batch.secondsOf(i) * 1e9 + batch.nanos[i]!) > limitNs,
  };
}

/** What is missing is an empty text; what is there and has no text (nil, a list) is never dropped. */
function ofOne(name: string, value: string | undefined, expression: Regex | undefined): EntryTest {
  let column: Column | undefined;
  let numbers: Int32Array | undefined;
  /** By number of the text. */
  let verdicts: Uint8Array = new Uint8Array(0);
  const passes = (text: string): boolean => (expression !== undefined ? expression.test(text) : text === value);
  const passesMissing = passes("");
  return {
    start(batch) {
      column = batch.extracted.get(name);
      const numbered = column instanceof SpanColumn ? column.numbered() : undefined;
      numbers = numbered?.numbers;
      verdicts = Uint8Array.from(numbered?.texts ?? [], (text) => (passes(text) ? 1 : 0));
    },
    holds(batch, i) {
      const number = numbers === undefined ? TEXT_ODD : numbers[i]!;
      if (number >= 0) return verdicts[number] === 1;
      if (number === TEXT_NOTHING) return false;
      const found = column?.get(i) ?? batch.extract(name, i);
      if (found === undefined) return passesMissing;
      const text = textOfValue(found);
      return text !== undefined && passes(text);
    },
  };
}

/** The texts of those that are there, joined. */
function ofSeveral(names: readonly string[], separator: string, value: string | undefined, expression: Regex | undefined): EntryTest {
  return {
    holds(batch, i) {
      const parts: string[] = [];
      for (const name of names) {
        const found = batch.extract(name, i);
        if (found === undefined) continue;
        const text = textOfValue(found);
        if (text === undefined) return false;
        parts.push(text);
      }
      const joined = parts.join(separator);
      return expression !== undefined ? expression.test(joined) : joined === value;
    },
  };
}
