// Every query of the recorded cases goes through the parser: what Loki took is taken, what it refused as wrongly formed is refused with
// its text, and what it formatted is formatted alike.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  isLog,
  LogqlError,
  parseExpr,
  parseForFormat,
  parseMatchers,
  parseSelector,
  prettyExpr,
  printExpr,
} from "../../../lib/logql/index.ts";

const CASES = new URL("../../conformance/server/cases/", import.meta.url);

interface Request {
  readonly query?: string;
  readonly query_range?: string;
  readonly format_query?: string;
  readonly tail?: string;
  readonly http?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}
interface Exchange {
  readonly id?: string;
  readonly loki_bug?: string;
  readonly compare?: { readonly errorStability?: string };
  readonly request?: Request;
  readonly expected?: {
    readonly status: number;
    readonly text?: string;
    readonly json?: { readonly data?: unknown; readonly error?: string };
  };
  readonly then?: readonly Exchange[];
}

const exchanges: { readonly name: string; readonly exchange: Exchange }[] = [];
for (const file of readdirSync(CASES).sort()) {
  const { cases } = JSON.parse(readFileSync(new URL(file, CASES), "utf8")) as { cases: readonly Exchange[] };
  for (const one of cases) {
    for (const [i, exchange] of [one, ...(one.then ?? [])].entries())
      exchanges.push({ name: i === 0 ? one.id! : `${one.id} (${i})`, exchange });
  }
}

/** Why the text is refused, null when it is taken. */
function refusal(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof LogqlError) return error.message;
    throw error;
  }
}

const isQueryError = (text: string | undefined): text is string => text?.startsWith("parse error") === true;

/** Errors about templates come from the template engine, which this part does not know. */
const isTemplateError = (text: string): boolean => text.includes("template");

describe("format_query", () => {
  for (const { name, exchange } of exchanges) {
    const { request, expected } = exchange;
    if (request?.format_query === undefined || expected === undefined || exchange.loki_bug !== undefined) continue;
    const query = request.format_query;
    if (expected.status === 200)
      test(`${name} is laid out alike`, () => expect(prettyExpr(parseForFormat(query))).toBe(expected.json!.data));
    else test(`${name} is refused alike`, () => expect(refusal(() => parseForFormat(query))).toBe(expected.json!.error));
  }
});

describe("queries", () => {
  for (const { name, exchange } of exchanges) {
    const { request, expected } = exchange;
    const query = request?.query ?? request?.query_range ?? request?.tail;
    if (query === undefined || expected === undefined || exchange.loki_bug !== undefined) continue;
    if (isQueryError(expected.text) && !isTemplateError(expected.text)) {
      test(`${name} is refused alike: ${query}`, () => expect(refusal(() => parseExpr(query))).toBe(expected.text));
    } else if (expected.status < 400) {
      test(`${name} is taken, and prints as itself: ${query}`, () => {
        expect(refusal(() => parseExpr(query))).toBeNull();
        const tree = parseExpr(query);
        const text = printExpr(tree);
        expect(printExpr(parseExpr(text))).toBe(text);
        const pretty = prettyExpr(tree);
        // Loki prints what came of 1/0 in words it cannot read.
        if (!/^(NaN|[+-]Inf)$/.test(pretty)) expect(prettyExpr(parseExpr(pretty))).toBe(pretty);
      });
    }
  }
});

describe("selectors of other calls", () => {
  for (const { name, exchange } of exchanges) {
    const { request, expected } = exchange;
    const error = expected?.text;
    if (request?.http === undefined || expected === undefined || exchange.loki_bug !== undefined) continue;
    const isSeries = request.http.includes("/series");
    const texts = [request.params?.[isSeries ? "match[]" : "query"] ?? []].flat();
    if (isQueryError(error) || error === "only label matchers are supported") {
      const read = isSeries ? parseSelector : parseMatchers;
      if (texts.length === 0) texts.push("");
      test(`${name} is refused alike: ${texts.join(" ")}`, () =>
        expect(texts.map((text) => refusal(() => read(String(text)))).find((text) => text !== null)).toBe(error));
    }
  }
});

test("there are queries of both kinds among the cases", () => {
  const taken = exchanges
    .flatMap(({ exchange }) => exchange.request?.query_range ?? [])
    .filter((text) => refusal(() => parseExpr(text)) === null);
  expect(taken.some((text) => isLog(parseExpr(text)))).toBe(true);
  expect(taken.length).toBeGreaterThan(500);
});
