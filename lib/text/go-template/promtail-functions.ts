// The functions of Promtail's template and replace stages: sprig's text functions, and Promtail's own, which win where both have a name.
// Known but not to be called: what asks the network, and what makes keys, certificates, ciphers and password hashes.

import { createHash, randomBytes, randomInt, randomUUID } from "node:crypto";
import { posix } from "node:path";
import { parseGoDurationNs, printGoDuration } from "../duration.ts";
import { goJson } from "../go-json.ts";
import { quoteGo } from "../go-quote.ts";
import { formatTime, parseLayout } from "../go-time.ts";
import { loadZone } from "../time-zone.ts";
import { isEmpty, toFloat, toInt, toText } from "./cast.ts";
import { both, deepEqual, LIST_FUNCTIONS, MAP_FUNCTIONS } from "./collection-functions.ts";
import { formatFloat } from "./format.ts";
import { fn, type TemplateFunction, type TemplateFunctions, variadic } from "./function.ts";
import { MATH_FUNCTIONS } from "./math-functions.ts";
import { GO_TEXT_FUNCTIONS, SPRIG_TEXT_FUNCTIONS, templateRegex } from "./text-functions.ts";
import { addDuration, expectTime, inZone, timeFunctions, timeNow, timeOf, zoneOrUtc } from "./time-functions.ts";
import { URL_FUNCTIONS } from "./url-functions.ts";
import { fromJsonValue, int64, isList, isMap, TemplateError, type TemplateMap, type TemplateValue, TimeValue, typeName } from "./value.ts";
import { VERSION_FUNCTIONS } from "./version-functions.ts";
import { WORD_FUNCTIONS } from "./word-functions.ts";

