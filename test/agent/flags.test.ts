import { describe, expect, test } from "vitest";
import { Plain } from "../../agent/config/written.ts";
import { AGENT_FLAGS, type AgentFlags, parseAgentFlags } from "../../agent/flags.ts";

const takes = (name: string, args: string[], check: (flags: AgentFlags) => void): void => test(name, () => check(parseAgentFlags(args)));
const sets = (name: string, arg: string, key: string, wanted: string | Plain): void =>
  takes(name, [arg], ({ overrides }) => expect(Object.fromEntries(overrides)).toEqual({ [key]: wanted }));
const refuses = (name: string, args: string[], words: RegExp): void => test(name, () => expect(() => parseAgentFlags(args)).toThrow(words));

describe("flags", () => {
  takes("with one dash, two dashes, a value behind", ["-dry-run", "--inspect=true", "-config.file", "a.yaml"], (flags) =>
    expect([flags.dryRun, flags.inspect, flags.configFiles]).toEqual([true, true, ["a.yaml"]]),
  );
  takes("a boolean that is false", ["-dry-run=false"], (flags) => expect(flags.dryRun).toBe(false));
  takes("none", [], (flags) => expect([flags.overrides.size, flags.configFiles]).toEqual([0, []]));
  takes("labels", ["-client.external-labels=a=b,c=d=e"], (flags) => expect(flags.externalLabels).toEqual({ a: "b", c: "d=e" }));
  sets("a port", "-server.http-listen-port=9080", "server.http_listen_port", new Plain(9080, "9080"));
  sets("a duration", "-positions.sync-period=1m", "positions.sync_period", "1m");
  sets("a rate", "-limit.readline-rate=1.5", "limits_config.readline_rate", new Plain(1.5, "1.5"));
  sets("a size", "-max-line-size=256kb", "limits_config.max_line_size", "256kb");
  sets("stdin", "-stdin", "target_config.stdin", new Plain(true));
  sets("a client", "--client.url=http://h/", "client.url", "http://h/");
  refuses("an unknown one", ["-nope"], /flag provided but not defined: -nope/);
  refuses("a value that is missing", ["-config.file"], /flag needs an argument: -config\.file/);
  refuses("a duration without unit", ["-client.timeout=5"], /invalid value "5" for flag -client\.timeout: parse error/);
  refuses("a number that is none", ["-server.http-listen-port=x"], /invalid value "x" for flag -server\.http-listen-port/);
  refuses("a label without value", ["-client.external-labels=a"], /name=value/);
  refuses("an argument that is no flag", ["promtail.yaml"], /unexpected argument "promtail\.yaml"/);
  test("every flag of the reference is there", () => {
    for (const name of "config.file config.expand-env check-syntax dry-run inspect stdin print-config-stderr log-config-reverse-order version help positions.file positions.sync-period positions.ignore-invalid-yaml target.sync-period file-watch.min_poll_frequency file-watch.max_poll_frequency limit.readline-rate limit.readline-burst limit.readline-rate-enabled limit.readline-rate-drop max-streams max-line-size max-line-size-truncate client.url client.batch-wait client.batch-size-bytes client.max-retries client.min-backoff client.max-backoff client.timeout client.external-labels client.tenant-id client.drop-rate-limited-batches server.http-listen-port server.http-listen-address server.grpc-listen-port server.grpc-listen-address server.disable server.profiling_enabled server.enable-runtime-reload server.register-instrumentation server.graceful-shutdown-timeout log.level log.format".split(
      " ",
    ))
      expect(AGENT_FLAGS[name], name).toBeDefined();
  });
});
