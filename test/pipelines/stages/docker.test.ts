import { describe, expect, test } from "vitest";
import { extractedOut, runStages, timeOf } from "../run-stages.ts";

describe("docker", () => {
  const becomes = (name: string, line: string, wanted: [line: string, stream: string | undefined, time: string]): void =>
    test(name, () => {
      const entry = runStages("- docker: {}", [line])[0]!;
      expect([entry.line, entry.labels.stream, timeOf(entry)]).toEqual(wanted);
    });

  becomes("the example", '{"log":"log message\\n","stream":"stderr","time":"2019-04-30T02:12:41.8443515Z"}', [
    "log message\n",
    "stderr",
    "2019-04-30T02:12:41.8443515Z",
  ]);
  becomes("a time that is none", '{"log":"log message\\n","stream":"stderr","time":"hi!"}', [
    "log message\n",
    "stderr",
    "2023-11-14T22:13:20Z",
  ]);
  becomes("no JSON", "i'm not json!", ["i'm not json!", undefined, "2023-11-14T22:13:20Z"]);
  becomes("nothing of it", "{}", ["{}", undefined, "2023-11-14T22:13:20Z"]);

  test("output, stream and timestamp are extracted", () =>
    expect(
      extractedOut("- docker:", '{"log":"x","stream":"stdout","time":"2019-04-30T02:12:41Z"}', ["output", "stream", "timestamp"]),
    ).toBe("output=x stream=stdout timestamp=2019-04-30T02:12:41Z"));
});
