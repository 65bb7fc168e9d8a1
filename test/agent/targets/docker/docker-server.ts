// A Docker daemon's API as far as logs go, by its public description (https://docs.docker.com/reference/api/engine/): containers with
// logs that tests write to, framed or as a terminal's text, cut into parts as Docker cuts them.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

const PART_BYTES = 16 * 1024;

export interface TestContainer {
  readonly id: string;
  readonly name: string;
  readonly tty: boolean;
  running: boolean;
  readonly labels: Record<string, string>;
  readonly ports: readonly object[];
  readonly networkMode: string;
  readonly networks: Record<string, object | null>;
  log: LogPart[];
}

/** One message of the log: an entry, or a part of a long one. */
interface LogPart {
  readonly stream: "stdout" | "stderr";
  readonly sec: number;
  readonly nanos: number;
  readonly text: Buffer;
}

export interface LogRequestSeen {
  readonly id: string;
  readonly since: string;
  readonly follow: boolean;
}

interface Follower {
  readonly container: TestContainer;
  readonly response: ServerResponse;
}

export const BRIDGE = { NetworkID: "net-bridge", IPAddress: "172.17.0.2" };

export class DockerServer {
  readonly containers = new Map<string, TestContainer>();
  readonly logRequests: LogRequestSeen[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly networks: object[] = [
    { Id: "net-bridge", Name: "bridge", Scope: "local", Internal: false, Ingress: false, Labels: { "com.example.zone": "a" } },
  ];
  /** Answers of this status instead of the log, as many as there are. */
  refuseLogs: { status: number; message: string }[] = [];
  forbidEvents = false;
  #server: Server | undefined;
  readonly #followers = new Set<Follower>();
  readonly #listeners = new Set<ServerResponse>();
  #nanos = 0;

  /** @param at path of a unix socket, or a port of the loopback (0: any) */
  async listen(at: string | number, tls?: ServerOptions): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response);
    const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    this.#server = server;
    await new Promise<void>((resolve) => (typeof at === "string" ? server.listen(at, resolve) : server.listen(at, "127.0.0.1", resolve)));
  }

  get port(): number {
    return (this.#server!.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#followers.clear();
    this.#listeners.clear();
    this.#server?.closeAllConnections();
    await new Promise<void>((resolve) => (this.#server === undefined ? resolve() : this.#server.close(() => resolve())));
    this.#server = undefined;
  }

  run(name: string, options: Partial<TestContainer> = {}): TestContainer {
    const container: TestContainer = {
      id: `id-${name}`,
      name,
      tty: false,
      running: true,
      labels: {},
      ports: [],
      networkMode: "bridge",
      networks: { bridge: BRIDGE },
      log: [],
      ...options,
    };
    this.containers.set(container.id, container);
    this.#tell("start", container.id);
    return container;
  }

  start(container: TestContainer): void {
    container.running = true;
    this.#tell("start", container.id);
  }

  /** The container ends: its followers get the end of the log. */
  end(container: TestContainer): void {
    container.running = false;
    for (const follower of this.#followers) {
      if (follower.container !== container) continue;
      follower.response.end();
      this.#followers.delete(follower);
    }
    this.#tell("die", container.id);
  }

  remove(container: TestContainer): void {
    this.containers.delete(container.id);
    this.#tell("destroy", container.id);
  }

  /** Cuts every log stream in the middle of whatever was being sent. */
  cut(): void {
    for (const { response } of this.#followers) response.socket?.destroy();
    this.#followers.clear();
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  nextTime(): readonly [sec: number, nanos: number] {
    this.#nanos += 1_000;
    return [1_700_000_000, this.#nanos];
  }

  /** Writes a line as the container would. Times grow by a microsecond per line unless one is given. */
  write(container: TestContainer, text: string, options: { stream?: "stdout" | "stderr"; at?: readonly [number, number] } = {}): void {
    const [sec, nanos] = options.at ?? this.nextTime();
    const stream = options.stream ?? "stdout";
    const line = Buffer.from(`${text}\n`);
    for (let start = 0; start < line.length; start += PART_BYTES) {
      this.writePart(container, { stream, sec, nanos, text: line.subarray(start, start + PART_BYTES) });
    }
  }

  writePart(container: TestContainer, part: LogPart): void {
    container.log.push(part);
    for (const follower of this.#followers) if (follower.container === container) follower.response.write(encode(container, part));
  }

  #tell(action: string, id: string): void {
    for (const response of this.#listeners) {
      response.write(`${JSON.stringify({ Type: "container", Action: action, Actor: { ID: id } })}\n`);
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, "http://docker");
    const filters = JSON.parse(url.searchParams.get("filters") ?? "{}") as Record<string, string[]>;
    this.authorizations.push(request.headers.authorization);
    const [, id = "", what = ""] = /^\/containers\/([^/]+)\/(json|logs)$/.exec(url.pathname) ?? [];
    const json = (body: unknown, status = 200): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (url.pathname === "/containers/json") return json(this.#list(url.searchParams.get("all") === "1", filters));
    if (url.pathname === "/networks") return json(this.networks);
    if (url.pathname === "/events") {
      if (this.forbidEvents) return json({ message: "forbidden" }, 403);
      response.writeHead(200).flushHeaders();
      this.#listeners.add(response);
      return;
    }
    const container = this.containers.get(id);
    if (container === undefined) return json({ message: `No such container: ${id}` }, 404);
    if (what === "json") return json({ Id: id, State: { Running: container.running }, Config: { Tty: container.tty } });
    this.#sendLog(container, url.searchParams, response);
  }

  #list(all: boolean, filters: Record<string, string[]>): object[] {
    const chosen = [...this.containers.values()].filter((container) => {
      if (!all && !container.running) return false;
      if (filters.id !== undefined && !filters.id.some((start) => container.id.startsWith(start))) return false;
      if (filters.name !== undefined && !filters.name.some((part) => container.name.includes(part))) return false;
      const wanted = (filters.label ?? []).map((pair) => pair.split("="));
      return wanted.every(([name, value]) => (value === undefined ? name! in container.labels : container.labels[name!] === value));
    });
    return chosen.map(({ id, name, labels, ports, networkMode, networks }) => ({
      Id: id,
      Names: [`/${name}`],
      Labels: labels,
      Ports: ports,
      HostConfig: { NetworkMode: networkMode },
      NetworkSettings: { Networks: networks },
    }));
  }

  #sendLog(container: TestContainer, query: URLSearchParams, response: ServerResponse): void {
    const follow = query.get("follow") === "1";
    const since = query.get("since") ?? "0";
    this.logRequests.push({ id: container.id, since, follow });
    const refusal = this.refuseLogs.shift();
    if (refusal !== undefined) return void response.writeHead(refusal.status).end(JSON.stringify({ message: refusal.message }));
    response.writeHead(200, { "content-type": "application/octet-stream" }).flushHeaders();
    for (const part of container.log) if (part.sec >= Number(since)) response.write(encode(container, part));
    if (!follow || !container.running) return void response.end();
    this.#followers.add({ container, response });
  }
}

function encode({ tty }: TestContainer, { stream, sec, nanos, text }: LogPart): Buffer {
  const time = `${new Date(sec * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, "0")}Z `;
  const payload = Buffer.concat([Buffer.from(time), text]);
  if (tty) return payload;
  const header = Buffer.alloc(8);
  header[0] = stream === "stdout" ? 1 : 2;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}
