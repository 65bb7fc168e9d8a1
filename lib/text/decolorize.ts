// Removes terminal escape sequences (ECMA-48): CSI with any parameters (colons too), OSC with its text (titles, hyperlinks), DCS, PM, APC and
// SOS strings, and two-character escapes.

const CSI = "(?:\\x1b\\[|\\u009b)[\\x30-\\x3f]*[\\x20-\\x2f]*[\\x40-\\x7e]";
/**
 * Ends with BEL or ST; one that never ends is left alone up to the end of its line, lest it swallow the text behind. Its text has no start
 * of another: so the search is linear, however many of them begin.
 */
const STRING =
  "(?:\\x1b[\\]PX^_]|[\\u009d\\u0090\\u0098\\u009e\\u009f])[^\\x07\\x1b\\u0090\\u0098\\u009c-\\u009f\\n]*(?:\\x07|\\x1b\\\\|\\u009c)";
/** A CSI that the line was cut within has nothing behind it that could be text. */
const CUT_CSI = "(?:\\x1b\\[|\\u009b)[\\x30-\\x3f]*\\d$";
const SHORT = "\\x1b[\\x20-\\x2f]*[\\x30-\\x5a\\x5c-\\x7e]";
const SEQUENCE = new RegExp(`${CSI}|${CUT_CSI}|${STRING}|${SHORT}`, "g");
const MARK = /[\x1b\u0090\u0098\u009b\u009d-\u009f]/;

/** The text without escape sequences; the same string when there are none. */
export function decolorize(text: string): string {
  return MARK.test(text) ? text.replace(SEQUENCE, "") : text;
}
