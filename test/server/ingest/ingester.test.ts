import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { manualClock } from "../../../lib/runtime/clock.ts";
import { lineStart, PushBuilder } from "../../../lib/wire/push-columns.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import type { RequestError } from "../../../server/errors.ts";
import type { AcceptedPush } from "../../../server/ingest/accepted-push.ts";
import { createIngestMetrics } from "../../../server/ingest/ingest-metrics.ts";
import { Ingester } from "../../../server/ingest/ingester.ts";

const NOW_S = 1_800_000_000;
type Entry = readonly [ageS: number, line: string, metadata?: Record<string, string>];

interface Stored {
  readonly labels: string;
  readonly line: string;
  readonly sec: number;
  readonly metadata: Record<string, string>;
}

/** Pushes streams one push after the other; what was stored, and the answer to the last. */
async function push(
  limits: object,
  ...pushes: Record<string, readonly Entry[]>[]
): Promise<{ stored: Stored[]; error: RequestError | undefined; discarded: Record<string, string> }> {
  const stored: Stored[] = [];
  const registry = new Registry();
  const clock = manualClock(NOW_S * 1000);
  const checked = limitsSchema.parse({ discover_service_name: [], discover_log_levels: false, ...limits });
  const ingester = new Ingester({
    append: async (_, accepted) => void stored.push(...rowsOf(accepted)),
    limitsOf: () => checked,
    maxChunkAgeMs: 7_200_000,
    streamIdleMs: 1_800_000,
    maxStreamErrors: 10,
    clock,
    metrics: createIngestMetrics(registry),
  });
  let error: RequestError | undefined;
  for (const streams of pushes) {
    const builder = new PushBuilder();
    for (const [labels, entries] of Object.entries(streams)) {
      builder.beginStream(labels);
      for (const [age, line, metadata] of entries)
        builder.add(NOW_S - age, 0, line, metadata === undefined ? undefined : Object.entries(metadata));
    }
    error = await ingester.push("t", builder.finish()).then(
      () => undefined,
      (refused: RequestError) => refused,
    );
  }
  return { stored, error, discarded: await discardedBy(registry) };
}

/** `entries/bytes` by reason. */
async function discardedBy(registry: Registry): Promise<Record<string, string>> {
  const values = async (name: string) => (await registry.getSingleMetric(name)!.get()).values;
  const bytes = await values("loki_discarded_bytes_total");
  return Object.fromEntries(
    (await values("loki_discarded_samples_total")).map(({ labels, value }) => [
      String(labels.reason),
      `${value}/${bytes.find((one) => one.labels.reason === labels.reason)!.value}`,
    ]),
  );
}

function rowsOf({ bytes, ends, sec, streams, metadata, keep }: AcceptedPush): Stored[] {
  return streams.flatMap(({ labels, from, to }) =>
    Array.from({ length: to - from }, (_, k) => from + k)
      .filter((i) => keep === undefined || keep[i] === 1)
      .map((i) => ({
        labels: labels.toString(),
        line: Buffer.from(bytes.subarray(lineStart(ends, i), ends[i]!)).toString(),
        sec: sec[i]!,
        metadata: Object.fromEntries(metadata?.[i] ?? []),
      })),
  );
}

const linesOf = ({ stored }: { stored: Stored[] }): string[] => stored.map(({ line }) => line);

