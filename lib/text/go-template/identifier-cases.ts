// snake_case, kebab-case and PascalCase as sprig makes them. The rules are those of the Go package xstrings 1.5, of which the odd ones
// are about digits: `Bld4Floor3rd` is `bld4_floor_3rd`.

import { once } from "../../runtime/once.ts";
import { lower, upperChar } from "./text-functions.ts";

type WordKind = "connector" | "punctuation" | "capital" | "letters" | "number" | "other";

interface Word {
  readonly kind: WordKind;
  readonly text: string;
}

// Letters of Han scripts are none of a word here, as in xstrings.
const LETTER = "(?:(?![\\p{Lu}\\u3400-\\u4d85\\u4e00-\\u9fcc\\u{20000}-\\u{2b81d}])\\p{L})";
const NO_WORD = "[^\\-_\\s\\p{P}\\p{N}]";

/** One alternative per kind, in the order of KINDS. Of `HTTPServer` the first word is `HTTP`: its last capital begins the next. */
const WORDS = once(
  () =>
    new RegExp(
      [
        "([-_\\s]+)",
        "(\\p{P}+)",
        `(\\p{Lu}+(?=\\p{Lu}${LETTER})|\\p{Lu}{2,}|\\p{Lu}${LETTER}*)`,
        `(${LETTER}+)`,
        "(\\p{N}+)",
        `((?!${LETTER})${NO_WORD}(?:(?!${LETTER}|\\p{Lu})${NO_WORD})*)`,
      ].join("|"),
      "gu",
    ),
);
const KINDS: readonly WordKind[] = ["connector", "punctuation", "capital", "letters", "number", "other"];

function wordsOf(text: string): Word[] {
  return [...text.matchAll(WORDS())].map((match) => ({
    kind: KINDS[match.slice(1).findIndex((group) => group !== undefined)]!,
    text: match[0],
  }));
}

/** Words in lower case with a connector between them; connectors of the text, also leading ones and each of several, become this one. */
export function joinLowerWords(text: string, connector: "_" | "-"): string {
  const words = wordsOf(text);
  let out = "";
  let at = 0;
  const write = (word: Word): void => {
    if (word.kind === "connector") out += word.text.replace(/./gsu, connector);
    else out += word.kind === "capital" ? lower(word.text) : word.text;
  };
  const writeWhile = (...kinds: WordKind[]): void => {
    for (; at < words.length && kinds.includes(words[at]!.kind); at++) write(words[at]!);
  };
  const separate = (): void => {
    const next = words[at];
    if (next !== undefined && next.kind !== "connector" && next.kind !== "punctuation") out += connector;
  };
  while (at < words.length) {
    const word = words[at++]!;
    write(word);
    if (word.kind === "connector" || word.kind === "punctuation") continue;
    const digits = words[at];
    if (word.kind !== "number" && digits?.kind === "number") {
      // Digits at the end belong to the word before them; so do digits that no small letters follow.
      if (words[at + 1]?.kind !== "letters") {
        write(digits);
        at++;
        separate();
        continue;
      }
      out += connector;
    }
    if (word.kind === "number" || digits?.kind === "number") writeWhile("letters", "number");
    separate();
  }
  return out;
}

/** `some_words-here` to `SomeWordsHere`. Connectors at either end stay, and of a run of them all but the last. */
export function pascalCase(text: string): string {
  const lead = /^[-_\s]*/.exec(text)![0];
  return (
    lead +
    text.slice(lead.length).replace(/([-_\s]*)([^-_\s]+)/g, (_, run: string, word: string) => run.slice(0, -1) + capitalizedWord(word))
  );
}

/** A capital at the start, and the capitals right behind it in lower case: GOLANG is Golang, goLANG is GoLANG. */
function capitalizedWord(word: string): string {
  const capitals = /^\p{Lu}+/u.exec(word)?.[0] ?? "";
  if (capitals === "") return word.replace(/^./su, upperChar);
  const [first = "", ...more] = capitals;
  return first + lower(more.join("")) + word.slice(capitals.length);
}
