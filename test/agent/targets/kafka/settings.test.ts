import { describe, expect, test } from "vitest";
import { kafkaSchema } from "../../../../agent/config/rare-blocks.ts";
import { Plain } from "../../../../agent/config/written.ts";
import { kafkaSettings } from "../../../../agent/targets/kafka/settings.ts";
import { chooseTopics } from "../../../../agent/targets/kafka/topics.ts";

const parse = (block: Record<string, unknown>) => kafkaSchema().parse({ brokers: ["b:9092"], topics: ["t"], ...block });

describe("a block", () => {
  const sasl = { mechanism: "SCRAM-SHA-512", user: "u", password: "p" };
  test.each([
    ["a broker without port", { brokers: ["b"] }, { brokers: ["b:9092"] }],
    ["no group", { group_id: "" }, { groupId: "promtail" }],
    ["no assignor", {}, { assignors: ["range", "roundrobin"] }],
    ["roundrobin", { assignor: "roundrobin" }, { assignors: ["roundrobin", "range"] }],
    ["no authentication", {}, { tls: undefined, sasl: undefined }],
    ["ssl", { authentication: { type: "ssl" } }, { tls: {}, sasl: undefined }],
    [
      "sasl",
      { authentication: { type: "sasl", sasl_config: sasl } },
      { tls: undefined, sasl: { mechanism: "scram-sha-512", username: "u", password: "p" } },
    ],
    ["sasl without mechanism", { authentication: { type: "sasl", sasl_config: { user: "u" } } }, { sasl: { mechanism: "plain" } }],
  ])("with %s", (_, block, expected) => expect(kafkaSettings(parse(block))).toMatchObject(expected));

  test("with sticky tells what is offered instead", () => {
    const { assignors, warnings } = kafkaSettings(parse({ assignor: "sticky" }));
    expect(assignors).toEqual(["range", "roundrobin"]);
    expect(warnings).toEqual([expect.stringContaining("assignor sticky is not known here")]);
  });

  test.each([
    ["no brokers", { brokers: [] }, /brokers is empty/],
    ["no topics", { topics: [] }, /topics is empty/],
    ["a bad pattern", { topics: ["^a("] }, /topics: "\^a\(" is no regular expression: .*missing closing \)/],
    ["a bad version", { version: "latest" }, /invalid version "latest"/],
    ["an unknown assignor", { assignor: "fair" }, /unrecognized consumer group partition assignor: fair/],
    ["sasl without config", { authentication: { type: "sasl" } }, /there is no sasl_config/],
    [
      "a CA that is not there",
      { authentication: { type: "sasl", sasl_config: { user: "u", use_tls: new Plain(true), ca_file: "/nowhere/ca.pem" } } },
      /could not read ca_file \/nowhere\/ca.pem/,
    ],
  ])("with %s is refused", (_, block, message) => expect(() => kafkaSettings(parse(block))).toThrow(message));
});

test.each([
  [["app"], ["app"]],
  [["^app"], ["app", "app-2"]],
  [
    ["^app$", "db"],
    ["app", "db"],
  ],
  [["^.*"], ["app", "app-2", "db"]],
  [["__consumer_offsets"], ["__consumer_offsets"]],
  [["app", "missing"], ["app"]],
])("topics %j choose %j", (wanted, chosen) => {
  expect(chooseTopics(wanted)(["db", "app-2", "app", "__consumer_offsets"])).toEqual(chosen);
});