describe("ingest", () => {
  test("takes what is in order", async () => {
    const result = await push(
      {},
      {
        '{b="2", a="1"}': [
          [2, "one"],
          [1, "two"],
        ],
      },
    );
    expect(result.error).toBeUndefined();
    expect(result.stored.map(({ labels, line }) => `${labels} ${line}`)).toEqual(['{a="1", b="2"} one', '{a="1", b="2"} two']);
  });

  test("stores the good entries of a push and answers for the bad ones", async () => {
    const result = await push(
      { max_line_size: 5 },
      {
        '{a="1"}': [
          [1, "short"],
          [1, "too long"],
        ],
      },
    );
    expect(linesOf(result)).toEqual(["short"]);
    expect(`${result.error?.status} ${result.error?.message}`).toBe(
      `400 max entry size '5' bytes exceeded for stream '{a="1"}' while adding an entry with length '8' bytes`,
    );
  });

  test("a million texts of refusals are not an answer: past a thousand they are counted", async () => {
    const entries = Array.from({ length: 1_500 }, (_, i): Entry => [700_000 + i, "old"]);
    const { error, discarded } = await push({}, { '{a="1"}': entries });
    expect(error?.message.split("; ")).toHaveLength(1_001);
    expect(error?.message).toMatch(/; 500 other errors$/);
    expect(discarded).toEqual({ greater_than_max_sample_age: "1500/4500" });
  });

  test("a stream of which nothing is taken does not become an active one", async () => {
    const { stored } = await push({ max_global_streams_per_user: 1 }, { '{a="1"}': [[700_000, "old"]] }, { '{a="2"}': [[1, "new"]] });
    expect(stored.map(({ line }) => line)).toEqual(["new"]);
  });

  test("counts several refusals by text", async () => {
    const { error } = await push(
      {},
      {
        '{a="1"}': [
          [700_000, "old"],
          [700_000, "old"],
          [-7200, "new"],
        ],
      },
    );
    expect(error?.message).toMatch(
      /^2 errors like: entry for stream '\{a="1"\}' has timestamp too old: .*; 1 errors like: .* has timestamp too new: /,
    );
  });

  for (const [name, limits, sec, text] of [
    ["of the year 2100", {}, 4_102_444_800, "too new: 2100-01-01T00:00:00Z"],
    ["of the year 2100, though any future is allowed", { creation_grace_period: "0s" }, 4_102_444_800, "too new: 2100-01-01T00:00:00Z"],
    ["of the year 1874", {}, -3_000_000_000, "too old: 1874-12-07T18:40:00Z, oldest acceptable timestamp is: 2027-01-08T08:00:00Z"],
    [
      "of the year 1874, though any age is allowed",
      { reject_old_samples: false },
      -3_000_000_000,
      "too old: 1874-12-07T18:40:00Z, oldest acceptable timestamp is: 1901-12-13T20:45:52Z",
    ],
  ] as const) {
    test(`an entry ${name} is refused by its true time`, async () => {
      const { stored, error } = await push(limits, {
        '{a="1"}': [
          [1, "fine"],
          [NOW_S - sec, "far"],
        ],
      });
      expect(stored.map(({ line }) => line)).toEqual(["fine"]);
      expect(error?.message).toBe(`entry for stream '{a="1"}' has timestamp ${text}`);
    });
  }

  for (const [name, limits, pushes, want] of [
    [
      "each reason by itself",
      { max_line_size: 5, max_label_value_length: 3 },
      [
        {
          '{a="1"}': [
            [1, "too long"],
            [700_000, "old"],
            [1, "fine"],
            [1, "much too long"],
          ],
          '{a="long"}': [
            [1, "12"],
            [1, "345"],
          ],
        },
      ],
      { line_too_long: "2/21", greater_than_max_sample_age: "1/3", label_value_too_long: "2/5" },
    ],
    [
      "a blocked tenant's push",
      { block_ingestion_until: "2100-01-01T00:00:00Z" },
      [
        {
          '{a="1"}': [
            [1, "abc"],
            [1, "d"],
          ],
        },
      ],
      { blocked_ingestion: "2/4" },
    ],
    [
      "streams whose rate is too high, all of them",
      { per_stream_rate_limit: "1B", per_stream_rate_limit_burst: "2B" },
      [
        {
          '{a="1"}': [[1, "abc"]],
          '{a="2"}': [
            [1, "abcd"],
            [1, "e"],
          ],
        },
      ],
      { per_stream_rate_limit: "3/8" },
    ],
    [
      "streams beyond the limit",
      { max_global_streams_per_user: 1 },
      [{ '{a="1"}': [[1, "a"]], '{a="2"}': [[1, "bc"]] }],
      { stream_limit: "1/2" },
    ],
    [
      "the ingestion rate",
      { ingestion_rate_mb: 0.000001, ingestion_burst_size_mb: 0.000001 },
      [{ '{a="1"}': [[1, "abc"]] }],
      { rate_limited: "1/3" },
    ],
    [
      "entries out of order",
      { unordered_writes: false },
      [
        {
          '{a="1"}': [
            [5, "a"],
            [6, "bc"],
            [4, "d"],
          ],
        },
      ],
      { out_of_order: "1/2" },
    ],
  ] as const) {
    test(`discarded entries are counted: ${name}`, async () =>
      expect((await push(limits, ...(pushes as readonly Record<string, readonly Entry[]>[]))).discarded).toEqual(want));
  }

  test("streams that must be in order refuse what is older than their newest entry", async () => {
    const { stored, error } = await push(
      { unordered_writes: false },
      {
        '{a="1"}': [
          [5, "a"],
          [6, "b"],
          [5, "same time"],
        ],
      },
    );
    expect(stored.map(({ line }) => line)).toEqual(["a", "same time"]);
    expect(error?.message).toBe(
      `entry with timestamp 2027-01-15 07:59:54 +0000 UTC ignored, reason: 'entry out of order',\nuser 't', total ignored: 1 out of 3 for stream: {a="1"}`,
    );
  });

  test("labels that are no labels refuse the whole push", async () => {
    const result = await push({}, { '{a="1"}': [[1, "x"]], "{a=": [[1, "y"]] });
    expect([linesOf(result), result.error?.message]).toEqual([
      [],
      "couldn't parse labels: 1:4: parse error: unexpected end of input inside braces",
    ]);
  });

  test("entries far behind the stream's newest are refused, the frame names them", async () => {
    const result = await push(
      {},
      { '{a="1"}': [[10, "new"]] },
      {
        '{a="1"}': [
          [3600, "near"],
          [3700, "far"],
        ],
      },
    );
    expect(linesOf(result)).toEqual(["new", "near"]);
    expect(result.error?.message).toMatch(
      /^entry with timestamp .* ignored, reason: 'entry too far behind, .*',\nuser 't', total ignored: 1 out of 2 for stream: \{a="1"\}$/,
    );
  });

  test("the ingestion rate refuses a push whole", async () => {
    const result = await push({ ingestion_rate_mb: 0.001, ingestion_burst_size_mb: 0.001 }, { '{a="1"}': [[1, "x".repeat(2000)]] });
    expect([result.stored.length, result.error?.status, result.error?.reason]).toEqual([0, 429, "rate_limited"]);
  });

  test("a new stream above the limit is refused, an old one is not", async () => {
    const result = await push(
      { max_global_streams_per_user: 1 },
      { '{a="1"}': [[3, "x"]] },
      { '{a="2"}': [[2, "y"]] },
      { '{a="1"}': [[1, "z"]] },
    );
    expect([linesOf(result), result.error]).toEqual([["x", "z"], undefined]);
  });

  test("no streams at all are refused", async () => expect((await push({}, {})).error?.status).toBe(422));
  test("service_name comes from the first label of the list", async () => {
    const { stored } = await push(
      { discover_service_name: ["service", "app"] },
      { '{app="a"}': [[1, "x"]], '{z="1"}': [[1, "y"]], '{service_name="own", app="a"}': [[1, "z"]] },
    );
    expect(stored.map(({ labels }) => /service_name="([^"]*)"/.exec(labels)?.[1])).toEqual(["a", "unknown_service", "own"]);
  });
  test("duplicate times are spread when asked for", async () => {
    const result = await push(
      { increment_duplicate_timestamp: true },
      {
        '{a="1"}': [
          [1, "x"],
          [1, "x"],
        ],
      },
    );
    expect(linesOf(result)).toEqual(["x", "x"]);
  });
  test("long lines are cut when asked for", async () =>
    expect(
      linesOf(
        await push(
          { max_line_size: 4, max_line_size_truncate: true },
          {
            '{a="1"}': [
              [1, "abcdef"],
              [1, "xy"],
            ],
          },
        ),
      ),
    ).toEqual(["abcd", "xy"]));
  test("metadata names are cleaned, empty values dropped", async () => {
    const { stored } = await push({}, { '{a="1"}': [[1, "x", { "a.b": "1", "1x": "2", e: "", ünï: "3" }]] });
    expect(stored[0]?.metadata).toEqual({ a_b: "1", key_1x: "2", _n_: "3" });
  });
});

