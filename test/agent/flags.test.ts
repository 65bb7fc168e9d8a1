import { describe, expect, test } from "vitest";
import { Plain } from "../../agent/config/written.ts";
import { AGENT_FLAGS, type AgentFlags, parseAgentFlags } from "../../agent/flags.ts";
import { usageOf } from "../../lib/runtime/flags.ts";

const takes = (name: string, args: string[], check: (flags: AgentFlags) => void): void => test(name, () => check(parseAgentFlags(args)));
const sets = (name: string, arg: string, key: string, wanted: string | Plain): void =>
  takes(name, [arg], ({ overrides }) => expect(Object.fromEntries(overrides)).toEqual({ [key]: wanted }));
const refuses = (name: string, args: string[], words: RegExp): void => test(name, () => expect(() => parseAgentFlags(args)).toThrow(words));

describe("flags", () => {
  takes("with one dash, two dashes, a value behind", ["-dry-run", "--inspect=true", "-config.file", "a.yaml"], (flags) =>
    expect([flags.dryRun, flags.inspect, flags.configFiles]).toEqual([true, true, ["a.yaml"]]),
  );
  takes("several files", ["-config.file", "/a.yaml, /b.yaml"], (flags) => expect(flags.configFiles).toEqual(["/a.yaml", "/b.yaml"]));
  takes("a boolean that is false", ["-dry-run=false"], (flags) => expect(flags.dryRun).toBe(false));
  takes("none", [], (flags) => expect([flags.overrides.size, flags.configFiles]).toEqual([0, []]));
  takes("labels", ["-client.external-labels=a=b,c=d=e"], (flags) => expect(flags.externalLabels).toEqual({ a: "b", c: "d=e" }));
  sets("a port", "-server.http-listen-port=9080", "server.http_listen_port", new Plain(9080, "9080"));
  sets("a port as Go writes numbers", "-server.http-listen-port=0x1F_90", "server.http_listen_port", new Plain(8080, "0x1F_90"));
  sets("a number without sign", "-server.grpc-max-concurrent-streams=10", "server.grpc_server_max_concurrent_streams", new Plain(10, "10"));
  sets("a duration", "-positions.sync-period=1m", "positions.sync_period", "1m");
  sets("a rate", "-limit.readline-rate=1.5", "limits_config.readline_rate", new Plain(1.5, "1.5"));
  sets("a rate without bound", "-limit.readline-rate=inf", "limits_config.readline_rate", new Plain(Number.POSITIVE_INFINITY, "inf"));
  sets("a list", "-server.cluster-validation.http.excluded-paths=/a,/b", "server.cluster_validation.http.excluded_paths", "/a,/b");
  takes("one that no key belongs to", ["-server.throughput.unit=x"], ({ overrides }) => expect(overrides.size).toBe(0));
  sets("a size", "-max-line-size=256kb", "limits_config.max_line_size", "256kb");
  sets("no size", "-max-line-size=", "limits_config.max_line_size", "");
  sets("stdin", "-stdin", "target_config.stdin", new Plain(true));
  sets("a client", "--client.url=http://h/", "client.url", "http://h/");
  refuses("an unknown one", ["-nope"], /flag provided but not defined: -nope/);
  refuses("a value that is missing", ["-config.file"], /flag needs an argument: -config\.file/);
  refuses("a duration without unit", ["-client.timeout=5"], /invalid value "5" for flag -client\.timeout: parse error/);
  refuses("a number that is none", ["-server.http-listen-port=x"], /invalid value "x" for flag -server\.http-listen-port/);
  refuses("a number with a sign where none may be", ["-server.grpc-max-concurrent-streams=-1"], /invalid value "-1" .*: parse error/);
  refuses("a level that is none", ["-log.level="], /invalid value "" for flag -log\.level: it is one of debug, info, warn, error/);
  refuses("a URL that is none", ["-client.url=:bad"], /invalid value ":bad" for flag -client\.url: parse ":bad": missing protocol scheme/);
  takes("up to an argument that is none", ["-stdin", "-config.expand-env", "true", "-config.file=a"], (flags) =>
    expect([flags.overrides.size, flags.expandEnv, flags.configFiles, flags.ignored]).toEqual([1, true, [], ["true", "-config.file=a"]]),
  );
  test("every flag of the reference is there", () => {
    for (const name of "server.tls-cipher-suites server.tls-min-version server.grpc-tls-cert-path server.grpc-tls-key-path server.grpc-tls-client-auth server.grpc-tls-ca-path server.grpc-collect-max-streams-by-conn server.report-grpc-codes-in-instrumentation-label-enabled server.http-read-header-timeout server.http-log-closed-connections-without-response-enabled server.grpc.keepalive.max-connection-idle server.grpc.keepalive.max-connection-age server.grpc.keepalive.max-connection-age-grace server.grpc.keepalive.time server.grpc.keepalive.timeout server.grpc.keepalive.min-time-between-pings server.grpc.keepalive.ping-without-stream-allowed server.grpc.stats-tracking-enabled server.grpc.recv-buffer-pools-enabled server.grpc.num-workers server.grpc.read-buffer-size-bytes server.grpc.write-buffer-size-bytes server.log-source-ips-enabled server.log-source-ips-full server.log-source-ips-header server.log-source-ips-regex server.log-request-headers server.log-request-headers-exclude-list server.log-request-at-info-level-enabled server.trace-request-headers server.trace-request-headers-exclude-list server.create-new-traces server.proxy-protocol-enabled server.throughput.latency-cutoff server.throughput.unit server.cluster-validation.label server.cluster-validation.grpc.enabled server.cluster-validation.grpc.soft-validation server.cluster-validation.http.enabled server.cluster-validation.http.soft-validation server.cluster-validation.http.excluded-paths server.cluster-validation.http.excluded-user-agents tracing.enabled tracing.filter-gcs-spans tracing.profiling-enabled config.file config.expand-env check-syntax dry-run inspect stdin print-config-stderr log-config-reverse-order version help positions.file positions.sync-period positions.ignore-invalid-yaml target.sync-period file-watch.min_poll_frequency file-watch.max_poll_frequency limit.readline-rate limit.readline-burst limit.readline-rate-enabled limit.readline-rate-drop max-streams max-line-size max-line-size-truncate client.url client.batch-wait client.batch-size-bytes client.max-retries client.min-backoff client.max-backoff client.timeout client.external-labels client.tenant-id client.drop-rate-limited-batches server.http-listen-port server.http-listen-address server.grpc-listen-port server.grpc-listen-address server.disable server.profiling_enabled server.enable-runtime-reload server.register-instrumentation server.graceful-shutdown-timeout log.level log.format".split(
      " ",
    ))
      expect(AGENT_FLAGS[name], name).toBeDefined();
  });
});

