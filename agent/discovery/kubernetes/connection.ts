// How to reach the API server: inside a cluster, by a kubeconfig file, or by `api_server` with Prometheus' HTTP client keys. Kubeconfig
// files with all they may hold (contexts, exec plug-ins, OIDC, client certificates, proxies) are @kubernetes/client-node's matter.

import type { RequestOptions } from "node:https";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { type Credentials, openCredentials, type PostForm } from "../../client/credentials.ts";
import { credentialsOf } from "../../client-settings.ts";
import type { KubernetesSdConfig } from "../../config/discoveries.ts";
import type { KubeConfig } from "./kube-config.ts";

export interface Connection {
  /** Without a slash at the end. */
  readonly server: string;
  /** The agent's own namespace, where it is known. */
  readonly namespace: string | undefined;
  /** TLS, proxy and headers of one request. Files are read anew. @throws Error when one cannot be read */
  requestOptions(): Promise<RequestOptions>;
}

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly postForm: PostForm;
  /** Where the service account's folder is looked for; "" but in tests. */
  readonly rootFolder: string;
}

/** @throws Error saying what is missing */
export async function openConnection(config: KubernetesSdConfig, options: ConnectionOptions): Promise<Connection> {
  const { KubeConfig } = await import("./kube-config.ts");
  const kube = new KubeConfig();
  if (config.kubeconfig_file !== "") kube.loadFromFile(config.kubeconfig_file);
  else if (config.api_server) loadFromKeys(kube, config, config.api_server);
  else if (process.env.KUBERNETES_SERVICE_HOST && process.env.KUBERNETES_SERVICE_PORT) kube.loadFromCluster(options.rootFolder);
  else throw new Error(NOT_IN_CLUSTER);
  const cluster = kube.getCurrentCluster();
  if (cluster === null) throw new Error(`${config.kubeconfig_file} names no cluster for its current context ${kube.getCurrentContext()}`);
  const server = cluster.server.replace(/\/+$/, "");
  const credentials = config.api_server
    ? openCredentials(credentialsOf(config), new URL(server), options.clock, options.postForm)
    : undefined;
  return {
    server,
    namespace: kube.getContextObject(kube.getCurrentContext())?.namespace,
    requestOptions: () => requestOptions(kube, config, credentials),
  };
}

const NOT_IN_CLUSTER =
  "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: outside a cluster, give api_server or kubeconfig_file";

function loadFromKeys(kube: KubeConfig, { tls_config: tls, proxy_url }: KubernetesSdConfig, server: string): void {
  const base64 = (text: string | undefined): string | undefined => (text ? Buffer.from(text).toString("base64") : undefined);
  kube.loadFromClusterAndUser(
    {
      name: "api_server",
      server,
      // The library refuses plain HTTP unless told so; there is no certificate to look at then.
      skipTLSVerify: tls?.insecure_skip_verify === true || server.startsWith("http:"),
      ...defined({ caFile: tls?.ca_file, caData: base64(tls?.ca), tlsServerName: tls?.server_name, proxyUrl: proxy_url }),
    },
    {
      name: "api_server",
      ...defined({ certFile: tls?.cert_file, certData: base64(tls?.cert), keyFile: tls?.key_file, keyData: base64(tls?.key) }),
    },
  );
}

/** Without what is not given, which an empty text is as well. */
function defined<Fields extends Record<string, string | undefined>>(fields: Fields): { [Key in keyof Fields]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value)) as { [Key in keyof Fields]?: string };
}

async function requestOptions(
  kube: KubeConfig,
  { tls_config: tls, http_headers }: KubernetesSdConfig,
  credentials: Credentials | undefined,
): Promise<RequestOptions> {
  const options: RequestOptions = { headers: {} };
  await kube.applyToHTTPSOptions(options);
  const headers = options.headers as Record<string, string | readonly string[]>;
  const authorization = await credentials?.header();
  if (authorization !== undefined) headers.Authorization = authorization;
  Object.assign(headers, fixedHeaders(http_headers));
  return { ...options, ...tlsVersions(tls) };
}

/** `http_headers: {name: {values: […], secrets: […]}}` */
function fixedHeaders(headers: Readonly<Record<string, unknown>> = {}): Record<string, readonly string[]> {
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  return Object.fromEntries(
    Object.entries(headers).map(([name, given]) => {
      const { values, secrets } = (given ?? {}) as { values?: unknown; secrets?: unknown };
      return [name, [...list(values), ...list(secrets)]];
    }),
  );
}

/** `TLS12` as Prometheus writes it is `TLSv1.2` in Node. */
function tlsVersions(tls: KubernetesSdConfig["tls_config"]): Pick<RequestOptions, "minVersion" | "maxVersion"> {
  const version = (text: string | undefined) => text?.replace(/^TLS1(\d)$/, "TLSv1.$1") as RequestOptions["minVersion"];
  const [min, max] = [version(tls?.min_version), version(tls?.max_version)];
  return { ...(min && { minVersion: min }), ...(max && { maxVersion: max }) };
}
