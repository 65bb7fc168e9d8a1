import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { consulAgentSdSchema, consulSdSchema } from "../../../../agent/config/discoveries.ts";
import { consulAgentDiscovery } from "../../../../agent/discovery/consul/agent.ts";
import { consulDiscovery } from "../../../../agent/discovery/consul/catalog.ts";
import type { Discovery } from "../../../../agent/discovery/discovery.ts";
import { createLog } from "../../../../lib/runtime/log.ts";
import { Told } from "../told.ts";

interface Instance {
  readonly address: string;
  readonly tags?: readonly string[];
  readonly status?: string;
}

/** Consul's API with blocking queries: a question with the index of now is answered when something changes. */
class ConsulServer {
  services: Record<string, Instance[]> = {};
  index = 10;
  failing = false;
  readonly seen: { readonly path: string; readonly query: URLSearchParams; readonly headers: IncomingMessage["headers"] }[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
  change(services: Record<string, Instance[]>, index = this.index + 1): void {
    this.services = services;
    this.index = index;
    for (const wake of [...this.#waiting]) wake();
    this.#waiting.clear();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, "http://consul");
    this.seen.push({ path: url.pathname, query: url.searchParams, headers: request.headers });
    if (this.failing) return void response.writeHead(500).end("No cluster leader");
    const send = (): void => {
      const [status, body] = this.#bodyOf(url);
      response.writeHead(status, { "x-consul-index": String(this.index) }).end(JSON.stringify(body));
    };
    if (url.searchParams.get("index") === String(this.index)) this.#waiting.add(send);
    else send();
  }

  #bodyOf(url: URL): [number, unknown] {
    const path = url.pathname.replace(/^\/prefix/, "");
    const name = decodeURIComponent(path.split("/").at(-1)!);
    const of = (at: string): Instance[] => this.services[at] ?? [];
    const service = (at: string, { address, tags = [] }: Instance, i: number) => ({
      ID: `${at}-${i}`,
      Service: at,
      Tags: tags,
      Address: address,
      Port: 80,
      Meta: { "log.path": "/var/log" },
      TaggedAddresses: { lan: { Address: "10.0.0.1", Port: 80 } },
    });
    if (path === "/v1/agent/self") {
      return [200, { Config: { Datacenter: "dc1", NodeName: "node-a" }, Member: { Addr: "192.0.2.1" }, Meta: { rack: "r1", n: 1 } }];
    }
    if (path === "/v1/catalog/services") {
      return [200, Object.fromEntries(Object.entries(this.services).map(([key, all]) => [key, all.flatMap(({ tags = [] }) => tags)]))];
    }
    if (path === "/v1/agent/services") {
      const all = Object.entries(this.services).flatMap(([key, list]) => list.map((one, i) => service(key, one, i)));
      return [200, Object.fromEntries(all.map((one) => [one.ID, one]))];
    }
    if (path.startsWith("/v1/agent/health/")) {
      const worst = of(name).some(({ status }) => status === "critical") ? 503 : 200;
      return [worst, of(name).map((one, i) => ({ AggregatedStatus: one.status ?? "passing", Service: service(name, one, i) }))];
    }
    const wanted = url.searchParams.getAll("tag");
    return [
      200,
      of(name)
        .filter(({ tags = [] }) => wanted.every((tag) => tags.includes(tag)))
        .map((one, i) => ({
          Node: { Node: "node-a", Address: "192.0.2.1", Meta: { "rack-no": "r1" }, TaggedAddresses: { wan: "198.51.100.1" } },
          Service: service(name, one, i),
          Checks: [
            { CheckID: "c", Status: "passing" },
            { CheckID: "d", Status: one.status ?? "passing" },
          ],
        })),
    ];
  }
}

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
