// Prometheus' template functions. Meaning and texts: the template reference of its documentation, which Loki's rules follow.

import { parsePrometheusDurationMs } from "../../lib/text/duration.ts";
import { escapeQuery } from "../../lib/text/go-template/builtins.ts";
import { sprintf } from "../../lib/text/go-template/format.ts";
import { fn, type TemplateFunction, type TemplateFunctions, variadic } from "../../lib/text/go-template/function.ts";
import { lower, SPRIG_TEXT_FUNCTIONS, templateRegex, upper } from "../../lib/text/go-template/text-functions.ts";
import { isMap, TemplateError, type TemplateMap, type TemplateValue, TimeValue } from "../../lib/text/go-template/value.ts";
import { expandTemplate } from "../../lib/text/regex.ts";
import { parseGoFloat } from "../query/go-number.ts";

/** The samples of a query, each a map of Labels and Value; throws when they have to be fetched first. */
export type AskQuery = (expr: string) => readonly TemplateValue[];

/** @param run is read anew by each call */
export function alertFunctions(ask: AskQuery, run: { readonly nowMs: number; readonly externalUrl: string }): TemplateFunctions {
  return new Map<string, TemplateFunction>([
    ...FUNCTIONS,
    ["query", fn(["text"], (expr) => ask(expr))],
    ["externalURL", fn([], () => run.externalUrl)],
    ["pathPrefix", fn([], () => pathOf(run.externalUrl))],
    ["now", fn([], () => run.nowMs / 1000)],
  ]);
}

const FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["first", fn(["list"], first)],
  ["label", fn(["text", "any"], (name, sample) => labelsOf(sample).get(name) ?? "")],
  ["value", fn(["any"], (sample) => sampleOf(sample).get("Value") ?? 0)],
  ["strvalue", fn(["any"], (sample) => labelsOf(sample).get("__value__") ?? "")],
  ["sortByLabel", fn(["text", "list"], sortByLabel)],
  ["args", variadic([], "any", (values) => new Map(values.map((value, i) => [`arg${i}`, value])))],
  ["reReplaceAll", fn(["text", "text", "text"], replaceMatches)],
  ["match", fn(["text", "text"], (pattern, text) => templateRegex(pattern).test(text))],
  ["safeHtml", fn(["text"], (text) => text)],
  ...SPRIG_TEXT_FUNCTIONS.filter(([name]) => name === "title"),
  ["toUpper", fn(["text"], upper)],
  ["toLower", fn(["text"], lower)],
  ["graphLink", fn(["text"], (expr) => graphLink(expr, 0))],
  ["tableLink", fn(["text"], (expr) => graphLink(expr, 1))],
  ["stripPort", fn(["text"], stripPort)],
  ["stripDomain", fn(["text"], stripDomain)],
  ["urlQueryEscape", fn(["text"], escapeQuery)],
  ["humanize", fn(["any"], (value) => humanize(toNumber(value)))],
  ["humanize1024", fn(["any"], (value) => humanize1024(toNumber(value)))],
  ["humanizeDuration", fn(["any"], (value) => humanizeDuration(toNumber(value)))],
  ["humanizePercentage", fn(["any"], (value) => `${shortest(toNumber(value) * 100)}%`)],
  ["humanizeTimestamp", fn(["any"], (value) => humanizeTimestamp(toNumber(value)))],
  ["toTime", fn(["any"], (value) => toTime(toNumber(value)))],
  ["parseDuration", fn(["text"], (text) => parsePrometheusDurationMs(text) / 1000)],
];

/** `%.4g` */
const shortest = (value: number): string => sprintf("%.4g", [value]);

function toNumber(value: TemplateValue): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") return parseGoFloat(value);
  throw new TemplateError("can't convert to float");
}

function first(samples: readonly TemplateValue[]): TemplateValue {
  if (samples.length === 0) throw new TemplateError("first() called on vector with no elements");
  return samples[0]!;
}

function sampleOf(value: TemplateValue): TemplateMap {
  if (value === null || !isMap(value)) throw new TemplateError("expected a sample of a query");
  return value;
}

function labelsOf(value: TemplateValue): TemplateMap {
  const labels = sampleOf(value).get("Labels");
  if (labels === undefined || labels === null || !isMap(labels)) throw new TemplateError("expected a sample of a query");
  return labels;
}

function sortByLabel(name: string, samples: readonly TemplateValue[]): TemplateValue {
  const keyed = samples.map((sample) => [String(labelsOf(sample).get(name) ?? ""), sample] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, sample]) => sample);
}

function replaceMatches(pattern: string, replacement: string, text: string): string {
  const regex = templateRegex(pattern);
  return regex.replaceAll(text, (match) => expandTemplate(replacement, match, regex.groupNames));
}

function graphLink(expr: string, tab: 0 | 1): string {
  return `/graph?g0.expr=${escapeQuery(expr)}&g0.tab=${tab}`;
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname.replace(/\/$/, "") : "";
}

/** `host:port` and `[v6]:port` without the port; anything else as it is. */
function stripPort(text: string): string {
  return /^\[([^\]]*)\]:[^:]*$/.exec(text)?.[1] ?? /^([^:]*):[^:]*$/.exec(text)?.[1] ?? text;
}

/** `host.domain:port` without the domain; addresses stay. */
function stripDomain(text: string): string {
  const [, host = text, port = ""] = /^(.*?)(:\d+)?$/.exec(text) ?? [];
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(":")) return text;
  return host.split(".", 1)[0]! + port;
}

const LARGE = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return shortest(value);
  const [units, base] = Math.abs(value) >= 1 ? ([LARGE, 1000] as const) : ([SMALL, 1 / 1000] as const);
  return scaled(value, units, (size) => (base > 1 ? size >= base : size < 1), base);
}

function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return shortest(value);
  return scaled(value, BINARY, (size) => size >= 1024, 1024);
}

function scaled(value: number, units: readonly string[], goesOn: (size: number) => boolean, base: number): string {
  let rest = value;
  let unit = "";
  for (const next of units) {
    if (!goesOn(Math.abs(rest))) break;
    unit = next;
    rest /= base;
  }
  return shortest(rest) + unit;
}

function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return shortest(seconds);
  if (seconds === 0) return `${shortest(seconds)}s`;
  if (Math.abs(seconds) < 1) return `${humanize(seconds)}s`;
  const sign = seconds < 0 ? "-" : "";
  const whole = Math.trunc(Math.abs(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return `${sign}${days}d ${hours}h ${minutes}m ${whole % 60}s`;
  if (hours > 0) return `${sign}${hours}h ${minutes}m ${whole % 60}s`;
  if (minutes > 0) return `${sign}${minutes}m ${whole % 60}s`;
  return `${shortest(seconds)}s`;
}

function humanizeTimestamp(seconds: number): string {
  if (!Number.isFinite(seconds)) return shortest(seconds);
  return sprintf("%v", [toTime(seconds)]);
}

/** Go's bound is that of int64 nanoseconds. */
const TIME_SECONDS_MAX = 9_223_372_036;

/** In whole milliseconds, as Prometheus keeps time. */
function toTime(seconds: number): TimeValue {
  if (!(Math.abs(seconds) <= TIME_SECONDS_MAX))
    throw new TemplateError(`${shortest(seconds)} cannot be represented as a nanoseconds timestamp since it overflows int64`);
  const ms = Math.trunc(seconds * 1000);
  const sec = Math.floor(ms / 1000);
  return new TimeValue(sec, (ms - sec * 1000) * 1e6);
}
