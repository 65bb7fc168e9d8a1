// `${VAR}` in a configuration's text, as drone/envsubst replaces it for Promtail and Loki under -config.expand-env: before YAML is
// parsed, case-sensitive, an unset variable as empty.
//
//   ${V}                     the value                    ${#V}                    its length in bytes
//   ${V:-word} ${V:=word}    word where V is empty        ${V:from} ${V:from:count}  a part, in bytes
//   ${V:?word} ${V:+word}    the same (!)                 ${V/a/b} ${V//a/b}       the first, or each, a replaced by b
//   ${V^} ${V^^} ${V,} ${V,,} capitals and small letters  ${V/#a/b} ${V/%a/b}      a at the start, at the end
//   ${V#glob} ${V##glob}     without the shortest, longest match at the start; % and %% at the end
//
// `$$` stands for one `$` (so that `$${V}` comes out as `${V}`), `\\` for one backslash, `\/` for a slash. A `$` without a brace stays.

import { ConfigError } from "./config-file.ts";
import { once } from "./once.ts";

export interface ExpandEnvOptions {
  /** Named in errors. */
  readonly file?: string;
  /** Told of every `${V:?word}` whose variable is empty; its text becomes the value, as in Promtail. */
  readonly onMissing?: (variable: string, word: string, where: string) => void;
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError with file:line:column for a `${` that is not one of the forms above */
export function expandEnv(text: string, env: Env, options: ExpandEnvOptions = {}): string {
  const expander = new Expander(text, env, options);
  return expander.run();
}

const NAME = once(() => /[\p{L}\p{Nd}_]+/uy);

class Expander {
  readonly #text: string;
  readonly #env: Env;
  readonly #options: ExpandEnvOptions;
  #at = 0;

  constructor(text: string, env: Env, options: ExpandEnvOptions) {
    this.#text = text;
    this.#env = env;
    this.#options = options;
  }

  run(): string {
    let out = "";
    while (this.#at < this.#text.length) {
      const special = this.#text.slice(this.#at).search(/[$\\]/);
      if (special < 0) return out + this.#text.slice(this.#at);
      out += this.#text.slice(this.#at, this.#at + special);
      this.#at += special;
      out += this.#sees("${") ? this.#expression() : this.#escapeOrChar();
    }
    return out;
  }

  /** In running text, and in the arguments of `/`: `$$`, `\\` and `\/` lose their first character. */
  #escapeOrChar(): string {
    const escaped = this.#sees("$$") || this.#sees("\\\\") || this.#sees("\\/");
    const char = this.#text[this.#at + (escaped ? 1 : 0)]!;
    this.#at += escaped ? 2 : 1;
    return char;
  }

  /** At `${`; leaves the place behind the closing brace. */
  #expression(): string {
    const opened = this.#at;
    this.#at += 2;
    if (this.#sees("#")) {
      this.#at++;
      const value = this.#value(this.#name(opened));
      this.#close(opened);
      return String(Buffer.byteLength(value));
    }
    const name = this.#name(opened);
    const value = this.#value(name);
    const next = this.#text[this.#at];
    if (next === ":" && !/[-=?+]/.test(this.#text[this.#at + 1] ?? "")) return this.#part(value, opened);
    if (next === ":" || next === "=") return this.#default(name, value, opened);
    if (next === "^" || next === ",") return this.#letterCase(value, next, opened);
    if (next === "/") return this.#replace(value, opened);
    if (next === "#" || next === "%") return this.#trim(value, next, opened);
    this.#close(opened);
    return value;
  }

  #default(name: string, value: string, opened: number): string {
    const demanded = this.#sees(":?");
    this.#at += this.#sees("=") ? 1 : 2;
    const word = this.#words("}", opened);
    this.#close(opened);
    if (demanded && value === "") this.#options.onMissing?.(name, word, this.#where(opened));
    return value === "" ? word : value;
  }

