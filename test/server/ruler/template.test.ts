import { expect, test } from "vitest";
import { AlertTemplate } from "../../../server/ruler/template.ts";

const data = {
  labels: new Map([
    ["instance", "web-1.example.com:9090"],
    ["job", "api"],
  ]),
  value: 0.0512345,
  externalLabels: { cluster: "c1" },
  externalUrl: "https://grafana.example/base",
};
const samples = [
  { labels: { names: ["host"], values: ["b"] }, value: 2 },
  { labels: { names: ["host"], values: ["a"] }, value: 1.5 },
];

async function expand(text: string, errors: string[] = [], asked: string[] = []): Promise<string> {
  const query = async (expr: string) => {
    asked.push(expr);
    if (expr === "broken") throw new Error("parse error");
    return expr === "none" ? [] : samples;
  };
  return new AlertTemplate("A", text).expand(data, { nowMs: 1_700_000_000_000, query }, (error) => errors.push(error));
}

for (const [template, text] of [
  ["no template", "no template"],
  ["{{ $labels.job }} {{ .Labels.job }} {{ $value }}", "api api 0.0512345"],
  ["[{{ $labels.none }}]", "[]"],
  [
    "{{ $externalLabels.cluster }} {{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
    "c1 https://grafana.example/base https://grafana.example/base /base",
  ],
  ["{{ $labels }}", "map[instance:web-1.example.com:9090 job:api]"],
  ["{{ range $name, $value := $labels }}{{ $name }}={{ $value }};{{ end }}", "instance=web-1.example.com:9090;job=api;"],
  ["{{ $value | humanize }} {{ humanize 1234567.0 }} {{ humanize 0.0 }} {{ humanize 0.0000012 }}", "51.23m 1.235M 0 1.2u"],
  ["{{ humanize1024 1048576.0 }} {{ humanize1024 0.5 }}", "1Mi 0.5"],
  [
    "{{ humanizeDuration 0.0 }} {{ humanizeDuration 1.5 }} {{ humanizeDuration 61.0 }} {{ humanizeDuration 90061.0 }} {{ humanizeDuration 0.012 }} {{ humanizeDuration -3600.0 }}",
    "0s 1.5s 1m 1s 1d 1h 1m 1s 12ms -1h 0m 0s",
  ],
  ['{{ humanizePercentage 0.1234567 }} {{ humanizePercentage "0.5" }}', "12.35% 50%"],
  ["{{ humanizeTimestamp 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"],
  ['{{ (toTime 1435065584.0).Format "2006" }}', "2015"],
  ['{{ title "ab cd" }} {{ toUpper "a" }} {{ toLower "B" }}', "Ab Cd A b"],
  ['{{ printf "%.2f%%" 12.345 }}', "12.35%"],
  ['{{ reReplaceAll "(.*):.*" "$1" $labels.instance }} {{ match "^web" $labels.instance }}', "web-1.example.com true"],
  [
    '{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }} {{ stripDomain "10.0.0.1:80" }} {{ stripPort "[::1]:80" }}',
    "web-1.example.com web-1:9090 10.0.0.1:80 ::1",
  ],
  ['{{ graphLink "up == 1" }} {{ tableLink "up" }}', "/graph?g0.expr=up+%3D%3D+1&g0.tab=0 /graph?g0.expr=up&g0.tab=1"],
  ['{{ with query "q" }}{{ . | first | value }}{{ end }}', "2"],
  ['{{ range query "q" | sortByLabel "host" }}{{ .Labels.host }}{{ label "host" . }}={{ .Value }} {{ end }}', "aa=1.5 bb=2 "],
  ['{{ parseDuration "1h30m" }}', "5400"],
  ["{{ now }}", "1.7e+09"],
  ['{{ define "x" }}<{{ .arg0 }}{{ .arg1 }}>{{ end }}{{ template "x" (args 1 "b") }}', "<1b>"],
] as const) {
  test(`template: ${template}`, async () => expect(await expand(template)).toBe(text));
}

test("a template asks each query once, and the answer of one may be part of the next", async () => {
  const asked: string[] = [];
  const text =
    '{{ $a := query "q" | first | value }}{{ $b := query (printf "q%v" $a) | first | value }}{{ $a }}{{ $b }}{{ (query "q" | first).Value }}';
  expect(await expand(text, [], asked)).toBe("222");
  expect(asked).toEqual(["q", "q2"]);
});

for (const [name, template, error] of [
  ["a template that fails", "{{ $value.x }}", "can't evaluate field x in type float64"],
  ["first of nothing", '{{ query "none" | first }}', "first() called on vector with no elements"],
  ["a query that fails", '{{ query "broken" }}', "parse error"],
  ["endless loops of queries", '{{ range 100 }}{{ query (printf "%v" .) }}{{ end }}', "a template may ask 10 queries"],
  ["endless output", "{{ range 100000 }}xxxxxxxxxxxxxxxx{{ end }}", "output exceeds"],
] as const) {
  test(`${name} becomes a text that says so`, async () => {
    const errors: string[] = [];
    const text = await expand(template, errors);
    expect(text).toMatch(/^<error expanding template: /);
    expect(text).toContain(error);
    expect(errors).toHaveLength(1);
  });
}
