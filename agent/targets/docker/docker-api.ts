// The part of the Docker Engine API that brings logs: containers, networks, events, and the log stream of a container.
// https://docs.docker.com/reference/api/engine/ ; paths without a version are answered by the daemon's newest one.

import type { Readable } from "node:stream";
import { ApiClient, ApiError, type ApiOptions } from "../../client/api-client.ts";
import type { TransportShared } from "../../client/transport.ts";
import { httpOf } from "../../client-settings.ts";
import type { DockerSdConfig } from "../../config/discoveries.ts";

/** Of `GET /containers/json`, what is used. The daemon leaves out what is empty. */
export interface DockerContainer {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Ports?: readonly DockerPort[] | null;
  readonly HostConfig?: { readonly NetworkMode?: string } | null;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, DockerEndpoint | null>> | null } | null;
}

export interface DockerPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type?: string;
}

export interface DockerEndpoint {
  readonly NetworkID?: string;
  readonly IPAddress?: string;
}

/** Of `GET /networks`. */
export interface DockerNetwork {
  readonly Id: string;
  readonly Name?: string;
  readonly Scope?: string;
  readonly Internal?: boolean;
  readonly Ingress?: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

export interface ContainerState {
  readonly running: boolean;
  /** Its log stream is bare text instead of frames. */
  readonly tty: boolean;
}

export interface LogRequest {
  /** Whole seconds since 1970; entries of that second and later come. 0: all there are. */
  readonly sinceSec: number;
  /** Goes on with what is written from now on, until the container ends. */
  readonly follow: boolean;
}

type Filters = Readonly<Record<string, readonly string[]>>;

const TIMEOUT_MS = 30_000;
/** Every container that is followed keeps a connection. */
const SOCKETS_MAX = 100_000;

export class DockerApi {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  async containers(
    options: { readonly all: boolean; readonly filters: Filters },
    signal: AbortSignal,
  ): Promise<readonly DockerContainer[]> {
    const query = new URLSearchParams({ filters: JSON.stringify(options.filters) });
    if (options.all) query.set("all", "1");
    return listOf(await this.#client.json("/containers/json", { query, signal, timeoutMs: TIMEOUT_MS }), "/containers/json");
  }

  async networks(signal: AbortSignal): Promise<readonly DockerNetwork[]> {
    return listOf(await this.#client.json("/networks", { signal, timeoutMs: TIMEOUT_MS }), "/networks");
  }

  /** Undefined when there is no such container any more. */
  async inspect(id: string, signal: AbortSignal): Promise<ContainerState | undefined> {
    const path = `/containers/${encodeURIComponent(id)}/json`;
    const answer = await this.#client.json(path, { signal, timeoutMs: TIMEOUT_MS, statuses: [404] });
    if (answer.status === 404) return undefined;
    const { State, Config } = (answer.body ?? {}) as { State?: { Running?: boolean }; Config?: { Tty?: boolean } };
    return { running: State?.Running === true, tty: Config?.Tty === true };
  }

  /** Both streams of a container, each entry with its time in front. The caller destroys it. @throws ApiError, Error */
  async logs(id: string, { sinceSec, follow }: LogRequest, signal: AbortSignal): Promise<Readable> {
    const query = new URLSearchParams({ stdout: "1", stderr: "1", timestamps: "1", since: String(sinceSec) });
    if (follow) query.set("follow", "1");
    const path = `/containers/${encodeURIComponent(id)}/logs`;
    return (await this.#client.stream(path, { query, signal, timeoutMs: TIMEOUT_MS })).body;
  }

  /** A JSON object per line for each event, from now on. The caller destroys it. */
  async events(filters: Filters, signal: AbortSignal): Promise<Readable> {
    const query = new URLSearchParams({ filters: JSON.stringify(filters) });
    return (await this.#client.stream("/events", { query, signal, timeoutMs: TIMEOUT_MS })).body;
  }

  close(): void {
    this.#client.close();
  }
}

/** @throws Error when the host cannot be used or a certificate cannot be read */
export function openDockerApi(config: DockerSdConfig, shared: Omit<TransportShared, "userAgent">): DockerApi {
  return new DockerApi(new ApiClient({ ...httpOf(config), ...addressOf(config), socketsMax: SOCKETS_MAX }, shared));
}

/** `unix:///path`, `npipe:////./pipe/name`, `tcp://host:port` (TLS when `tls_config` is there), `http://`, `https://` */
function addressOf({ host, tls_config: tls }: DockerSdConfig): Pick<ApiOptions, "url" | "socketPath"> {
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/.exec(host) ?? [];
  const address = rest.replace(/\/+$/, "");
  if (scheme === "unix" || scheme === "npipe")
    return { url: "http://docker", socketPath: scheme === "unix" ? rest : rest.replace(/^\/+/, "//") };
  if (scheme === "http" || scheme === "https") return { url: `${scheme}://${address}` };
  if (scheme === "tcp") return { url: `${tls === undefined ? "http" : "https"}://${address}` };
  throw new Error(`host ${JSON.stringify(host)}: expected unix:///var/run/docker.sock, tcp://host:2375, http://… or https://…`);
}

function listOf<Item>({ body }: { readonly body: unknown }, path: string): readonly Item[] {
  if (body === null) return [];
  if (!Array.isArray(body)) throw new Error(`${path} answered with something that is no list`);
  return body as readonly Item[];
}

/** The container is gone, and its log with it. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
