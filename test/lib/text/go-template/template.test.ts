import { describe, expect, test } from "vitest";
import { compileTemplate, logqlFunctions, promtailFunctions, type TemplateOptions } from "../../../../lib/text/go-template/index.ts";

const DATA = { a: "Some Text", empty: "", n: "200", u: "Größe" };
const run = (text: string, options: TemplateOptions = {}) =>
  compileTemplate(text, promtailFunctions({ env: { HOME: "/root" } }), { name: "t", ...options }).execute(DATA);

describe("actions", () => {
  for (const [text, want] of [
    ["plain", "plain"],
    ["{{.a}}|{{ .nope }}|{{.nope.deeper}}", "Some Text|<no value>|<no value>"],
    ["{{/* c */}}x {{- /* c */ -}} y", "xy"],
    ["a {{- `b` -}} \n c", "abc"],
    ["{{ 3 -}} x {{- -3 }}", "3x-3"],
    ["{{ if .empty }}1{{ else if eq .n `200` }}2{{ else }}3{{ end }}", "2"],
    ["{{ with .a }}{{ . }}{{ $.n }}{{ end }}{{ with .empty }}x{{ else }}e{{ end }}", "Some Text200e"],
    ["{{ with .empty }}x{{ else with .n }}{{ . }}{{ end }}", "200"],
    ["{{ range $i, $x := list 5 6 7 }}{{ if eq $x 6 }}{{ continue }}{{ end }}{{ $i }}={{ $x }} {{ end }}", "0=5 2=7 "],
    ["{{ range list 1 2 3 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ else }}none{{ end }}", "1"],
    ["{{ range $k, $v := dict `b` 1 `a` 2 }}{{ $k }}{{ $v }}{{ end }}", "a2b1"],
    ["{{ range 3 }}{{ . }}{{ end }}", "012"],
    ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ end }}{{ $x }}", "2"],
    ["{{ define `t` }}[{{ . }}]{{ end }}{{ template `t` .a }}{{ template `t` }}", "[Some Text][<no value>]"],
    ["{{ block `b` .n }}<{{ . }}>{{ end }}", "<200>"],
    ["{{ (index (list `x` `y`) 1) | printf `%s-%s` `a` }}", "a-y"],
    ["{{ and 1 0 (fail `x`) }}{{ or 0 2 (fail `x`) }}", "02"],
    ["{{ len .u }} {{ index .u 2 }} {{ .u | printf `%5.2s|` }}", "7 195    Gr|"],
    ["{{ 'a' }} {{ 0x1F }} {{ 1_000 }} {{ 1e3 }} {{ 017 }}", "97 31 1000 1000 15"],
    ["{{ . | len }}", "4"],
    ["{{ .a\n | ToUpper\n }}", "SOME TEXT"],
    ["{{ print nil }}{{ list nil 1 }}", "<nil>[<nil> 1]"],
    ["{{ .a | }}{{ (.n | ) }}", "Some Text200"],
    ["{{ html .nope 1 nil }}", "&lt;no value&gt;1&lt;no value&gt;"],
  ] as const)
    test(text, () => expect(run(text)).toBe(want));
});

