// Removes terminal escape sequences (ECMA-48): CSI with any parameters (colons too), OSC with its text (titles, hyperlinks), DCS, PM, APC and
// SOS strings, and two-character escapes.

const CSI = "(?:\\x1b\\[|\\u009b)[\\x30-\\x3f]*[\\x20-\\x2f]*[\\x40-\\x7e]";
const SHORT = "\\x1b[\\x20-\\x2f]*[\\x30-\\x5a\\x5c-\\x7e]";
const SEQUENCE = new RegExp(`${CSI}|${SHORT}`, "y");
const STRING_START = /\x1b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f]/y;
/** What a string's text does not contain: BEL and ST end it. */
const STRING_STOP = /[\x07\x1b\u009c\n]/g;
const MARK = /[\x1b\u0090\u0098\u009b\u009d-\u009f]/g;

/** The text without escape sequences; the same string when there are none. Linear in its length. */
export function decolorize(text: string): string {
  let out = "";
  let kept = 0;
  const strings = new StringEnds(text);
  for (let at = searchFrom(MARK, text, 0); at >= 0; ) {
    const end = strings.endOf(at) ?? matchEnd(SEQUENCE, text, at);
    if (end !== undefined) {
      out += text.slice(kept, at);
      kept = end;
    }
    at = searchFrom(MARK, text, end ?? at + 1);
  }
  return kept === 0 ? text : out + text.slice(kept);
}

/** Where strings end; one that never ends is left alone up to the end of its line, lest it swallow the text behind. */
class StringEnds {
  readonly #text: string;
  /** Strings that start before this do not end: the text up to here has been looked at once. */
  #barrenTo = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** End of the string that starts at `at`, if one does and ends. */
  endOf(at: number): number | undefined {
    const from = matchEnd(STRING_START, this.#text, at);
    if (from === undefined || from < this.#barrenTo) return undefined;
    const stop = searchFrom(STRING_STOP, this.#text, from);
    const end = stop < 0 ? undefined : this.#terminatorEnd(stop);
    if (end === undefined) this.#barrenTo = stop < 0 ? this.#text.length : stop;
    return end;
  }

  #terminatorEnd(stop: number): number | undefined {
    const char = this.#text[stop]!;
    if (char === "\x07" || char === "\u009c") return stop + 1;
    return char === "\x1b" && this.#text[stop + 1] === "\\" ? stop + 2 : undefined;
  }
}

function searchFrom(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? -1;
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
