// The inside of a JSON string, undone. Shared by logfmt's quoted values and by LogQL's JSON paths, which both read such strings out of
// texts that are not JSON as a whole.

import { wellFormed } from "./go-utf8.ts";

const SHORT: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", "'": "'", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/**
 * @param raw the content, without its quotes
 * @returns null when an escape is none of JSON's, or a control character stands in it
 */
export function unescapeJsonString(raw: string, controlsAllowed = false): string | null {
  if (!controlsAllowed && /[\x00-\x1f]/.test(raw)) return null;
  let out = "";
  let copied = 0;
  for (let at = raw.indexOf("\\"); at >= 0; at = raw.indexOf("\\", copied)) {
    out += raw.slice(copied, at);
    const letter = raw[at + 1];
    if (letter === "u") {
      const digits = raw.slice(at + 2, at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) return null;
      out += String.fromCharCode(Number.parseInt(digits, 16));
      copied = at + 6;
    } else {
      const char = letter === undefined ? undefined : SHORT[letter];
      if (char === undefined) return null;
      out += char;
      copied = at + 2;
    }
  }
  // Half a surrogate pair is no character.
  return wellFormed(out + raw.slice(copied));
}