describe("numbers print as Go's", () => {
  for (const [text, want] of [
    ["{{ mulf 1e6 3 }} {{ mulf 1e5 9 }} {{ divf 1 3 }} {{ floor 0.5 }}", "3e+06 900000 0.3333333333333333 0"],
    ["{{ mulf 0.00001 1 }} {{ addf 0.1 0.2 }} {{ 1.5 }} {{ float64 `-0.0001` }}", "1e-05 0.3 1.5 -0.0001"],
    [
      "{{ printf `%d|%5d|%-5d|%05d|%+d|%x|%X|%b|%o|%c|%U` 42 42 42 42 42 255 255 5 8 65 65 }}",
      "42|   42|42   |00042|+42|ff|FF|101|10|A|U+0041",
    ],
    [
      "{{ printf `%f|%.2f|%8.3f|%-8.1f|%e|%g|%.3g|%06.1f|%.0f|%.1e|%.25f` 1.5 1.005 3.14159 2.25 123456.789 1e21 1234.5 2.5 3.5 9.99 0.1 }}",
      "1.500000|1.00|   3.142|2.2     |1.234568e+05|1e+21|1.23e+03|0002.5|4|1.0e+01|0.1000000000000000055511151",
    ],
    ["{{ printf `%v %t %q %T %5t|%%` true false `x\\n` 1 true }}", 'true false "x\\\\n" int  true|%'],
    ["{{ printf `%d %s %z` `hi` 5 6 }}", "%!d(string=hi) %!s(int=5) %!z(int=6)"],
    ["{{ printf `%d %d` 1 }}{{ printf `%d` 1 2 }}{{ printf `%` }}", "1 %!d(MISSING)1%!(EXTRA int=2)%!(NOVERB)"],
    [
      "{{ printf `%5s|%05d|%5.1f|%+d|%05s|%05t|%+v|%#v` 7 `x` `abc` 1.5 `x` true 5 nil }}",
      "%!s(int=    7)|%!d(string=0000x)|%!f(string=    a)|%!d(float64=+1.5)|0000x|0true|5|<nil>",
    ],
    ["{{ printf `%*d|%v|%s` 4 7 (list 1 `a`) (list `a` `b`) }}", "   7|[1 a]|[a b]"],
    ["{{ add 9223372036854775807 1 }} {{ mul 3 -4 }} {{ div -7 2 }} {{ mod -7 2 }}", "-9223372036854775808 -12 -3 -1"],
    ["{{ round 2.5 0 }} {{ round 123.555555 3 }} {{ round -1.5 0 }}", "3 123.556 -2"],
  ] as const)
    test(text, () => expect(run(text)).toBe(want));
});

