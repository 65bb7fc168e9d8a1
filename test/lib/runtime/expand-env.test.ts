// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such text is what is tested
import { describe, expect, test } from "vitest";
import { expandEnv } from "../../../lib/runtime/expand-env.ts";

const ENV = {
  WORD: "MiX",
  PATH_: "path/to/file",
  FILE: "bash.string.txt",
  EMPTY: "",
  STRING: "abcABC123ABCabc",
  UML: "über",
  SLASH: "a/b/c",
};

const expands = (name: string, text: string, wanted: string): void => test(name, () => expect(expandEnv(text, ENV)).toBe(wanted));
const refuses = (name: string, text: string, words: RegExp): void => test(name, () => expect(() => expandEnv(text, ENV)).toThrow(words));

describe("expands", () => {
  expands("a variable", "a: ${WORD}!", "a: MiX!");
  expands("an unset variable", "a: ${NOPE}", "a: ");
  expands("not without braces", "$WORD $1 $", "$WORD $1 $");
  expands("a number in braces is a variable", "${1}", "");
  expands("the default of an unset one", "${NOPE:-d e}", "d e");
  expands("the default of an empty one", "${EMPTY:-d}", "d");
  expands("not the default of a set one", "${WORD:-d}", "MiX");
  expands("an empty default", "${NOPE:-}", "");
  expands("other defaults", "${NOPE:=a}${NOPE=b}${NOPE:?c d}${NOPE:+e}", "abc de");
  expands("a default in a default", "${NOPE:-a${EMPTY:-${WORD}}b}", "aMiXb");
  expands("capitals", "${WORD^^}-${WORD,,}-${WORD,}-${PATH_^}", "MIX-mix-miX-Path/to/file");
  expands("a length in bytes", "${#UML}", "5");
  expands("a part", "${STRING:3}|${STRING:3:3}|${STRING:-3}", "ABC123ABCabc|ABC|abcABC123ABCabc");
  expands("a part beyond the end", "${WORD:9}|${WORD:1:99}", "|iX");
  expands("the shortest match at the start", "${FILE#*.}", "string.txt");
  expands("the longest match at the start", "${PATH_##*/}", "file");
  expands("the shortest match at the end", "${FILE%.*}", "bash.string");
  expands("the longest match at the end", "${FILE%%.*}", "bash");
  expands("the first replaced", "${STRING/abc/xyz}", "xyzABC123ABCabc");
  expands("each replaced", "${STRING//abc/xyz}", "xyzABC123ABCxyz");
  expands("start and end replaced", "${STRING/#abc/X}-${STRING/%abc/Y}", "XABC123ABCabc-abcABC123ABCY");
  expands("an escaped slash", "${SLASH//\\//-}", "a-b-c");
  expands("replaced by nothing", "${STRING/123/}", "abcABCABCabc");
  expands("two dollar signs", "$${WORD} $$1", "${WORD} $1");
  expands("an escaped form around another", "$${a=${WORD}}", "${a=MiX}");
  expands("two backslashes", "a\\\\d \\d \\/", "a\\d \\d /");
  expands("values are not expanded again", "${NOPE:-$WORD}", "$WORD");
});

describe("refuses", () => {
  refuses("a dash without colon", "x\n  ${X-y}", /config:2:3: cannot expand \$\{X-y\}/);
  refuses("a dot in the name", "${a.b}", /cannot expand/);
  refuses("no name", "${}", /name/);
  refuses("no end", "${WORD", /closing brace/);
  refuses("no end of a default", "${WORD:-a", /closing brace/);
});

test("tells of a demanded variable that is not there", () => {
  const told: string[] = [];
  expandEnv("a\nb: ${NOPE:?must be set}", ENV, { file: "f.yaml", onMissing: (...parts) => told.push(parts.join(" ")) });
  expect(told).toEqual(["NOPE must be set f.yaml:2:4"]);
});
