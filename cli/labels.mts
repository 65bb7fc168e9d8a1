// `skald labels [name]`: label names, or the values of one.

import { CLIENT_FLAGS, ClientError, createClient, timeRange } from "./client.mts";
import { runCommand } from "./run-command.mts";

const FLAGS = { ...CLIENT_FLAGS, query: { kind: "string", help: "Only of streams that match this selector." } } as const;

export function labels(args: readonly string[]): Promise<number> {
  return runCommand("labels", args, FLAGS, async ({ given, rest }) => {
    if (rest.length > 1) throw new ClientError(`one label name at most, got ${rest.length}`);
    const path = rest[0] === undefined ? "/loki/api/v1/labels" : `/loki/api/v1/label/${encodeURIComponent(rest[0])}/values`;
    const answer = (await createClient(given).get(path, {
      ...timeRange(given, Date.now()),
      ...(given.has("query") ? { query: given.get("query")! } : {}),
    })) as { data?: string[] };
    process.stdout.write((answer.data ?? []).map((item) => `${item}\n`).join(""));
  });
}