describe("labels of the command line", () => {
  const reads = (written: string, labels: Record<string, string>): void =>
    takes(written, [`-client.external-labels=${written}`], ({ externalLabels }) => expect(externalLabels).toEqual(labels));
  reads("a=b", { a: "b" });
  reads("a=b,c", { a: "b,c" });
  reads('"a=b"', { a: "b" });
  reads("a=", { a: "" });
  reads('"a=x,y",c=d', { a: "x,y", c: "d" });
  reads('"a=""x""",c=d', { a: '"x"', c: "d" });
  for (const written of ["", "a", "=b", "a=b,,c=d", "a=b,c=d,", 'a=b,c="d"', 'a=b,"c=d" x'])
    refuses(`not ${written}`, [`-client.external-labels=${written}`], /for flag -client\.external-labels: expected name=value/);
});

describe("the usage has Go's form", () => {
  const usage = usageOf("skald agent", AGENT_FLAGS);
  for (const [name, pattern] of [
    ["text", /^ {2}-positions\.file string\n {4}\t.* \(default "\/var\/log\/positions\.yaml"\)$/m],
    ["whole number", /^ {2}-server\.http-listen-port int\n {4}\t.* \(default 80\)$/m],
    ["whole number without sign", /^ {2}-server\.grpc-max-concurrent-streams uint\n {4}\t.* \(default 100\)$/m],
    ["number", /^ {2}-limit\.readline-rate float\n {4}\t.* \(default 10000\)$/m],
    ["duration", /^ {2}-server\.grpc\.keepalive\.max-connection-idle duration\n {4}\t.* \(default 2562047h47m16\.854775807s\)$/m],
    ["boolean", /^ {2}-server\.register-instrumentation\n {4}\t.* \(default true\)$/m],
    ["size, with no word of its default, which is 0", /^ {2}-max-line-size value\n {4}\t[^()]*$/m],
    ["level", /^ {2}-log\.level value\n {4}\t.* \(default info\)$/m],
    ["URL", /^ {2}-client\.url value\n/m],
    ["set of labels", /^ {2}-client\.external-labels value\n/m],
  ] as const)
    test(`for a ${name}`, () => expect(usage).toMatch(pattern));
});