describe("promtail's functions", () => {
  for (const [text, want] of [
    ["{{ ToUpper `straße` }} {{ ToLower `İ` }}", "STRAßE i"],
    ["{{ Hash `salt` `x` }}", "da3408f09c343ea37593ac4c5cfc702d76be39bec3b9a480b6a247a1c95b41b4"],
    ["{{ Sha2Hash `salt` `x` }}", "c9ef43a03d58f2cb9b0c4b069c179595739f5181a5565c8db5dbb124564ea819"],
    ["{{ regexReplaceAll `(\\w)(\\d)` `a1 b2` `$" + "{2}$1` }}", "1a 2b"],
    ["{{ regexReplaceAllLiteral `\\d` `a1` `$0` }}", "a$0"],
    ["{{ regexFindAll `\\d` `1 2 3` 2 }} {{ regexMatch `^a` `ab` }} {{ regexSplit `,` `a,b,c` 2 }}", "[1 2] true [a b,c]"],
    ["{{ trunc 3 `abcdef` }} {{ trunc -2 `abcdef` }} {{ substr 1 3 `abcdef` }} {{ substr 2 -1 `abc` }}", "abc ef bc c"],
    ["{{ env `HOME` }} {{ expandenv `$HOME/x` }}{{ env `nope` }}", "/root /root/x"],
    ["{{ dict `a` (list 1 nil) | toJson }} {{ dict `x` 1 | toPrettyJson }}", '{"a":[1,null]} {\n  "x": 1\n}'],
    ["{{ ternary `y` `n` true }} {{ coalesce `` nil `z` }} {{ empty 0 }}", "y z true"],
    ["{{ join `-` (list 1 `b` nil) }} {{ splitList `,` `a,b` }} {{ (split `,` `a,b`)._1 }}", "1-b [a b] b"],
    ["{{ untilStep 0 10 4 }} {{ until 3 }} {{ seq 1 3 }}", "[0 4 8] [0 1 2] 1 2 3"],
    ["{{ date `2006-01-02` 0 | len }} {{ dateInZone `15:04 MST` 0 `Europe/Berlin` }}", "10 01:00 CET"],
    ["{{ $d := dict `a` 1 }}{{ $_ := set $d `b` 2 }}{{ $_ := unset $d `a` }}{{ $d }}", "map[b:2]"],
    ["{{ merge (dict `a` 1) (dict `a` 2 `b` 3) }} {{ omit (dict `a` 1 `b` 2) `a` }}", "map[a:1 b:3] map[b:2]"],
    ["{{ abbrev 6 `abcdefghij` }} {{ wrap 5 `aa bb cc dd` }}", "abc... aa bb\ncc dd"],
    ["{{ b64dec `!!` }} {{ b64dec `aGk=` }} {{ b32dec `NBUQ====` }}", "illegal base64 data at input byte 0 hi hi"],
    ["{{ kindOf 1 }} {{ kindOf (list) }} {{ typeOf `x` }} {{ deepEqual (list 1) (list 1) }}", "int slice string true"],
    ["{{ title `ab-cd ef_gh it's` }} {{ plural `one` `many` 1 }} {{ repeat 3 `ab` }}", "Ab-Cd Ef_gh It'S one ababab"],
    ["{{ `x` | default `d` }} {{ .empty | default `d` }} {{ 0 | default 5 }}", "x d 5"],
    [
      "{{ snakecase `http2xx HTTP20xOK` }} {{ snakecase `Bld4Floor3rd` }} {{ kebabcase ` __GoPath.x` }}",
      "http_2xx_http_20x_ok bld4_floor_3rd ---go-path.x",
    ],
    ["{{ camelcase `_a__bC GOLANG-x2y a.b_` }} {{ camelcase `goLANG` }}", "_A_BCGolangX2yA.b_ GoLANG"],
    ["{{ wrap 5 `é é é é` }} {{ abbrev 7 `ééééé` }}", "é é\né é éé..."],
    ["{{ regexMatch `(` `x` }} {{ date_modify `soon` (toDate `2006` `2020`) }}", "false 2020-01-01 00:00:00 +0000 UTC"],
    [
      "{{ ((toDate `2006-01-02` `2020-01-31`).AddDate 0 1 0).Format `Jan 2` }} {{ ((toDate `2006` `2020`).Add 1500000000).Unix }}",
      "Mar 2 1577836801",
    ],
    [
      "{{ osBase `/a/b.c` }} {{ osExt `b.c` }} {{ osIsAbs `a` }} {{ randInt 4 5 }} {{ shuffle `aa` }} {{ len (randBytes 3) }}",
      "b.c .c false 4 aa 4",
    ],
    [
      "{{ $v := semver `v1.2-rc.1` }}{{ $v }} {{ $v.Minor }} {{ $v.Prerelease }} {{ semverCompare `^1.2` `1.9.0` }}",
      "1.2.0-rc.1 2 rc.1 true",
    ],
    ["{{ (urlParse `http://h/a%20b%ffé#%c3%a9`).path }} {{ (urlParse `http://h/#%c3%a9`).fragment }}", "/a b\ufffdé é"],
    ["{{ int `1_000` }} {{ float64 `0x1p4` }} {{ float64 `1e999` }} {{ float64 `1_0.5` }}", "1000 16 0 10.5"],
    ["{{ printf `%[2]s %[1]s|%s|%05s|%[3]d|%[2]*[1]s` `a` `b` }}", "b a|b|%!s(MISSING)|%!d(BADINDEX)|a"],
  ] as const)
    test(text, () => expect(run(text)).toBe(want));
  test("env is known only where it is given", () =>
    expect(() => compileTemplate("{{ env `A` }}", promtailFunctions())).toThrow('function "env" not defined'));
});

