// Consul's HTTP API as far as discovery goes. https://developer.hashicorp.com/consul/api-docs

import { type Answer, ApiClient, type ApiOptions } from "../../client/api-client.ts";
import type { TransportShared } from "../../client/transport.ts";

export interface ConsulAddress {
  readonly Address?: string;
  readonly Port?: number;
}

export interface ConsulService {
  readonly ID?: string;
  readonly Service?: string;
  readonly Tags?: readonly string[] | null;
  readonly Address?: string;
  readonly Port?: number;
  readonly Meta?: Readonly<Record<string, string>> | null;
  readonly TaggedAddresses?: Readonly<Record<string, ConsulAddress>> | null;
  readonly Namespace?: string;
  readonly Partition?: string;
}

export interface ConsulServer {
  readonly server: string;
  readonly scheme: string;
  readonly pathPrefix: string;
  readonly token: string | undefined;
  readonly username: string;
  readonly password: string | undefined;
}

/** @throws Error when a certificate cannot be read */
export function openConsul(server: ConsulServer, http: Omit<ApiOptions, "url">, shared: Omit<TransportShared, "userAgent">): ApiClient {
  const prefix = server.pathPrefix.replace(/^\/+|\/+$/g, "");
  const basicAuth = { username: server.username, password: server.password ?? "", passwordFile: "" };
  return new ApiClient(
    {
      ...http,
      url: `${server.scheme}://${server.server}${prefix === "" ? "" : `/${prefix}`}`,
      ...(server.username !== "" && { basicAuth }),
      ...(server.token && { headers: { "X-Consul-Token": server.token } }),
    },
    shared,
  );
}

/** The datacenter of the agent that is asked, where none is configured. */
export async function localDatacenter(client: ApiClient, signal: AbortSignal, timeoutMs: number): Promise<string> {
  const { body } = await client.json("/v1/agent/self", { signal, timeoutMs });
  const name = (body as { Config?: { Datacenter?: unknown } } | null)?.Config?.Datacenter;
  if (typeof name !== "string") throw new Error("/v1/agent/self tells no Config.Datacenter");
  return name;
}

/** `X-Consul-Index` of a blocking query; 0 where the next one must not block, as Consul's documentation demands for senseless values. */
export function indexOf(answer: Answer<unknown>, former: number): number {
  const index = Number(answer.header("x-consul-index"));
  return Number.isSafeInteger(index) && index > 0 && index >= former ? index : 0;
}

/** Tags with the separator between and about them, so that a rule's pattern need not mind a tag's place. */
export function joinTags(tags: readonly string[] | null | undefined, separator: string): string {
  return separator + (tags ?? []).join(separator) + separator;
}
