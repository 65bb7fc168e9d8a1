// String literals as Go's scanner and strconv.Unquote read them: "…" with escapes, `…` raw, '…' for a single character.

/** A literal's end in the text, its content, and what is wrong with it in the words of Go's scanner. */
export interface Unquoted {
  readonly end: number;
  readonly value: string;
  readonly error: string | null;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};
const NUMERIC_ESCAPE = /[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}/y;
const PLAIN_RUN = /[^"'\\\n]+/y;

/** Reads the literal whose opening quote stands at `from`. */
export function unquoteGo(text: string, from: number): Unquoted {
  const quote = text[from]!;
  if (quote === "`") {
    const end = text.indexOf("`", from + 1);
    if (end < 0) return failed("literal not terminated");
    return { end: end + 1, value: text.slice(from + 1, end), error: null };
  }
  const value = new GoText();
  for (let at = from + 1; ; ) {
    const c = text[at];
    if (c === quote) return { end: at + 1, value: value.toString(), error: null };
    if (c === undefined || c === "\n") return failed("literal not terminated");
    if (c !== "\\") {
      PLAIN_RUN.lastIndex = at;
      const run = PLAIN_RUN.exec(text)?.[0] ?? c;
      value.append(run);
      at += run.length;
      continue;
    }
    const letter = text[at + 1] ?? "";
    const simple = letter === quote ? quote : Object.hasOwn(SIMPLE_ESCAPES, letter) ? SIMPLE_ESCAPES[letter] : undefined;
    if (simple !== undefined) {
      value.append(simple);
      at += 2;
      continue;
    }
    NUMERIC_ESCAPE.lastIndex = at + 1;
    const code = NUMERIC_ESCAPE.exec(text)?.[0];
    if (code === undefined) return failed("invalid char escape");
    if (!value.appendCode(code)) return failed("invalid syntax");
    at += 1 + code.length;
  }
}

const failed = (error: string): Unquoted => ({ end: 0, value: "", error });

/** A string under construction that may be given single bytes: `\xc3\xbc` is one character. */
class GoText {
  #text = "";
  #bytes: number[] = [];

  append(text: string): void {
    this.#flush();
    this.#text += text;
  }

  /** `377`, `xff`, `u00ff`, `U0001f600`; false when there is no such byte or character. */
  appendCode(code: string): boolean {
    const kind = code[0]!;
    const value = kind === "x" || kind === "u" || kind === "U" ? Number.parseInt(code.slice(1), 16) : Number.parseInt(code, 8);
    if (kind !== "u" && kind !== "U") {
      if (value > 0xff) return false;
      this.#bytes.push(value);
      return true;
    }
    if (value > 0x10ffff) return false;
    this.append(value >= 0xd800 && value <= 0xdfff ? "\ufffd" : String.fromCodePoint(value));
    return true;
  }

  #flush(): void {
    if (this.#bytes.length === 0) return;
    this.#text += Buffer.from(this.#bytes).toString("utf8");
    this.#bytes = [];
  }

  toString(): string {
    this.#flush();
    return this.#text;
  }
}