describe("refused, in Go's words", () => {
  for (const [text, message] of [
    ["{{", "template: t:1: unclosed action"],
    ["a\n{{ .x", "template: t:2: unclosed action"],
    ["{{end}}", "template: t:1: unexpected {{end}}"],
    ["{{else}}", "template: t:1: unexpected {{else}}"],
    ["{{if .a}}", "template: t:1: unexpected EOF"],
    ["{{if}}{{end}}", "template: t:1: missing value for if"],
    ["{{}}", "template: t:1: missing value for command"],
    ["{{nosuch .a}}", 'template: t:1: function "nosuch" not defined'],
    ["{{ $x }}", 'template: t:1: undefined variable "$x"'],
    ["{{ .a | 5 }}", "template: t:1: non executable command in pipeline stage 2"],
    ["{{ ..a }}", 'template: t:1: unexpected . after term "."'],
    ["{{ 3.a }}", "template: t:1: bad number syntax"],
    ["{{ `x`.a.b }}", 'template: t:1: unexpected . after term "`x`"'],
    ["{{ (.a }}", "template: t:1: unclosed left paren"],
    ["{{ .a) }}", "template: t:1: unexpected right paren"],
    ["{{ `x }}", "template: t:1: unterminated raw quoted string"],
    ['{{ "x }}', "template: t:1: unterminated quoted string"],
    ["{{ break }}", "template: t:1: {{break}} outside {{range}}"],
    ["{{/* x }}", "template: t:1: unclosed comment"],
    ["{{ 3a }}", 'template: t:1: bad number syntax: "3a"'],
    ["{{ .a! }}", "template: t:1: bad character U+0021 '!'"],
    ["{{define `x`}}a{{end}}{{define `x`}}b{{end}}", 'template: t:1: multiple definition of template "x"'],
    [`${"{{if 1}}".repeat(1000)}`, "template: t:1: exceeded maximum nesting depth"],
    [`{{${"(".repeat(1000)}1${")".repeat(1000)}}}`, "template: t:1: exceeded maximum nesting depth"],
  ] as const)
    test(text.slice(0, 60), () => expect(() => run(text)).toThrow(message));
});

describe("fails while it runs", () => {
  for (const [text, message] of [
    ["{{ div 1 0 }}", 'template: t:1:3: executing "t" at <div 1 0>: error calling div: runtime error: integer divide by zero'],
    ["{{ .a.b }}", "can't evaluate field b in type string"],
    ["{{ ToUpper .nope }}", "invalid value; expected string"],
    ["{{ ToUpper 5 }}", "wrong type for value; expected string; got int"],
    ["{{ ToUpper }}", "wrong number of args for ToUpper: want 1 got 0"],
    ["{{ eq 1 `1` }}", "incompatible types for comparison"],
    ["{{ lt 1 1.5 }}", "incompatible types for comparison"],
    ["{{ eq 1 }}", "missing argument for comparison"],
    ["{{ nil }}", "nil is not a command"],
    ["{{ .a `x` }}", "a is not a method but has arguments"],
    ["{{ template `x` }}", 'template "x" not defined'],
    ["{{ index (list 1) 5 }}", "index out of range: 5"],
    ["{{ slice `abc` 2 1 }}", "Cannot"],
    ["{{ $x := $x }}", "undefined variable: $x"],
    ["{{ index nil }}", "index of untyped nil"],
    ["{{ range $i, $e := 0 }}x{{ end }}", "can't use 0"],
    ["{{ range $i, $e := 3 }}x{{ end }}", "can't use 3 to iterate over more than one variable"],
    ["{{ range .a }}x{{ end }}", "range can't iterate over Some Text"],
    ["{{ regexReplaceAll `(` `a` `b` }}", "missing closing )"],
    ["{{ fail `no` }}", "error calling fail: no"],
    ["{{ mustRegexMatch `(` `x` }}", "missing closing )"],
    ["{{ mustToDate `2006` `soon` }}", 'cannot parse "soon" as "2006"'],
    ["{{ mustDateModify `soon` now }}", 'invalid duration "soon"'],
    ["{{ urlParse `%zz` }}", 'invalid URL escape "%zz"'],
  ] as const)
    test(text, () => expect(() => run(text)).toThrow(message === "Cannot" ? /slice/ : message));
});

