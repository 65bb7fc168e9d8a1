// Go's fmt: how values print (`%v`), Sprint and Sprintln, and printf's verbs. Source: the package page of fmt, and its outputs.

import { compareCodePoints, quoteGo } from "../go-quote.ts";
import { printGoTime } from "../go-time.ts";
import { isList, isMap, type TemplateValue, TimeValue, typeName } from "./value.ts";

/** The text of a value where a template prints it. */
export function printValue(value: TemplateValue): string {
  return typeof value === "string" ? value : value === null ? "<no value>" : formatValue(value);
}

/** `%v`. */
export function formatValue(value: TemplateValue): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return formatFloat(value, "g", -1);
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return value === null ? "<nil>" : formatComposite(value);
  }
}

function formatComposite(value: TemplateValue & object): string {
  if (value instanceof TimeValue) return printGoTime(value);
  if (isList(value)) return `[${value.map(formatValue).join(" ")}]`;
  if (value.printed !== undefined) return value.printed;
  const pairs = [...value.entries()].sort((a, b) => compareCodePoints(a[0], b[0]));
  return `map[${pairs.map(([key, item]) => `${key}:${formatValue(item)}`).join(" ")}]`;
}

/** fmt.Sprint: a space between neighbours of which neither is a string. */
export function sprint(values: readonly TemplateValue[]): string {
  let out = "";
  for (let i = 0; i < values.length; i++) {
    if (i > 0 && typeof values[i] !== "string" && typeof values[i - 1] !== "string") out += " ";
    out += formatValue(values[i]!);
  }
  return out;
}

export function sprintln(values: readonly TemplateValue[]): string {
  return `${values.map(formatValue).join(" ")}\n`;
}

interface Directive {
  readonly minus: boolean;
  readonly plus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  readonly width: number | null;
  readonly precision: number | null;
}

