import { describe, expect, test } from "vitest";
import { checkConfig, parseYaml } from "../../../lib/runtime/config-file.ts";
import { limitsSchema } from "../../../server/config/limits.ts";
import { printServerConfig } from "../../../server/config/print.ts";
import { serverSchema } from "../../../server/config/schema.ts";
import { remoteWriteSettings } from "../../../server/ruler/settings.ts";

const read = (yaml: string) => checkConfig(parseYaml(yaml, "loki.yaml"), serverSchema);

const WHOLE = `
ruler:
  alertmanager_url: http://am-1:9093,http://u:p@am-2:9093/path
  alertmanager_client: {basic_auth_username: u, basic_auth_password: secret1, tls_ca_path: /ca.pem}
  enable_alertmanager_v2: true
  enable_api: true
  enable_sharding: false
  ring: {kvstore: {store: inmemory}}
  evaluation: {mode: remote, max_jitter: 10s}
  external_url: https://grafana.example
  external_labels: {cluster: c1}
  rule_path: /tmp/rules
  storage: {type: local, local: {directory: /rules}, s3: {bucketnames: b}}
  wal: {dir: /wal, truncate_frequency: 1h, max_age: 2h}
  wal_cleaner: {period: 1h}
  remote_write:
    enabled: true
    config_refresh_period: 5s
    client: {url: "http://old:9090/api/v1/write"}
    clients:
      prom:
        url: http://user:secret2@prom:9090/api/v1/write
        headers: {Authorization: secret3, X-Other: shown}
        basic_auth: {username: u, password: secret4}
        queue_config: {capacity: 1, max_shards: 2, max_samples_per_send: 3, batch_send_deadline: 1s, min_backoff: 1s}
        write_relabel_configs: [{source_labels: [a], regex: b, action: Drop}]
        tls_config: {insecure_skip_verify: true}
ruler_storage: {backend: local, local: {directory: /rules}}
`;

test("Loki's whole block is read", () => {
  const { ruler, limits_config } = read(WHOLE);
  const [first, prom] = remoteWriteSettings(ruler, "t", limits_config);
  expect(first).toMatchObject({ id: "default", url: "http://old:9090/api/v1/write", samplesPerSendMax: 2000, batchDeadlineMs: 5000 });
  expect(prom).toMatchObject({
    id: "prom",
    samplesPerSendMax: 3,
    batchDeadlineMs: 1000,
    minBackoffMs: 1000,
    maxBackoffMs: 5000,
    access: {
      headers: { "X-Other": "shown", "X-Scope-OrgID": "t" },
      login: { kind: "basic", username: "u", password: "secret4" },
      tls: { insecureSkipVerify: true },
      timeoutMs: 30_000,
    },
  });
  expect(ruler.wal.max_age).toBe(7_200_000);
});

test("secrets are not shown", () => {
  const shown = printServerConfig(read(WHOLE));
  expect(shown).not.toMatch(/secret\d/);
  expect(shown).toContain("http://user:xxxxx@prom:9090/api/v1/write");
  expect(shown).toContain("http://am-1:9093,http://u:xxxxx@am-2:9093/path");
  expect(shown).toContain("X-Other: shown");
  expect(printServerConfig({ overrides: { t: { ruler_remote_write_headers: { authorization: "secret1" } } } })).not.toContain("secret1");
});

describe("what is refused", () => {
  for (const [yaml, fault] of [
    ["ruler: {alertmanager_urls: x}", 'loki.yaml:1:9: unknown key ruler.alertmanager_urls; did you mean "alertmanager_url"?'],
    [
      "ruler: {alertmanager_url: am:9093}",
      "loki.yaml:1:9: ruler.alertmanager_url: expected URLs such as http://alertmanager:9093, comma separated",
    ],
    [
      "ruler: {remote_write: {clients: {a: {url: prom}}}}",
      "ruler.remote_write.clients.a.url: expected a URL such as http://host:9090/path",
    ],
    [
      "ruler: {remote_write: {clients: {a: {sigv4: {region: x}}}}}",
      "ruler.remote_write.clients.a.sigv4: this way to authenticate is not part of this version",
    ],
    ["ruler: {remote_write: {clients: {a: {proxy_url: 'http://p'}}}}", "remote write through a proxy is not part of this version"],
    ["ruler: {alert_relabel_configs: [{regex: '('}]}", "ruler.alert_relabel_configs[0].regex: error parsing regexp: missing closing )"],
    ["ruler: {alert_relabel_configs: [{action: hashmod, target_label: a}]}", "relabel configuration for hashmod requires non-zero modulus"],
    ["ruler: {storage: {type: tape}}", "ruler.storage.type: Invalid option"],
    ["ruler: {evaluation_interval: 1d}", "ruler.evaluation_interval: "],
  ] as const) {
    test(yaml, () => expect(() => read(yaml)).toThrow(fault));
  }
});

test("limits have their defaults", () =>
  expect(limitsSchema.parse({})).toMatchObject({
    ruler_evaluation_delay_duration: 0,
    ruler_max_rules_per_rule_group: 0,
    ruler_max_rule_groups_per_tenant: 0,
    ruler_remote_write_disabled: false,
  }));
