import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Instance {
  readonly address: string;
  readonly tags?: readonly string[];
  readonly status?: string;
}

/** Consul's API with blocking queries: a question with the index of now is answered when something changes. */
export class ConsulServer {
  services: Record<string, Instance[]> = {};
  index = 10;
  failing = false;
  /** So many of the next answers end in the middle. */
  garbage = 0;
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
    if (this.garbage > 0) {
      this.garbage--;
      return void response.writeHead(200, { "x-consul-index": String(this.index) }).end('{"shop": [');
    }
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