describe("ends", () => {
  for (const [name, text, message] of [
    ["a template that calls itself", "{{ define `x` }}{{ template `x` }}{{ end }}{{ template `x` }}", "exceeded maximum template depth"],
    ["nested loops", "{{ range until 1000 }}{{ range until 1000 }}{{ range until 1000 }}x{{ end }}{{ end }}{{ end }}", "steps"],
    [
      "doubling",
      "{{ define `x` }}{{ if lt (len .) 60 }}{{ template `x` (cat . `a`) }}{{ template `x` (cat . `a`) }}{{ end }}{{ end }}{{ template `x` `a` }}",
      "steps",
    ],
    ["long output", "{{ range until 1000 }}{{ repeat 100000 `x` }}{{ end }}", "output exceeds"],
    ["a long text", "{{ repeat 1000000000 `xx` }}", "repeat less"],
    ["a wide field", "{{ range 1000 }}{{ printf `%1000000d` 1 }}{{ end }}", "output exceeds"],
  ] as const)
    test(name, () => expect(() => run(text)).toThrow(message));
});

describe("logql", () => {
  const logql = (text: string) =>
    compileTemplate(text, logqlFunctions({ line: () => "the line", timestampNs: () => 1_700_000_000_123_456_789n }), {
      missingKey: "zero",
    }).execute(DATA);
  for (const [text, want] of [
    ["[{{ .nope }}]", "[]"],
    ["{{ __line__ | upper }}", "THE LINE"],
    [
      "{{ __timestamp__.UnixNano }} {{ __timestamp__ | unixEpochMillis }} {{ unixEpochNanos __timestamp__ }}",
      "1700000000123456789 1700000000123 1700000000123456789",
    ],
    ["{{ alignLeft 7 .u }}|{{ alignRight 3 .u }}", "Größe  |öße"],
    ["{{ trunc 3 .u }} {{ substr 0 3 .u }}", "Gr\ufffd Gr\ufffd"],
    ["{{ duration `1h30m` }} {{ bytes `1.5 kB` }} {{ urldecode `a+b%20c` }}", "5400 1500 a b c"],
    ['{{ range fromJson `[{"a":1},{"a":2}]` }}{{ .a }};{{ end }}', "1;2;"],
    ['{{ (fromJson `{"a":{"b":[1,"x",null]}}`).a.b }}', "[1 x <nil>]"],
    ["{{ toDateInZone `2006-01-02 15:04` `Europe/Berlin` `2020-07-01 12:00` | unixEpoch }}", "1593597600"],
    ["{{ toDateInZone `2006-01-02 15:04` `Nowhere/Here` `2020-07-01 12:00` }}", "2020-07-01 12:00:00 +0000 UTC"],
    [
      "{{ int `010` }} {{ int `08` }} {{ int `1_000` }} {{ int `0x_1F` }} {{ int `1__0` }} {{ int `-3.9` }} {{ int `.5` }}",
      "8 0 1000 31 0 -3 0",
    ],
    ["{{ float64 `1_000.5` }} {{ addf `1_0` 1 }} {{ float64 `_1` }}", "1000.5 11 0"],
    [
      "{{ b64dec `YQ` }}|{{ b64dec `YWJjZA=` }}|{{ b64dec `YQ==x` }}|{{ b64dec `Y=` }}|{{ b64dec `YW\nJj` }}",
      [
        "illegal base64 data at input byte 0",
        "illegal base64 data at input byte 7",
        "illegal base64 data at input byte 4",
        "illegal base64 data at input byte 1",
        "abc",
      ].join("|"),
    ],
    ['{{ (fromJson `{"a":{}}`).a.b }} {{ (fromJson `x`).a.b }}', "<no value> <no value>"],
  ] as const)
    test(text, () => expect(logql(text)).toBe(want));
  for (const text of ["{{ duration `1d` }}", "{{ bytes `x` }}", "{{ (fromJson `{}`).a.b }}", "{{ unixToTime `123` }}"])
    test(`fails: ${text}`, () => expect(() => logql(text)).toThrow(/error calling|nil pointer/));
  for (const name of ["fail", "env", "list", "splitList"])
    test(`does not know ${name}`, () => expect(() => logql(`{{ ${name} }}`)).toThrow(`function "${name}" not defined`));
});

test("data may be a map, an object or a view; names of every object are no data", () => {
  const template = compileTemplate("{{ .x }} {{ .constructor }} {{ index . `toString` }}", promtailFunctions());
  for (const data of [new Map([["x", "1"]]), { x: "1" }]) expect(template.execute(data)).toBe("1 <no value> <no value>");
});
