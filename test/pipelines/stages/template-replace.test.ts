import { describe, expect, test } from "vitest";
import { extractedOut, faultsOf, linesOut, makeWorld } from "../run-stages.ts";

describe("template", () => {
  const gives = (name: string, config: string, line: string, names: string[], wanted: string): void =>
    test(name, () =>
      expect(
        extractedOut(`- json: {expressions: {app: , level: , num: }}\n- template: ${config}`, line, names, { labels: { job: "j" } }),
      ).toBe(wanted),
    );
  gives("a suffix", "{source: app, template: '{{ .Value }}_some_suffix'}", '{"app":"loki"}', ["app"], "app=loki_some_suffix");
  gives(
    "two values",
    "{source: msg, template: '{{.level}} for app {{ ToUpper .app }}'}",
    '{"app":"loki","level":"warn"}',
    ["msg"],
    "msg=warn for app LOKI",
  );
  gives("the line", "{source: m, template: '{{.app}}: {{ .Entry }}'}", '{"app":"a"}', ["m"], 'm=a: {"app":"a"}');
  gives("a label", "{source: m, template: '{{ .job }}'}", "{}", ["m"], "m=j");
  gives("a number is a text", "{source: m, template: '{{ if eq .num \"200\" }}same{{ end }}'}", '{"num":200}', ["m"], "m=same");
  gives(
    "an empty result removes the value",
    "{source: app, template: '{{ if false }}x{{ end }}'}",
    '{"app":"a"}',
    ["app"],
    "app=<no value>",
  );
  gives("an empty result removes a label's value", "{source: job, template: ''}", "{}", ["job"], "job=<no value>");
  gives("no template at all", "{source: app}", '{"app":"a"}', ["app"], "app=<no value>");
  gives("nil prints as Go prints it", "{source: level, template: '{{ .Value }}'}", "{}", ["level"], "level=<no value>");
  gives(
    "Sha2Hash",
    '{source: m, template: \'{{ Sha2Hash "salt" "x" }}\'}',
    "{}",
    ["m"],
    "m=c9ef43a03d58f2cb9b0c4b069c179595739f5181a5565c8db5dbb124564ea819",
  );
  gives(
    "Hash",
    '{source: m, template: \'{{ Hash "salt" "x" }}\'}',
    "{}",
    ["m"],
    "m=da3408f09c343ea37593ac4c5cfc702d76be39bec3b9a480b6a247a1c95b41b4",
  );
  gives(
    "a fraction is no whole number",
    "{source: m, template: '{{ mul .num 2 }} {{ int .app }} {{ int .level }}'}",
    '{"num":1.5,"app":"3.0","level":"4."}',
    ["m"],
    "m=0 3 0",
  );
  gives(
    "the data can be changed",
    '{source: m, template: \'{{ $_ := set . "k" "v" }}{{ .k }} {{ .app }} {{ $_ := unset . "app" }}{{ .app }} {{ hasKey . "job" }}\'}',
    '{"app":"a"}',
    ["m", "k"],
    "m=v a <no value> true k=<no value>",
  );
  gives(
    "nil where a map is wanted",
    `{source: m, template: '{{ get (fromJson .Entry) "x" }}{{ hasKey .nope "x" }} {{ keys .nope }} {{ get (fromJson .app) "n" }}'}`,
    '{"app":"{\\"n\\":null}"}',
    ["m"],
    "m=false [] <no value>",
  );
  gives("nil cannot be changed", "{source: app, template: '{{ set .nope \"a\" 1 }}'}", '{"app":"a"}', ["app"], "app=a");
  gives(
    "what asks the network is known and fails",
    "{source: app, template: '{{ getHostByName \"x\" }}'}",
    '{"app":"a"}',
    ["app"],
    "app=a",
  );
  gives("an error leaves the value", "{source: app, template: '{{ slice .app 1 2 }}'}", '{"app":"abc"}', ["app"], "app=abc");
  test("an error is said", () => {
    const world = makeWorld();
    linesOut("- template: {source: a, template: '{{ index .b 1 }}'}", ["x"], { world });
    expect(world.said).toEqual(["template failed: value left as it was"]);
  });
  test("no source is refused", () => expect(faultsOf("- template: {template: x}")).toMatch(/^error 0.template.source /));
  test("a broken template is refused", () =>
    expect(faultsOf("- template: {source: a, template: '{{ .a '}")).toMatch(/invalid template: template: .*unclosed action/));
});