  #part(value: string, opened: number): string {
    this.#at++;
    const from = this.#words(":}", opened);
    let count: string | undefined;
    if (this.#sees(":")) {
      this.#at++;
      count = this.#words("}", opened);
    }
    this.#close(opened);
    const bytes = Buffer.from(value);
    const start = wholeNumber(from);
    const length = count === undefined ? bytes.length : wholeNumber(count);
    if (start === undefined || length === undefined) return value;
    const begin = start < 0 ? Math.max(0, bytes.length + start) : start;
    return bytes.subarray(begin, Math.max(begin, begin + length)).toString();
  }

  #letterCase(value: string, sign: string, opened: number): string {
    const all = this.#sees(sign + sign);
    this.#at += all ? 2 : 1;
    this.#close(opened);
    const change = (text: string): string => (sign === "^" ? text.toUpperCase() : text.toLowerCase());
    if (all) return change(value);
    const [first = ""] = value;
    return change(first) + value.slice(first.length);
  }

  #replace(value: string, opened: number): string {
    this.#at++;
    const kind = /[/#%]/.test(this.#text[this.#at] ?? "") ? this.#text[this.#at++]! : "";
    const wanted = this.#words("/", opened, true);
    if (!this.#sees("/")) throw this.#bad(opened, "a replacement needs a second slash");
    this.#at++;
    const replacement = this.#words("}", opened, true);
    this.#close(opened);
    if (kind === "/") return value.replaceAll(wanted, () => replacement);
    if (kind === "#") return value.startsWith(wanted) ? replacement + value.slice(wanted.length) : value;
    if (kind === "%") return value.endsWith(wanted) ? value.slice(0, value.length - wanted.length) + replacement : value;
    return value.replace(wanted, () => replacement);
  }

  #trim(value: string, sign: string, opened: number): string {
    const longest = this.#sees(sign + sign);
    this.#at += longest ? 2 : 1;
    const matches = globMatcher(this.#words("}", opened));
    this.#close(opened);
    for (let k = 1; k <= value.length; k++) {
      const taken = longest ? value.length + 1 - k : k;
      const piece = sign === "#" ? value.slice(0, taken) : value.slice(value.length - taken);
      if (matches(piece)) return sign === "#" ? value.slice(taken) : value.slice(0, value.length - taken);
    }
    return value;
  }

  /** Text up to one of the ending characters, with expressions in it expanded. */
  #words(endings: string, opened: number, escapes = false): string {
    let out = "";
    while (this.#at < this.#text.length && !endings.includes(this.#text[this.#at]!)) {
      out += this.#sees("${") ? this.#expression() : escapes ? this.#escapeOrChar() : this.#text[this.#at++]!;
    }
    if (this.#at >= this.#text.length) throw this.#bad(opened, "the closing brace is missing");
    return out;
  }

  #name(opened: number): string {
    const pattern = NAME();
    pattern.lastIndex = this.#at;
    const name = pattern.exec(this.#text)?.[0];
    if (name === undefined) throw this.#bad(opened, "a variable's name has letters, digits and underscores");
    this.#at += name.length;
    return name;
  }

  #close(opened: number): void {
    if (!this.#sees("}")) throw this.#bad(opened, "the closing brace is missing, or the form is not known");
    this.#at++;
  }

  #value(name: string): string {
    return this.#env[name] ?? "";
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #bad(opened: number, reason: string): ConfigError {
    const shown = this.#text.slice(opened, opened + 24).split("\n")[0]!;
    return new ConfigError([`${this.#where(opened)}: cannot expand ${shown}: ${reason}; write $$ for a dollar sign that is meant as such`]);
  }

  #where(opened: number): string {
    const before = this.#text.slice(0, opened);
    const line = before.split("\n").length;
    return `${this.#options.file ?? "config"}:${line}:${opened - before.lastIndexOf("\n")}`;
  }
}

function wholeNumber(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

/** `*` any text (slashes too), `?` one character, `[a-z]` and `[^a-z]` a class, `\` the next character as it is. */
function globMatcher(glob: string): (text: string) => boolean {
  let pattern = "";
  for (const token of glob.match(/\\.|\[\^?[^\]]+\]|./gsu) ?? []) {
    if (token === "*") pattern += "[^]*";
    else if (token === "?") pattern += "[^]";
    else if (token.length > 2 && token.startsWith("[")) pattern += token.replace(/\\/g, "\\\\");
    else pattern += (token.length > 1 && token.startsWith("\\") ? token.slice(1) : token).replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  const regexp = new RegExp(`^${pattern}$`, "u");
  return (text) => regexp.test(text);
}