export interface PromtailContext {
  readonly nowMs?: () => number;
  /** Makes `env` and `expandenv`; without it templates do not know these names. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The function set of Promtail's template and replace stages. */
export function promtailFunctions(context: PromtailContext = {}): TemplateFunctions {
  const { nowMs = Date.now, env } = context;
  return new Map<string, TemplateFunction>([
    ...SPRIG_TEXT_FUNCTIONS,
    ...WORD_FUNCTIONS,
    ...MATH_FUNCTIONS,
    ...LIST_FUNCTIONS,
    ...MAP_FUNCTIONS,
    ...STATIC,
    ...URL_FUNCTIONS,
    ...VERSION_FUNCTIONS,
    ...timeFunctions(nowMs),
    ...sprigTimeFunctions(nowMs),
    ...(env === undefined ? [] : environmentFunctions(env)),
    ...GO_TEXT_FUNCTIONS,
    ...UNAVAILABLE,
    ["Hash", fn(["text", "text"], (salt, text) => hash("sha3-256", salt + text))],
    ["Sha2Hash", fn(["text", "text"], (salt, text) => hash("sha256", salt + text))],
  ]);
}

const hash = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest("hex");

/** The entry's value then stays as it is. */
const UNAVAILABLE: readonly (readonly [string, TemplateFunction])[] = [
  ..."getHostByName bcrypt htpasswd derivePassword encryptAES decryptAES".split(" "),
  ..."genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey buildCustomCert".split(
    " ",
  ),
].map((name) => [
  name,
  variadic([], "any", () => {
    throw new TemplateError("not available here: templates ask no network and make no keys or password hashes");
  }),
]);

const STATIC: readonly (readonly [string, TemplateFunction])[] = [
  ["trimall", fn(["text", "text"], (cutset, text) => SPRIG_TRIM_ALL.call([cutset, text]))],
  [
    "quote",
    variadic([], "any", (values) =>
      values
        .filter((value) => value !== null)
        .map((value) => quoteGo(toText(value)))
        .join(" "),
    ),
  ],
  [
    "squote",
    variadic([], "any", (values) =>
      values
        .filter((value) => value !== null)
        .map((value) => `'${toText(value)}'`)
        .join(" "),
    ),
  ],
  [
    "cat",
    variadic([], "any", (values) =>
      values
        .filter((value) => value !== null)
        .map(toText)
        .join(" "),
    ),
  ],
  ["toString", fn(["any"], toText)],
  ["split", fn(["text", "text"], (between, text) => numbered(text.split(between)))],
  ["splitList", fn(["text", "text"], (between, text) => (between === "" ? [...text] : text.split(between)))],
  ["splitn", fn(["text", "int", "text"], (between, count, text) => numbered(splitAtMost(text, between, count)))],
  ["sha1sum", fn(["text"], (text) => hash("sha1", text))],
  ["sha256sum", fn(["text"], (text) => hash("sha256", text))],
  ["sha512sum", fn(["text"], (text) => hash("sha512", text))],
  ["adler32sum", fn(["text"], adler32)],
  ["b32enc", fn(["text"], encodeBase32)],
  ["b32dec", fn(["text"], decodeBase32)],
  ["uuidv4", fn([], () => randomUUID())],
  ["randAlphaNum", fn(["int"], (count) => randomText(count, `${LETTERS}${DIGITS}`))],
  ["randAlpha", fn(["int"], (count) => randomText(count, LETTERS))],
  ["randNumeric", fn(["int"], (count) => randomText(count, DIGITS))],
  ["randAscii", fn(["int"], (count) => randomText(count, PRINTABLE))],
  ["randBytes", fn(["int"], (count) => randomBytes(boundedCount(count)).toString("base64"))],
  ["randInt", fn(["int", "int"], (min, max) => BigInt(randomInt(min, max)))],
  ["shuffle", fn(["text"], shuffled)],
  ["int64", fn(["any"], toInt)],
  ["atoi", fn(["text"], (text) => (/^[+-]?\d+$/.test(text) ? int64(BigInt(text)) : 0n))],
  ["toDecimal", fn(["any"], (value) => (/^[0-7]+$/.test(toText(value)) ? int64(BigInt(`0o${toText(value)}`)) : 0n))],
  ["add1", fn(["any"], (value) => int64(toInt(value) + 1n))],
  ["add1f", fn(["any"], (value) => toFloat(value) + 1)],
  ["biggest", MATH_FUNCTIONS.find(([name]) => name === "max")![1]],

  ["empty", fn(["any"], isEmpty)],
  ["coalesce", variadic([], "any", (values) => values.find((value) => !isEmpty(value)) ?? null)],
  ["all", variadic([], "any", (values) => !values.some(isEmpty))],
  ["any", variadic([], "any", (values) => values.some((value) => !isEmpty(value)))],
  ["ternary", fn(["any", "any", "bool"], (yes, no, condition) => (condition ? yes : no))],
  [
    "fail",
    fn(["text"], (message) => {
      throw new TemplateError(message);
    }),
  ],
  ["hello", fn([], () => "Hello!")],
  ["typeOf", fn(["any"], (value) => (value === null ? "<nil>" : typeName(value)))],
  ["typeIs", fn(["text", "any"], (name, value) => name === typeName(value))],
  ["typeIsLike", fn(["text", "any"], (name, value) => name === typeName(value) || name === `*${typeName(value)}`)],
  ["kindOf", fn(["any"], kindOf)],
  ["kindIs", fn(["text", "any"], (kind, value) => kind === kindOf(value))],
  ["deepEqual", fn(["any", "any"], deepEqual)],

  ["fromJson", fn(["text"], (text) => decodeJson(text, false))],
  ["mustFromJson", fn(["text"], (text) => decodeJson(text, true))],
  ...both(
    "toJson",
    fn(["any"], (value) => encodeJson(value)),
  ),
  ...both(
    "toPrettyJson",
    fn(["any"], (value) => encodeJson(value, { indent: "  " })),
  ),
  ...both(
    "toRawJson",
    fn(["any"], (value) => encodeJson(value, { plainHtml: true })),
  ),

  ["regexMatch", fn(["text", "text"], matchesIfValid)],
  ["mustRegexMatch", fn(["text", "text"], (pattern, text) => templateRegex(pattern).test(text))],
  ...both(
    "regexFind",
    fn(["text", "text"], (pattern, text) => templateRegex(pattern).exec(text)?.[0] ?? ""),
  ),
  ...both(
    "regexFindAll",
    fn(["text", "text", "int"], (pattern, text, count) => first(templateRegex(pattern).matchAll(text), count).map((match) => match[0])),
  ),
  ...both("regexSplit", fn(["text", "text", "int"], splitByRegex)),
  ...both("regexReplaceAll", SPRIG_TEXT_FUNCTIONS.find(([name]) => name === "regexReplaceAll")![1]),
  ...both("regexReplaceAllLiteral", SPRIG_TEXT_FUNCTIONS.find(([name]) => name === "regexReplaceAllLiteral")![1]),
  ["regexQuoteMeta", fn(["text"], (text) => text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&"))],

  ...pathFunction(
    "base",
    fn(["text"], (path) => (path === "" ? "." : posix.basename(path) || "/")),
  ),
  ...pathFunction(
    "dir",
    fn(["text"], (path) => cleanPath(path.slice(0, path.lastIndexOf("/") + 1))),
  ),
  ...pathFunction("clean", fn(["text"], cleanPath)),
  ...pathFunction(
    "ext",
    fn(["text"], (path) => /\.[^./]*$/.exec(path)?.[0] ?? ""),
  ),
  ...pathFunction(
    "isAbs",
    fn(["text"], (path) => path.startsWith("/")),
  ),
];

/** `base` and `osBase`: the second is about paths of the machine, which here are the same. */
function pathFunction(name: string, called: TemplateFunction): [string, TemplateFunction][] {
  return [
    [name, called],
    [`os${name[0]!.toUpperCase()}${name.slice(1)}`, called],
  ];
}

const SPRIG_TRIM_ALL = SPRIG_TEXT_FUNCTIONS.find(([name]) => name === "trimAll")![1];

function sprigTimeFunctions(nowMs: () => number): readonly (readonly [string, TemplateFunction])[] {
  const local = (): ReturnType<typeof loadZone> => loadZone("Local");
  return [
    ["dateInZone", fn(["text", "any", "text"], (layout, time, zone) => formatTime(inZone(timeOf(time, nowMs), zoneOrUtc(zone)), layout))],
    ["date_in_zone", fn(["text", "any", "text"], (layout, time, zone) => formatTime(inZone(timeOf(time, nowMs), zoneOrUtc(zone)), layout))],
    ["htmlDate", fn(["any"], (time) => formatTime(inZone(timeOf(time, nowMs), local()), "2006-01-02"))],
    ["htmlDateInZone", fn(["any", "text"], (time, zone) => formatTime(inZone(timeOf(time, nowMs), zoneOrUtc(zone)), "2006-01-02"))],
    ["mustToDate", fn(["text", "text"], (layout, text) => TimeValue.of(parseLayout(layout).parse(text, { zone: local() })))],
    ...["dateModify", "date_modify"].map((name): [string, TemplateFunction] => [
      name,
      fn(["text", "any"], (duration, time) => addDuration(expectTime(time), durationOrZeroNs(duration))),
    ]),
    ...["mustDateModify", "must_date_modify"].map((name): [string, TemplateFunction] => [
      name,
      fn(["text", "any"], (duration, time) => addDuration(expectTime(time), parseGoDurationNs(duration))),
    ]),
    [
      "ago",
      fn(["any"], (time) => printGoDuration(Math.round(Number(timeNow(nowMs).unixNanos() - timeOf(time, nowMs).unixNanos()) / 1e9) * 1e9)),
    ],
    [
      "duration",
      fn(["any"], (seconds) => printGoDuration(typeof seconds === "string" && /^[+-]?\d+$/.test(seconds) ? Number(seconds) * 1e9 : 0)),
    ],
    ["durationRound", fn(["any"], (duration) => roundDuration(duration, nowMs))],
  ];
}

/** sprig's way with a duration that cannot be read, where the function is none that must. */
function durationOrZeroNs(text: string): number {
  try {
    return parseGoDurationNs(text);
  } catch {
    return 0;
  }
}

const ROUND_UNITS: readonly (readonly [suffix: string, seconds: number])[] = [
  ["y", 31_536_000],
  ["mo", 2_592_000],
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

/** The largest unit that fits: `1h`. */
function roundDuration(value: TemplateValue, nowMs: () => number): string {
  let seconds = 0;
  if (value instanceof TimeValue) seconds = nowMs() / 1000 - value.sec;
  else if (typeof value === "bigint") seconds = Number(value) / 1e9;
  else if (typeof value === "string") seconds = durationOrZeroNs(value) / 1e9;
  const size = Math.abs(seconds);
  for (const [suffix, unit] of ROUND_UNITS) if (size > unit) return `${seconds < 0 ? "-" : ""}${Math.floor(size / unit)}${suffix}`;
  return "0s";
}

function environmentFunctions(env: Readonly<Record<string, string | undefined>>): readonly (readonly [string, TemplateFunction])[] {
  const variable = (name: string): string => (Object.hasOwn(env, name) ? (env[name] ?? "") : "");
  return [
    ["env", fn(["text"], variable)],
    [
      "expandenv",
      fn(["text"], (text) =>
        text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced: string | undefined, bare: string | undefined) => variable(braced ?? bare!)),
      ),
    ],
  ];
}

function numbered(parts: readonly string[]): TemplateMap {
  return new Map(parts.map((part, i) => [`_${i}`, part]));
}

function splitAtMost(text: string, between: string, count: number): string[] {
  if (count === 0) return [];
  const parts = text.split(between);
  return count < 0 || parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join(between)];
}

/** An invalid pattern matches nothing; only mustRegexMatch fails. */
function matchesIfValid(pattern: string, text: string): boolean {
  try {
    return templateRegex(pattern).test(text);
  } catch {
    return false;
  }
}

function first<T>(items: readonly T[], count: number): readonly T[] {
  return count < 0 ? items : items.slice(0, count);
}

/** Go's Regexp.Split: at most `count` pieces. */
function splitByRegex(pattern: string, text: string, count: number): string[] {
  if (count === 0) return [];
  const regex = templateRegex(pattern);
  if (pattern !== "" && text === "") return [""];
  const pieces: string[] = [];
  let start = 0;
  let end = 0;
  for (const match of regex.matchAll(text)) {
    if (count > 0 && pieces.length === count - 1) break;
    end = match.index;
    const matchEnd = match.index + match[0].length;
    if (matchEnd !== 0) pieces.push(text.slice(start, end));
    start = matchEnd;
  }
  if (end !== text.length) pieces.push(text.slice(start));
  return pieces;
}

function kindOf(value: TemplateValue): string {
  if (value === null) return "invalid";
  if (isList(value)) return "slice";
  return isMap(value) ? "map" : value instanceof TimeValue ? "struct" : typeName(value);
}

function decodeJson(text: string, must: boolean): TemplateValue {
  try {
    return fromJsonValue(JSON.parse(text));
  } catch (error) {
    if (must) throw error;
    return null;
  }
}

function encodeJson(value: TemplateValue, options: { indent?: string; plainHtml?: boolean } = {}): string {
  return goJson(value, {
    ...options,
    print: (item) => {
      if (item instanceof TimeValue) return `"${formatTime(item, "2006-01-02T15:04:05.999999999Z07:00")}"`;
      if (item instanceof Map || Array.isArray(item)) return undefined;
      return encodeJson(new Map((item as TemplateMap).entries()), options);
    },
  });
}

function adler32(text: string): string {
  let a = 1;
  let b = 0;
  for (const byte of Buffer.from(text)) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return formatFloat(b * 65_536 + a, "f", 0);
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function encodeBase32(text: string): string {
  let bits = "";
  for (const byte of Buffer.from(text)) bits += byte.toString(2).padStart(8, "0");
  let out = "";
  for (let i = 0; i < bits.length; i += 5) out += BASE32[Number.parseInt(bits.slice(i, i + 5).padEnd(5, "0"), 2)];
  return out.padEnd(Math.ceil(out.length / 8) * 8, "=");
}

function decodeBase32(text: string): string {
  const bad = /[^A-Z2-7=]/.exec(text);
  if (bad !== null || text.length % 8 !== 0) return `illegal base32 data at input byte ${bad?.index ?? text.length}`;
  let bits = "";
  for (const char of text.replace(/=+$/, "")) bits += BASE32.indexOf(char).toString(2).padStart(5, "0");
  const bytes = bits.match(/[01]{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2))).toString("utf8");
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";
const PRINTABLE = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i));
const RANDOM_CHARS_MAX = 10_000;

function randomText(count: number, alphabet: string): string {
  const length = boundedCount(count);
  // Two bytes per character keep the bias below a thousandth.
  const bytes = randomBytes(2 * length);
  return Array.from({ length }, (_, i) => alphabet[bytes.readUInt16LE(2 * i) % alphabet.length]).join("");
}

function boundedCount(count: number): number {
  if (count > RANDOM_CHARS_MAX) throw new TemplateError(`${count} random characters exceed ${RANDOM_CHARS_MAX}; ask for fewer`);
  return Math.max(0, count);
}

function shuffled(text: string): string {
  const chars = [...text];
  for (let i = chars.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [chars[i], chars[j]] = [chars[j]!, chars[i]!];
  }
  return chars.join("");
}

/** Go's path.Clean. */
function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}