describe("replace", () => {
  const gives = (name: string, config: string, line: string, wanted: string): void =>
    test(name, () => expect(linesOut(`- replace: ${config}`, [line])).toEqual([wanted]));
  gives(
    "a word",
    "{expression: '11.11.11.11 - (\\S+) .*', replace: dummy}",
    "11.11.11.11 - frank [25/Jan] x",
    "11.11.11.11 - dummy [25/Jan] x",
  );
  gives(
    "a word by nothing",
    "{expression: '11.11.11.11 - (\\S+\\s)', replace: ''}",
    "11.11.11.11 - frank [25/Jan] x",
    "11.11.11.11 - [25/Jan] x",
  );
  gives("adjacent groups all go", "{expression: '(a|b|c)'}", "abc", "");
  gives("every match", "{expression: '(\\d+)', replace: '#'}", "1 22 333", "# # #");
  gives("no group, no change", "{expression: '\\d+', replace: '#'}", "a 1", "a 1");
  gives("no match, no change", "{expression: 'nothing (x)', replace: '#'}", "a 1", "a 1");
  gives("several groups", "{expression: '(\\d)-(\\d)', replace: '<{{ .Value }}>'}", "1-2 3-4", "<1>-<2> <3>-<4>");
  gives("the outer of nested groups", "{expression: '(a(b)c)', replace: '{{ .Value | ToUpper }}'}", "xabcx", "xABCx");
  gives("characters outside of ASCII", "{expression: '(ö+)', replace: 'oe'}", "schöön 😀ö", "schoen 😀oe");
  gives("empty captures", "{expression: 'a(x*)b', replace: '-'}", "ab axb", "a-b a-b");
  gives("a dollar is a dollar", "{expression: '(\\d+)', replace: '$1'}", "5", "$1");

  const ACCESS =
    '^(?P<ip>\\S+) - (?P<user>\\S+) \\[(?P<time>[^\\]]+)\\] "(?P<action>\\S+) (?P<path>\\S+)" (?P<status>\\d{3}) (?P<size>\\d+)';
  const TEMPLATE = '{{ if eq .Value "200" }}{{ Replace .Value "200" "HttpStatusOk" -1 }}{{ else }}{{ .Value | ToUpper }}{{ end }}';
  test("named groups are stored as they became", () => {
    const stages = `- replace:\n    expression: '${ACCESS}'\n    replace: '${TEMPLATE}'`;
    const line = '11.11.11.11 - frank [25/Jan/2000:14:00:01 -0500] "GET /x" 200 932';
    expect(linesOut(stages, [line])).toEqual(['11.11.11.11 - FRANK [25/JAN/2000:14:00:01 -0500] "GET /X" HttpStatusOk 932']);
    expect(extractedOut(stages, line, ["user", "status", "size"])).toBe("user=FRANK status=HttpStatusOk size=932");
  });
  test("the result goes back to the source, the line stays", () => {
    const stages = "- json: {expressions: {msg: }}\n- replace: {source: msg, expression: '(\\S+)$', replace: '***'}";
    expect(extractedOut(stages, '{"msg":"token abc"}', ["msg"])).toBe("msg=token ***");
    expect(linesOut(stages, ['{"msg":"token abc"}'])).toEqual(['{"msg":"token abc"}']);
  });
  test("a missing source changes nothing", () =>
    expect(extractedOut("- replace: {source: nope, expression: '(.*)', replace: x}", "line", ["nope"])).toBe("nope=<no value>"));
  test("no expression is refused", () =>
    expect(faultsOf("- replace: {replace: x}")).toMatch(/^error 0.replace.expression replace stage: expression: is required/));
  test("a boolean is refused", () =>
    expect(faultsOf("- replace: {expression: '(a)', replace: N}")).toMatch(/^error 0.replace.replace .*the boolean false/));
});