describe("detected_level", () => {
  const levelOf = async (line: string, labels = '{a="1"}', metadata?: Record<string, string>): Promise<string | undefined> =>
    (await push({ discover_log_levels: true }, { [labels]: [metadata === undefined ? [1, line] : [1, line, metadata]] })).stored[0]
      ?.metadata.detected_level;
  for (const [line, want] of [
    ["level=info a=1", "info"],
    ["LVL=ERR", "error"],
    ["severity=critical", "critical"],
    ["level=information", "info"],
    ["level=notice", "unknown"],
    ['{"level":"error"}', "error"],
    ['{"log":{"level":"warn"}}', "warn"],
    ['{"level":30}', "unknown"],
    ['{"msg":"no level but error inside"}', "error"],
    ["INFO starting", "info"],
    ["[err] failed", "error"],
    ["information desk", "unknown"],
    ["panic: x", "unknown"],
    ["", "unknown"],
    ["{not json level=error}", "error"],
    // The first field in the line's order counts, at any depth that is looked at.
    ['{"severity":"warn","level":"error"}', "warn"],
    ['{"log":{"level":"debug"},"level":"error"}', "debug"],
    ['{"a":{"b":{"level":"warn"}},"x":1}', "warn"],
    ['{"a":{"b":{"level":"dbg"}},"x":1}', "unknown"],
    ['{"a":["level"],"list":[{"level":"fatal"}],"lvl":"trc"}', "trace"],
    ['{"level":"constructor"}', "unknown"],
    ['{"level":"odd","severity":"warn"}', "warn"],
    ['{"level":"odd","severity":"wrn"}', "unknown"],
    ['  {"msg":"error","level":"info"} ', "info"],
    // In logfmt the earlier name of the list counts, and quotes hold a value together.
    ["severity=warn level=error", "error"],
    ['msg="a level=error" level=info', "info"],
    ['level="warn\\u0069ng"', "warn"],
    ["=x level=inf", "unknown"],
    // Of several words the one that is first in the list counts, unless its first occurrence is part of another word.
    ["info: an error", "error"],
    ["an info about a warning", "warn"],
    ["errors, then error", "unknown"],
    ["dbg x", "unknown"],
    ["trc: x", "unknown"],
    ["\u00e9error", "error"],
    ["error\u00e9", "unknown"],
    ["error\u2026", "unknown"],
    ["error_code 1", "unknown"],
  ] as const)
    test(`of ${line || "an empty line"}`, async () => expect(await levelOf(line)).toBe(want));
  test("of the labels, kept when unknown", async () => expect(await levelOf("error", '{level="weird"}')).toBe("weird"));
  test("of the metadata", async () => expect(await levelOf("error", '{a="1"}', { severity_number: "17" })).toBe("error"));
  test.each([
    ["0", "unknown"],
    ["-3", "trace"],
    ["4", "trace"],
    ["24", "fatal"],
    ["25", "unknown"],
  ])("of severity_number %s", async (severity_number, want) => expect(await levelOf("error", '{a="1"}', { severity_number })).toBe(want));
  test("an own one is put in the usual spelling", async () =>
    expect(await levelOf("x", '{a="1"}', { detected_level: "ERR" })).toBe("error"));
});
