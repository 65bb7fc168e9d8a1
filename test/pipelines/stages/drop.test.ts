import { describe, expect, test } from "vitest";
import { faultsOf, linesOut, makeWorld } from "../run-stages.ts";

const JSON_STAGE = "- json: {expressions: {key: , level: , msg: , num: , flag: }}\n";

describe("drop", () => {
  const keeps = (name: string, config: string, line: string, kept: boolean): void =>
    test(name, () => expect(linesOut(`${JSON_STAGE}- drop: ${config}`, [line])).toEqual(kept ? [line] : []));

  keeps("longer than the limit goes", "{longer_than: 10b}", "12345678901", false);
  keeps("equal to the limit stays", "{longer_than: 10b}", "1234567890", true);
  keeps("bytes count, not characters", "{longer_than: 10b}", "héhéhéhé", false);
  keeps("kilobytes are 1024", "{longer_than: 1kb}", "x".repeat(1024), true);
  keeps("a plain number of bytes", "{longer_than: 1024}", "x".repeat(1025), false);
  keeps("a source alone where the key is there", "{source: key}", '{"key":""}', false);
  keeps("a source alone after json: nil is there", "{source: key}", "{}", false);
  keeps("a source alone where the key is not there", "{source: nope}", "{}", true);
  keeps("an expression on a source", "{source: key, expression: '.*val.*'}", '{"key":"val1"}', false);
  keeps("an expression that does not match", "{source: key, expression: '.*val.*'}", '{"key":"pal1"}', true);
  keeps("an expression on a missing source", "{source: key, expression: '.*val.*'}", "{}", true);
  keeps("an expression on the line", "{expression: debug}", "xdebugx", false);
  keeps("an expression with alternatives on the line", "{expression: '.*(healthz|metrics).*'}", "GET /metrics", false);
  keeps("an expression that needs more than its literals", "{expression: '^GET /(healthz|metrics)$'}", "POST /metrics", true);
  keeps("an expression in any case", "{expression: '(?i)DEBUG'}", "xdEbugx", false);
  keeps("an empty expression matches all", "{expression: ''}", "x", false);
  keeps("a value", "{source: level, value: debug}", '{"level":"debug"}', false);
  keeps("another value", "{source: level, value: debug}", '{"level":"debugx"}', true);
  keeps("a number against a value", "{source: num, value: '200'}", '{"num":200}', false);
  keeps("a boolean against a value", "{source: flag, value: 'true'}", '{"flag":true}', false);
  keeps("the empty value and an empty text", "{source: key, value: ''}", '{"key":""}', false);
  keeps("the empty value and nil", "{source: key, value: ''}", "{}", true);
  keeps("an escaped text against a value", '{source: key, value: "a\\tb"}', '{"key":"a\\tb"}', false);
  keeps(
    "a list joined by a separator",
    "{source: [level, msg], separator: '#', expression: '(error|ERROR)#.*/loki/api/push.*'}",
    '{"level":"error","msg":"POST /loki/api/push/ 200"}',
    false,
  );
  keeps("a list of which one is missing", "{source: [level, msg], expression: '.*'}", '{"level":"error"}', true);
  keeps("a list of which one is not there", "{source: [nope, level], separator: '#', expression: '^error$'}", '{"level":"error"}', false);
  keeps("a list of which none is there", "{source: [nope, neither], expression: '^$'}", "{}", false);
  keeps("a missing source and an expression of the empty text", "{source: nope, expression: '^(debug|)$'}", "{}", false);
  keeps("a missing source and the empty value", "{source: nope, value: ''}", "{}", false);
  keeps("a missing source and another value", "{source: nope, value: x}", "{}", true);
  keeps("a list alone drops when all are there", "{source: [level, msg]}", '{"level":"a","msg":"b"}', false);
  keeps("a list with a value", "{source: [level, msg], value: a;b}", '{"level":"a","msg":"b"}', false);
  keeps("all conditions have to hold", "{source: level, value: debug, longer_than: 30b}", '{"level":"debug"}', true);
  keeps("all conditions hold", "{source: level, value: debug, longer_than: 10b}", '{"level":"debug"}', false);

  test("older_than looks at the entry's time", () => {
    const world = makeWorld();
    const sec = world.nowMs / 1000;
    const kept = (age: number): boolean => linesOut("- drop: {older_than: 1h}", ["x"], { world, sec: sec - age }).length === 1;
    expect([kept(3_601), kept(3_600), kept(-5)]).toEqual([false, true, true]);
  });
  test("drops are counted under their reason", () => {
    const world = makeWorld();
    linesOut("- drop: {expression: a}\n- drop: {expression: b, drop_counter_reason: bees}", ["a", "b", "ab", "c"], { world });
    expect(Object.fromEntries(world.drops)).toEqual({ drop_stage: 2, bees: 1 });
  });

  const refuses = (name: string, config: string, wanted: RegExp): void =>
    test(name, () => expect(faultsOf(`- drop: ${config}`)).toMatch(wanted));
  refuses("nothing given", "", /^error 0.drop drop stage: at least one of source, expression, older_than or longer_than/);
  refuses("a value without a source", "{value: b}", /at least one of source/);
  refuses("a value without a source, with another condition", "{value: b, longer_than: 5}", /value needs a source/);
  refuses("value and expression", "{source: a, value: b, expression: c}", /value and expression exclude each other/);
  refuses("a duration in years", "{older_than: 10y}", /^error 0.drop.older_than .*unknown unit "y" in duration "10y"/);
  refuses("a size that is none", "{longer_than: 10x}", /^error 0.drop.longer_than .*10X/);
  refuses("a number among the sources", "{source: [a, 5]}", /^error 0.drop.source.1 .*expected text, got the number 5/);
});