/** Width and precision past this are refused as fmt refuses them. */
const WIDTH_MAX = 1_000_000;
const DIRECTIVE = /%([-+# 0]*)((?:\[\d+\])?\*|\d+)?(?:\.((?:\[\d+\])?\*|\d+)?)?(?:\[(\d+)\])?([\s\S])?/gu;

/** fmt.Sprintf. Mistakes are printed into the text, as fmt does: `%!d(string=hi)`, `%!d(MISSING)`, `%!(EXTRA int=1)`. */
export function sprintf(format: string, args: readonly TemplateValue[]): string {
  let next = 0;
  // Whoever numbers arguments, `%[2]s`, may use some never: fmt then does not speak of extra ones.
  let numbers = false;
  let known = true;
  const jump = (index: string | undefined): void => {
    if (index === undefined) return;
    numbers = true;
    const at = Number(index) - 1;
    known = at >= 0 && at < args.length;
    if (known) next = at;
  };
  const text = format.replace(
    DIRECTIVE,
    (whole: string, flags: string, width?: string, precision?: string, index?: string, verb?: string) => {
      if (verb === undefined) return "%!(NOVERB)";
      known = true;
      const star = (field: string | undefined): number | null => {
        if (field === undefined) return null;
        jump(/\d+(?=\])/.exec(field)?.[0]);
        const size = field.endsWith("*") ? Number(args[next++] ?? 0) : Number(field);
        return Number.isFinite(size) && Math.abs(size) <= WIDTH_MAX ? size : null;
      };
      const wide = star(width);
      const precise = precision === undefined && whole.includes(".") && verb !== "." ? 0 : star(precision);
      jump(index);
      if (verb === "%") return "%";
      if (!known) return `%!${verb}(BADINDEX)`;
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const minus = flags.includes("-") || (wide ?? 0) < 0;
      return formatVerb(verb, args[next++]!, {
        minus,
        plus: flags.includes("+") && verb !== "v",
        sharp: flags.includes("#"),
        space: flags.includes(" "),
        zero: flags.includes("0") && !minus,
        width: wide === null ? null : Math.abs(wide),
        precision: precise,
      });
    },
  );
  if (numbers || next >= args.length) return text;
  return `${text}%!(EXTRA ${args
    .slice(next)
    .map((arg) => (arg === null ? "<nil>" : `${typeName(arg)}=${formatValue(arg)}`))
    .join(", ")})`;
}

function formatVerb(verb: string, value: TemplateValue, how: Directive): string {
  if (verb === "T") return pad(value === null ? "<nil>" : typeName(value), how);
  if (value === null) return verb === "v" ? pad("<nil>", how) : `%!${verb}(<nil>)`;
  if (verb === "v" && how.sharp) return pad(goSyntax(value), how);
  if (isList(value) && verb !== "p") return `[${value.map((item) => formatVerb(verb, item, how)).join(" ")}]`;
  const text = formatScalar(verb, value, how);
  if (text !== null) return text;
  // The flags hold for the value in the complaint, too.
  return `%!${verb}(${typeName(value)}=${formatScalar("v", value, how) ?? formatValue(value)})`;
}

/** Null: the verb does not fit the value. */
function formatScalar(verb: string, value: TemplateValue & {}, how: Directive): string | null {
  if (value instanceof TimeValue || isMap(value)) return verb === "v" || verb === "s" ? pad(formatValue(value), how) : null;
  switch (typeof value) {
    case "boolean":
      return verb === "t" || verb === "v" ? pad(String(value), how) : null;
    case "bigint":
      return formatInteger(verb, value, how);
    case "number":
      return formatFloatVerb(verb, value, how);
    default:
      return typeof value === "string" ? formatText(verb, value, how) : null;
  }
}

function formatText(verb: string, value: string, how: Directive): string | null {
  const cut = how.precision === null ? value : [...value].slice(0, how.precision).join("");
  switch (verb) {
    case "s":
    case "v":
      return pad(cut, how);
    case "q":
      return pad(how.sharp && !cut.includes("`") ? `\`${cut}\`` : quoteGo(cut, '"', how.plus), how);
    case "x":
    case "X": {
      const bytes = Buffer.from(value).subarray(0, how.precision ?? undefined);
      const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
      const text = how.space
        ? hex.map((byte) => (how.sharp ? `0x${byte}` : byte)).join(" ")
        : (how.sharp && hex.length > 0 ? "0x" : "") + hex.join("");
      return pad(verb === "X" ? text.toUpperCase() : text, how);
    }
    default:
      return null;
  }
}

function formatInteger(verb: string, value: bigint, how: Directive): string | null {
  const radix = { d: 10, v: 10, x: 16, X: 16, o: 8, O: 8, b: 2 }[verb];
  if (radix !== undefined) {
    const prefix = verb === "O" ? "0o" : !how.sharp ? "" : ({ x: "0x", X: "0X", o: "0", b: "0b" }[verb] ?? "");
    const size = (value < 0n ? -value : value).toString(radix).padStart(how.precision ?? 0, "0");
    const digits = value === 0n && how.precision === 0 ? "" : verb === "X" ? size.toUpperCase() : size;
    return pad(digits, how, sign(value < 0n, how) + prefix, how.precision === null);
  }
  const code = Number(value);
  const char = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : "\ufffd";
  if (verb === "c") return pad(char, how);
  if (verb === "q") return pad(quoteGo(char, "'", how.plus), how);
  if (verb === "U") return pad(`U+${code.toString(16).toUpperCase().padStart(4, "0")}${how.sharp ? ` '${char}'` : ""}`, how);
  return null;
}

function formatFloatVerb(verb: string, value: number, how: Directive): string | null {
  if (!"vgGeEfF".includes(verb)) return null;
  const kind = verb === "v" || verb === "G" ? "g" : (verb.toLowerCase() as "e" | "f" | "g");
  const precision = how.precision ?? (kind === "g" ? -1 : 6);
  const negative = value < 0 || Object.is(value, -0);
  const text = formatFloat(Math.abs(value), kind, precision).replace("+Inf", "Inf");
  const digits = verb === "E" || verb === "G" ? text.toUpperCase() : text;
  return pad(digits, how, sign(negative, how), Number.isFinite(value));
}

const sign = (negative: boolean, how: Directive): string => (negative ? "-" : how.plus ? "+" : how.space ? " " : "");

/** @param zeroAllowed zeros may fill the width, between `lead` (sign and prefix) and the text */
function pad(text: string, how: Directive, lead = "", zeroAllowed = true): string {
  const missing = how.width === null ? 0 : how.width - [...lead, ...text].length;
  if (missing <= 0) return lead + text;
  if (how.minus) return lead + text + " ".repeat(missing);
  return how.zero && zeroAllowed ? lead + "0".repeat(missing) + text : " ".repeat(missing) + lead + text;
}

/**
 * strconv.FormatFloat with formats `e`, `f` and `g`.
 * @param precision digits behind the point (`e`, `f`) or in all (`g`); -1: the fewest that read back as the same number
 */
export function formatFloat(value: number, format: "e" | "f" | "g", precision: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const minus = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (format === "f") return minus + (precision < 0 ? plainDecimal(size) : fixedDecimal(size, precision));
  if (format === "e") return minus + goExponent(precision < 0 ? size.toExponential() : exactExponential(size, precision));
  if (size === 0) return `${minus}0`;
  const significant = precision === 0 ? 1 : precision;
  const scientific = significant < 0 ? size.toExponential() : exactExponential(size, significant - 1);
  const [digits = "", exponentText = "0"] = scientific.replace(/\.?0*e/, "e").split("e");
  const exponent = Number(exponentText);
  const digitCount = digits.replace(".", "").length;
  // An exponent from the power on that the digits asked for cannot show; the sixth when none are asked for.
  const limit = significant < 0 ? 6 : significant > digitCount && digitCount > exponent ? digitCount : significant;
  if (exponent < -4 || exponent >= limit) return minus + goExponent(`${digits}e${exponentText}`);
  return minus + plainDecimal(Number(`${digits}e${exponentText}`));
}

function plainDecimal(size: number): string {
  const text = String(size);
  const at = text.indexOf("e");
  if (at < 0) return text;
  const [whole = "", fraction = ""] = text.slice(0, at).split(".");
  const point = whole.length + Number(text.slice(at + 1));
  const digits = whole + fraction;
  return point <= 0 ? `0.${"0".repeat(-point)}${digits}` : digits.padEnd(point, "0");
}

/** Places that are computed; further ones are zeros, for no double has more than 1074. */
const PLACES_MAX = 1_100;

function fixedDecimal(size: number, places: number): string {
  const kept = Math.min(places, PLACES_MAX);
  const digits = scaled(size, kept)
    .toString()
    .padStart(kept + 1, "0");
  return places === 0 ? digits : `${digits.slice(0, digits.length - kept)}.${digits.slice(digits.length - kept).padEnd(places, "0")}`;
}

function exactExponential(size: number, places: number): string {
  const kept = Math.min(places, PLACES_MAX);
  let exponent = size === 0 ? 0 : Number(size.toExponential().split("e")[1]);
  let digits = scaled(size, kept - exponent)
    .toString()
    .padStart(kept + 1, "0");
  // 9.99 to two digits is 1.0e1.
  if (digits.length > kept + 1) digits = scaled(size, kept - ++exponent).toString();
  const fraction = digits.slice(1).padEnd(places, "0");
  return `${digits[0]}${places === 0 ? "" : `.${fraction}`}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}

/** `size * 10^power` to a whole number, ties to the even one, exactly (toFixed and toExponential round ties up). */
function scaled(size: number, power: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, size);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const two = Math.max(exponent, 1) - 1_075;
  const top = mantissa * (two > 0 ? 1n << BigInt(two) : 1n) * (power > 0 ? 10n ** BigInt(power) : 1n);
  const bottom = (two < 0 ? 1n << BigInt(-two) : 1n) * (power < 0 ? 10n ** BigInt(-power) : 1n);
  const whole = top / bottom;
  const rest = 2n * (top % bottom);
  return rest > bottom || (rest === bottom && whole % 2n === 1n) ? whole + 1n : whole;
}

/** `1e+6` to `1e+06`. */
function goExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** `%#v`. */
function goSyntax(value: TemplateValue): string {
  if (value === null) return "interface {}(nil)";
  if (typeof value === "string") return quoteGo(value);
  if (isList(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (isMap(value))
    return `map[string]interface {}{${[...value.entries()].map(([key, item]) => `${quoteGo(key)}:${goSyntax(item)}`).join(", ")}}`;
  return formatValue(value);
}
