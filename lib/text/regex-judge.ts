// Whether RE2 takes a pattern: re2js decides, and gives the error text.

import { re2 } from "./re2.ts";

/** A pattern RE2 refuses, in Go's words: ``error parsing regexp: missing closing ]: `[a` ``. */
export class RegexError extends Error {
  override readonly name = "RegexError";
  readonly pattern: string;
  constructor(message: string, pattern: string) {
    super(message);
    this.pattern = pattern;
  }
}

/** Has re2js accept the pattern; returns it with repeated group names made different, which Go allows and re2js does not. */
export function judge(pattern: string, flags: number): string {
  let accepted = pattern;
  for (let round = 0; ; round++) {
    try {
      re2().compile(accepted, flags);
      return accepted;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const repeated = message.startsWith("error parsing regexp: duplicate capture group name: ");
      if (!repeated || round > RENAMINGS_MAX) throw new RegexError(message.endsWith("`") ? message : `${message}: \`\``, pattern);
      accepted = renameRepeated(pattern, round);
    }
  }
}

/** A new name may be another group's: then all are renamed once more. */
const RENAMINGS_MAX = 8;
const GROUP_NAME = /\\Q[\s\S]*?(?:\\E|$)|\\[\s\S]|\[\^?\]?(?:\[:[^\]]*:\]|\\[\s\S]|[^\]\\])*(?:\]|$)|\(\?P?<(\w+)>/g;

/** Gives groups whose name stands before already names of their own. What looks like a group in a class or a quotation is none. */
function renameRepeated(pattern: string, round: number): string {
  const seen = new Set<string>();
  return pattern.replace(GROUP_NAME, (token: string, name: string | undefined) => {
    if (name === undefined || !seen.has(name)) {
      if (name !== undefined) seen.add(name);
      return token;
    }
    const fresh = `${name}_${round}_${seen.size}_`;
    seen.add(fresh);
    return token.replace(name, fresh);
  });
}
