import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { consulAgentSdSchema, consulSdSchema } from "../../../../agent/config/discoveries.ts";
import { consulAgentDiscovery } from "../../../../agent/discovery/consul/agent.ts";
import { consulDiscovery } from "../../../../agent/discovery/consul/catalog.ts";
import type { Discovery } from "../../../../agent/discovery/discovery.ts";
import { createLog } from "../../../../lib/runtime/log.ts";
import { Told } from "../told.ts";
import { ConsulServer } from "./consul-server.ts";

let consul: ConsulServer;
let discovery: Discovery | undefined;
let told: Told;
let logged: string[];
const log = () => createLog({ write: (line) => logged.push(line) });

beforeEach(async () => {
  consul = new ConsulServer();
  await consul.listen();
  told = new Told();
  logged = [];
});
afterEach(async () => {
  await discovery?.stop();
  await consul.close();
});

describe("the catalogue", () => {
  const start = async (config: object = {}): Promise<void> => {
    discovery = consulDiscovery(consulSdSchema().parse({ server: consul.host, refresh_interval: "100ms", ...config }), log());
    await told.start(discovery);
  };

  test("tells Prometheus' labels", async () => {
    consul.services = { web: [{ address: "", tags: ["a", "b"], status: "warning" }] };
    await start();
    expect([...told.groups.values()]).toEqual([
      {
        source: "web",
        labels: { __meta_consul_service: "web", __meta_consul_dc: "dc1" },
        targets: [
          {
            __address__: "192.0.2.1:80",
            __meta_consul_address: "192.0.2.1",
            __meta_consul_node: "node-a",
            __meta_consul_namespace: "",
            __meta_consul_partition: "",
            __meta_consul_tags: ",a,b,",
            __meta_consul_service_address: "",
            __meta_consul_service_port: "80",
            __meta_consul_service_id: "web-0",
            __meta_consul_health: "warning",
            __meta_consul_metadata_rack_no: "r1",
            __meta_consul_service_metadata_log_path: "/var/log",
            __meta_consul_tagged_address_wan: "198.51.100.1",
          },
        ],
      },
    ]);
  });

  test("asks with what is configured", async () => {
    consul.services = { web: [{ address: "10.0.0.1", tags: ["log"] }], other: [{ address: "10.0.0.2" }] };
    await start({
      token: "t0k",
      datacenter: "dc9",
      path_prefix: "/prefix/",
      tags: ["log"],
      node_meta: { rack: "r1" },
      filter: "f",
      health_filter: "h",
      namespace: "n",
      username: "u",
      password: "p",
    });
    expect(told.addresses).toEqual(["web: 10.0.0.1:80"]);
    expect(consul.seen.slice(0, 2).map(({ path, query }) => `${path}?${query}`)).toEqual([
      "/prefix/v1/catalog/services?dc=dc9&index=0&wait=120000ms&stale=&ns=n&filter=f&node-meta=rack%3Ar1",
      "/prefix/v1/health/service/web?dc=dc9&index=0&wait=120000ms&stale=&ns=n&filter=h&tag=log&node-meta=rack%3Ar1",
    ]);
    expect(consul.seen[0]!.headers).toMatchObject({ "x-consul-token": "t0k", authorization: "Basic dTpw" });
  });

  test("is followed by blocking queries: services and instances come and go", async () => {
    consul.services = { web: [{ address: "10.0.0.1" }] };
    await start();
    await told.become(["web: 10.0.0.1:80"]);
    consul.change({ web: [{ address: "10.0.0.1" }, { address: "10.0.0.2" }], db: [{ address: "10.0.0.3" }] });
    await told.become(["db: 10.0.0.3:80", "web: 10.0.0.1:80 10.0.0.2:80"]);
    consul.change({ db: [{ address: "10.0.0.3" }] });
    await told.become(["db: 10.0.0.3:80"]);
  });

  test("of named services is not listed", async () => {
    consul.services = { web: [{ address: "10.0.0.1" }], db: [{ address: "10.0.0.2" }] };
    await start({ services: ["web"] });
    expect(told.addresses).toEqual(["web: 10.0.0.1:80"]);
    expect(consul.seen.map(({ path }) => path)).not.toContain("/v1/catalog/services");
  });

  test("keeps its targets while Consul fails, and begins anew when the index went back", async () => {
    consul.services = { web: [{ address: "10.0.0.1" }] };
    await start();
    await told.become(["web: 10.0.0.1:80"]);
    consul.failing = true;
    consul.change({});
    for (let tries = 0; tries < 100 && !logged.join("").includes("No cluster leader"); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(told.addresses).toEqual(["web: 10.0.0.1:80"]);
    consul.failing = false;
    consul.change({ web: [{ address: "10.0.0.9" }] }, 3);
    await told.become(["web: 10.0.0.9:80"]);
  });
});

describe("the agent", () => {
  const start = async (config: object = {}): Promise<void> => {
    discovery = consulAgentDiscovery(consulAgentSdSchema().parse({ server: consul.host, refresh_interval: "1s", ...config }), log());
    await told.start(discovery);
  };

  test("tells Promtail's labels, of unhealthy services too", async () => {
    consul.services = { web: [{ address: "", tags: ["a"], status: "critical" }] };
    await start();
    expect([...told.groups.values()]).toEqual([
      {
        source: "web",
        labels: { __meta_consulagent_service: "web", __meta_consulagent_dc: "dc1" },
        targets: [
          {
            __address__: "192.0.2.1:80",
            __meta_consulagent_address: "192.0.2.1",
            __meta_consulagent_node: "node-a",
            __meta_consulagent_tags: ",a,",
            __meta_consulagent_service_address: "",
            __meta_consulagent_service_port: "80",
            __meta_consulagent_service_id: "web-0",
            __meta_consulagent_health: "critical",
            __meta_consulagent_metadata_rack: "r1",
            __meta_consulagent_service_metadata_log_path: "/var/log",
            __meta_consulagent_tagged_address_lan: "10.0.0.1:80",
          },
        ],
      },
    ]);
  });

  test("is asked again: services by name and tag come and go, and stay while it fails", async () => {
    consul.services = { web: [{ address: "10.0.0.1", tags: ["log"] }], db: [{ address: "10.0.0.2" }], x: [{ address: "10.0.0.3" }] };
    await start({ services: ["web", "db"], tags: ["log"] });
    expect(told.addresses).toEqual(["web: 10.0.0.1:80"]);
    consul.failing = true;
    for (let tries = 0; tries < 100 && !logged.join("").includes("the former ones stay"); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(told.addresses).toEqual(["web: 10.0.0.1:80"]);
    consul.failing = false;
    consul.services = { db: [{ address: "10.0.0.2", tags: ["log"] }] };
    await told.become(["db: 10.0.0.2:80"]);
  });
});
