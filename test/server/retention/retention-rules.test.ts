import { expect, test } from "vitest";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { retentionOf } from "../../../server/retention/retention-rules.ts";

const DAY_MS = 86_400_000;
const dev = { selector: '{env="dev"}', period: "1d" };

for (const [name, global, own, days] of [
  ["the tenant's period", { retention_period: "9d" }, { retention_period: "3d" }, 3],
  ["the global period", { retention_period: "9d" }, {}, 9],
  ["a global rule before the tenant's period", { retention_stream: [dev] }, { retention_period: "3d" }, 1],
  ["a tenant's rule before a global one", { retention_stream: [dev] }, { retention_stream: [{ ...dev, period: "5d" }] }, 5],
  [
    "a tenant's rule whatever the priority of a global one",
    { retention_stream: [{ ...dev, priority: 9 }] },
    { retention_stream: [{ ...dev, period: "5d" }] },
    5,
  ],
  [
    "a global rule when none of the tenant's matches",
    { retention_stream: [dev] },
    { retention_stream: [{ selector: '{env="prod"}', period: "5d" }] },
    1,
  ],
  [
    "the rule of the highest priority",
    {
      retention_stream: [
        { ...dev, priority: 1 },
        { ...dev, period: "4d", priority: 2 },
      ],
    },
    {},
    4,
  ],
  ["the shortest period of equal priority", { retention_stream: [{ ...dev, period: "4d" }, dev] }, {}, 1],
  ["for ever, when a rule says so", { retention_period: "9d", retention_stream: [{ ...dev, period: "0s" }] }, {}, Number.POSITIVE_INFINITY],
  ["a rule, though everything else is kept for ever", { retention_stream: [dev] }, {}, 1],
] as const) {
  test(`retention: ${name}`, () => {
    const globalLimits = limitsSchema.parse(global);
    // An override of one key leaves the others as they are in limits_config.
    const limits = Object.keys(own).length === 0 ? globalLimits : limitsSchema.parse({ ...global, ...own });
    const retention = retentionOf(limits, globalLimits)!;
    expect(retention.periodMsOf(LabelSet.fromObject({ env: "dev" })) / DAY_MS).toBe(days);
    expect(retention.shortestMs).toBeLessThanOrEqual(days * DAY_MS);
    expect(retention.longestMs).toBeGreaterThanOrEqual(days * DAY_MS);
  });
}

test("retention: nothing ever gets too old without a period", () =>
  expect(retentionOf(limitsSchema.parse({}), limitsSchema.parse({}))).toBeUndefined());

for (const [name, rule, text] of [
  ["a period below a day", { selector: '{a="b"}', period: "23h" }, "retention period must be >= 24h was 23h"],
  ["a selector that is none", { selector: '{a="b"', period: "24h" }, "invalid labels matchers"],
] as const) {
  test(`retention: ${name} is refused`, () => expect(() => limitsSchema.parse({ retention_stream: [rule] })).toThrow(text));
}
