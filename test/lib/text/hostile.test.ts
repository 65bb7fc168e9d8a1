// The little languages on random texts: they answer or throw their own error, and they end.

import { expect, test } from "vitest";
import { decolorize } from "../../../lib/text/decolorize.ts";
import { DurationError, parseGoDurationNs, parsePrometheusDurationMs } from "../../../lib/text/duration.ts";
import { compileTemplate, promtailFunctions, TemplateError } from "../../../lib/text/go-template/index.ts";
import { parseLayout } from "../../../lib/text/go-time.ts";
import { compileIpMatcher } from "../../../lib/text/ip-match.ts";
import { compileJsonPath, JsonPathError, JsonScanError } from "../../../lib/text/json-path.ts";
import { parseLogfmt } from "../../../lib/text/logfmt.ts";
import { compilePattern, PatternError } from "../../../lib/text/pattern.ts";

const ROUNDS = 4_000;

function randomTexts(pieces: readonly string[], seed: number): string[] {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return Array.from({ length: ROUNDS }, () => Array.from({ length: 1 + below(12) }, () => pieces[below(pieces.length)]!).join(""));
}

/** Runs, and lets only errors of these classes pass. */
function survives(run: () => unknown, ...errors: (new (...args: never[]) => Error)[]): void {
  try {
    run();
  } catch (error) {
    if (!errors.some((known) => error instanceof known)) throw error;
  }
}

test("templates", () => {
  const functions = promtailFunctions();
  const pieces = [
    "{{",
    "}}",
    "{{-",
    " -}}",
    " ",
    ".a",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
    "if",
    "range",
    "else",
    "end",
    "with",
    "5",
    "1.5",
    '"s"',
    "`r`",
    "index",
    "printf",
    "list",
    "dict",
    "slice",
    "len",
    "eq",
    "{{end}}",
    "{{if .a}}",
    "{{range list 1 2}}",
    "text",
    "'c'",
    "nil",
    "break",
    "substr",
    "repeat",
  ];
  for (const text of randomTexts(pieces, 11)) survives(() => compileTemplate(text, functions).execute({ a: "x" }), TemplateError);
});

test("template functions on arguments of every kind", () => {
  const values = ["nil", "1", "-1", "1.5", '""', '"abc"', "true", "(list 1 2)", '(dict "a" 1)', "now"];
  for (const [name, called] of promtailFunctions({ env: {} })) {
    for (let i = 0; i < 60; i++) {
      const args = Array.from(
        { length: called.argumentKinds.length + (called.restKind === null ? 0 : i % 3) },
        (_, k) => values[(i * 7 + k * 3 + Math.floor(i / 10)) % values.length],
      );
      survives(() => compileTemplate(`{{ ${name} ${args.join(" ")} }}`, promtailFunctions({ env: {} })).execute({}), TemplateError);
    }
  }
});

test("logfmt reads every byte and ends", () => {
  for (const text of randomTexts(["a", "=", '"', "\\", " ", "\n", "é", "\x00", "key=v", 'k="', "\\u00", "\\n"], 12)) {
    const { pairs } = parseLogfmt(text, { lenient: true });
    for (const [key] of pairs) expect(key).not.toBe("");
    const strict = parseLogfmt(text);
    if (strict.error === null) expect(strict.pairs).toEqual(pairs);
  }
});

test("JSON paths on broken JSON", () => {
  const path = compileJsonPath("a.b[1]");
  for (const text of randomTexts(['{"a":', '{"b":', "[1,", "]", "}", '"', "\\", "x", ",", ":", '{"a":{"b":[1,2', "null", " "], 13))
    survives(() => path.evaluate(text), JsonScanError);
  for (const text of randomTexts(["a", ".", "[", "]", '"', "0", "1", "\\", " ", '["x"]'], 14))
    survives(() => compileJsonPath(text), JsonPathError);
});

test("patterns, durations, times, addresses, escape sequences", () => {
  for (const text of randomTexts(["<a>", "<_>", "<", ">", "x", " ", "<b>"], 15))
    survives(() => compilePattern(text).match("a x b"), PatternError);
  for (const text of randomTexts(["1", "h", "m", "s", ".", "-", "µs", "0", "y", " ", "99999"], 16)) {
    survives(() => expect(parseGoDurationNs(text)).not.toBeNaN(), DurationError);
    survives(() => expect(parsePrometheusDurationMs(text)).toBeGreaterThanOrEqual(0), DurationError);
  }
  for (const text of randomTexts(["2006", "01", "-", "Jan", "15", ":", "04", ".000", "MST", "Z07:00", " ", "PM", "_2", "002", "é"], 17)) {
    const time = parseLayout(text).tryParse(text);
    if (time !== null) expect(time.sec).not.toBeNaN();
  }
  const matchers = ["10.0.0.0/8", "2001:db8::/32"].map(compileIpMatcher);
  for (const text of randomTexts(["10.", "0", ".", ":", "::", "2001:db8", "ffff", "1", " ", "x", "%"], 18))
    for (const matcher of matchers) matcher.test(text);
  for (const text of randomTexts(["\x1b", "[", "]", "0", ";", "m", "\x07", "\\", "text", "\u009b"], 19))
    expect(decolorize(text).length).toBeLessThanOrEqual(text.length);
});
