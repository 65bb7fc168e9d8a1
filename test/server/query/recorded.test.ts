import { describe, expect, test } from "vitest";
import { isQuery, RecordedServer, recordedFiles } from "./recorded.ts";

/** Needs tenants, limits or configurations of the running server: checked by the conformance runner. */
const ELSEWHERE = new Set(["tenants", "limits", "limits-bytes", "logcli", "push", "push-errors", "otlp"]);

for (const file of recordedFiles().filter(({ topic }) => !ELSEWHERE.has(topic))) {
  const cases = file.cases.filter((one) => isQuery(one));
  if (cases.length === 0) continue;
  describe(`recorded: ${file.topic}`, () => {
    const server = new RecordedServer(file, 50);
    for (const one of cases) {
      test(one.id, async () => {
        const tenant = one.tenant ?? file.tenant ?? "fake";
        if (one.given !== undefined) server.push(tenant, one.given);
        const found: string[] = [];
        for (const step of [one, ...(one.then ?? [])])
          if (isQuery(step)) found.push(...(await server.differences(step, { ...one.compare, ...step.compare }, tenant)));
        if (one.loki_bug === undefined) expect(found, found.join("\n")).toEqual([]);
      });
    }
  });
}
