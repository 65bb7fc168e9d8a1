// Templates that grow, loop, nest or are rubbish: each run ends in a text within its bound or in a TemplateError.
// SKALD_FUZZ_ROUNDS sets how many, SKALD_SEED which.

import { expect, test } from "vitest";
import { compileTemplate, logqlFunctions, TemplateError } from "../../../lib/text/go-template/index.ts";
import { type Random, seeded } from "../../lib/kernels/random.ts";

const SEED = Number(process.env.SKALD_SEED ?? 20_261_128);
const ROUNDS = Number(process.env.SKALD_FUZZ_ROUNDS ?? 1_000);
const OUTPUT_CHARS_MAX = 64 * 1024;
const STEPS_MAX = 20_000;
/** What a template may cost to compile and run: several times of what the dearest does, for slower machines. */
const CPU_MS_MAX = 3_000;
const functions = logqlFunctions({ line: () => "a line with 5 words", timestampNs: () => 1_700_000_000_000_000_000n, nowMs: () => 0 });
const names = [...functions.keys()];
const data = { a: "x", b: "5", json: '{"list":[1,2,{"a":null}]}', long: "x".repeat(5000), deep: `${"[".repeat(5000)}${"]".repeat(5000)}` };

/** The text, or the error's. @throws anything that is no TemplateError */
function run(text: string): string {
  try {
    const out = compileTemplate(text, functions, { missingKey: "zero", outputCharsMax: OUTPUT_CHARS_MAX, stepsMax: STEPS_MAX }).execute(
      data,
    );
    expect(out.length, `seed ${SEED}: ${text.slice(0, 300)}`).toBeLessThanOrEqual(OUTPUT_CHARS_MAX);
    return out;
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw new Error(`seed ${SEED}: ${JSON.stringify(text.slice(0, 500))}`, { cause: error });
  }
}

const ATOMS = [
  ".a",
  ".b",
  ".json",
  ".long",
  ".deep",
  ".",
  "$",
  "$.a",
  ".none",
  "nil",
  "true",
  "0",
  "-1",
  "5",
  "0.5",
  "1e300",
  "999999999",
  "9223372036854775807",
];
const TEXTS = [
  '""',
  '"x"',
  '"%d"',
  '"%999999999d"',
  '"%*d"',
  '"%v%v%v"',
  '"(a*)*b"',
  '"["',
  '"$1$1$1"',
  '"2006-01-02"',
  '"Europe/Berlin"',
  '"\\u0000"',
  "`raw`",
];

function expression(random: Random, depth: number): string {
  if (depth === 0 || random.chance(0.3)) return random.pick(random.chance(0.5) ? ATOMS : TEXTS);
  const args = Array.from({ length: random.below(4) }, () => expression(random, depth - 1));
  const called = `${random.pick([...names, "printf", "print", "len", "index", "slice", "and", "or", "not", "eq", "lt", "html", "js", "urlquery", "call"])} ${args.join(" ")}`;
  return random.chance(0.3) ? `(${expression(random, depth - 1)} | ${called})` : `(${called})`;
}

function block(random: Random, depth: number): string {
  const inner = (): string => (depth === 0 ? "x" : block(random, depth - 1));
  return random.pick([
    () => `{{ ${expression(random, 3)} }}`,
    () => `{{ if ${expression(random, 2)} }}${inner()}{{ else }}${inner()}{{ end }}`,
    () => `{{ range $i, $e := ${expression(random, 2)} }}${inner()}{{ end }}`,
    () => `{{ with ${expression(random, 2)} }}${inner()}{{ end }}`,
    () => `{{ $x := ${expression(random, 2)} }}${inner()}{{ $x = ${expression(random, 2)} }}{{ $x }}`,
    () => `{{ define "t" }}${inner()}{{ end }}{{ template "t" ${expression(random, 1)} }}`,
    () => inner() + inner(),
  ])();
}

test("random templates end", () => {
  const random = seeded(SEED);
  for (let round = 0; round < ROUNDS; round++) run(block(random, 3));
});

test("every function takes hostile arguments", () => {
  const random = seeded(SEED + 1);
  for (const name of names)
    for (let round = 0; round < 40; round++)
      run(`{{ ${name} ${Array.from({ length: random.below(5) }, () => random.pick([...ATOMS, ...TEXTS])).join(" ")} }}`);
});

test("mutated and random texts are refused in good order", () => {
  const random = seeded(SEED + 2);
  for (let round = 0; round < ROUNDS; round++) {
    const text = block(random, 2);
    const at = random.below(text.length);
    run(
      text.slice(0, at) + random.pick(["{{", "}}", "(", '"', "`", "|", "\\", "\u0000", "😀", "end", ""]) + text.slice(at + random.below(6)),
    );
    run(Buffer.from(random.bytes(random.below(60))).toString());
  }
});

/** Text doubles with each round. */
const doubling = (times: number): string => `{{ $x := "xx" }}${'{{ $x = printf "%s%s" $x $x }}'.repeat(times)}{{ $x }}`;
for (const [name, text] of [
  ["doubles", doubling(60)],
  ["calls itself", '{{ define "t" }}x{{ template "t" }}{{ end }}{{ template "t" }}'],
  ["calls itself twice", '{{ define "t" }}{{ template "t" }}{{ template "t" }}{{ end }}{{ template "t" }}'],
  ["repeats a repetition", '{{ repeat 1000 (repeat 1000 (repeat 1000 "x")) }}'],
  ["replaces each by all", `{{ .long | replace "x" .long | replace "x" .long }}`],
  ["replaces by a regex", `{{ regexReplaceAll "x" .long "\${0}\${0}\${0}" | regexReplaceAll "x" .long }}`],
  ["replaces nothing by much", `{{ replace "" .long .long }}`],
  ["pads", '{{ printf "%1000000d%1000000d%1000000d%1000000d%1000000d" 1 2 3 4 5 }}'],
  ["aligns", "{{ alignLeft 999999999 .a }}{{ alignRight 999999999 .a }}"],
  ["indents", '{{ indent 999999999 "x" }}{{ nindent 999999999 "x" }}'],
  ["counts a regex", '{{ count "(x+x+)+y" .long }}'],
  ["reads deep JSON", "{{ range (fromJson .deep) }}{{ . }}{{ end }}{{ fromJson .deep }}"],
  ["divides by nothing", "{{ div 1 0 }}{{ mod 1 0 }}{{ divf 1 0 }}"],
  ["nests parentheses", `{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`],
  ["nests ifs", `${"{{if true}}".repeat(50_000)}x${"{{end}}".repeat(50_000)}`],
  ["chains pipes", `{{ "x"${" | upper | lower".repeat(50_000)} }}`],
] as const) {
  test(`a template that ${name} ends`, () => {
    const before = process.cpuUsage();
    expect(run(text).length).toBeLessThan(OUTPUT_CHARS_MAX * 2);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(CPU_MS_MAX);
  });
}
