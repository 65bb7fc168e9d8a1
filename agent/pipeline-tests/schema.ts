// A file of pipeline tests: which stages, and for each case lines in and entries out. Strict: a misspelt expectation would test nothing.

import { z } from "zod";
import { parseGoDurationMs } from "../../lib/text/duration.ts";
import { type GoTime, parseLayout } from "../../lib/text/go-time.ts";
import { parseLabels } from "../../lib/wire/parse-labels.ts";
import { attempt } from "../../pipelines/stage-config.ts";
import { bool, field, float, int, list, text, textMap } from "../config/fields.ts";
import { Plain, withoutWritten } from "../config/written.ts";

const RFC3339 = parseLayout("2006-01-02T15:04:05.999999999Z07:00");

const time = () =>
  field((value): GoTime => {
    const written = z.parse(text(), value);
    const read = RFC3339.tryParse(written.replace(" ", "T"));
    if (read === null) throw new Error(`expected a time such as 2024-06-01T12:00:00.5Z, got ${JSON.stringify(written)}`);
    return read;
  });

/** How long to wait; milliseconds. */
const duration = () => field((value) => parseGoDurationMs(z.parse(text(), value)));

/** Names to texts; null means that there must be no such name. */
const expectedMap = () =>
  field((value): Readonly<Record<string, string | null>> => {
    if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Plain)
      throw new Error("expected a map of names to texts");
    return Object.fromEntries(Object.entries(value).map(([name, given]) => [name, given === null ? null : z.parse(text(), given)]));
  });

/** A line that is read, or a pause. A text is a line. */
const step = () =>
  z.preprocess(
    (value) => (typeof value === "string" || value instanceof Plain ? { line: value } : value),
    z
      .strictObject(
        {
          line: text().optional(),
          labels: textMap().prefault({}),
          file: text().optional(),
          wait: duration().optional(),
        },
        {
          error: (issue) => (issue.code === "invalid_type" ? "expected a line: a text, or a map with line, labels, file, wait" : undefined),
        },
      )
      .refine((given) => (given.line === undefined) !== (given.wait === undefined), "needs either a line or wait, how long nothing comes"),
  );

/** A block of text is a line for each of its lines. */
const lines = () =>
  z.preprocess(
    (value) => (typeof value === "string" ? value.replace(/\n$/, "").split("\n") : value),
    z.array(step(), { error: "expected a list of lines" }),
  );

const dropReason = () => field((value) => (value instanceof Plain && value.value === true ? true : z.parse(text(), value)));

const outcome = () =>
  z
    .strictObject({
      line: text().optional(),
      labels: expectedMap().optional(),
      timestamp: time().optional(),
      structured_metadata: expectedMap().optional(),
      /** Null or empty: the client's own. */
      tenant: field((value) => (value === null ? "" : z.parse(text(), value))).optional(),
      dropped: dropReason().optional(),
    })
    .refine((given) => given.dropped === undefined || Object.values(given).filter((each) => each !== undefined).length === 1, {
      error: "what is dropped has no line, labels or timestamp to expect",
    });

/** One entry need not be a list. */
const outcomes = () => z.preprocess((value) => (value === null || Array.isArray(value) ? (value ?? []) : [value]), z.array(outcome()));

const drops = () => z.record(z.string(), int(0), { error: "expected a map of reasons to counts" });

/** `name{label="value"}` to the number it should have. */
const metrics = () =>
  z.record(z.string(), float(), { error: "expected a map of metrics to numbers" }).superRefine((given, context) => {
    for (const name of Object.keys(given)) attempt(context, () => parseLabels(name), 'not a metric such as name{label="value"}: ', [name]);
  });

const testCase = () =>
  z
    .strictObject({
      name: text().refine((name) => name !== "", "is empty"),
      labels: textMap().prefault({}),
      now: time().optional(),
      strict: bool().optional(),
      lines: lines(),
      expect: outcomes().optional(),
      dropped: drops().optional(),
      metrics: metrics().optional(),
    })
    .refine((given) => given.expect !== undefined || given.dropped !== undefined || given.metrics !== undefined, {
      error: "expects nothing: add expect, dropped or metrics (an empty list under expect means that no entry comes out)",
    });

export const testFileSchema = () =>
  z
    .strictObject({
      /** A Promtail configuration; a path beside this file. */
      config: text().optional(),
      /** The scrape config of that configuration. */
      job: text().optional(),
      preset: text().optional(),
      pipeline_stages: field((value) => withoutWritten(value)).optional(),
      labels: textMap().prefault({}),
      now: time().optional(),
      strict: bool().default(false),
      cases: list(testCase()).refine((cases) => cases.length > 0, "there is no case in it"),
    })
    .superRefine((given, context) => {
      const sources = (["config", "preset", "pipeline_stages"] as const).filter((key) => given[key] !== undefined);
      if (sources.length !== 1)
        context.addIssue({ code: "custom", message: "one of config, preset and pipeline_stages is needed, and only one" });
      if (given.job !== undefined && given.config === undefined) {
        context.addIssue({ code: "custom", path: ["job"], message: "a job is one of a config: add config" });
      }
    });

export type TestFile = z.infer<ReturnType<typeof testFileSchema>>;
export type TestCase = TestFile["cases"][number];
export type Step = TestCase["lines"][number];
export type ExpectedOutcome = NonNullable<TestCase["expect"]>[number];
