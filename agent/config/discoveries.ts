// Prometheus' service discoveries, key by key. Each is a list of configurations; durations are Prometheus' (`30s`, `1d`).

import { z } from "zod";
import { bool, int, list, oneOf, promDuration, text, textList, textMap, url } from "./fields.ts";
import { type HttpClientConfig, httpClientFaults, httpClientFields, tlsSchema } from "./http-client.ts";
import type { RARE_DISCOVERIES } from "./scrape-config.ts";

const refresh = (standard: string) => promDuration().prefault(standard);
const port = (standard: number) => int(0, 65_535).default(standard);

/** A discovery over HTTP: its keys, and those of every HTTP client. */
function overHttp<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject({ ...shape, ...httpClientFields() }).superRefine((config, context) => {
    const client = config as unknown as Parameters<typeof httpClientFaults>[0];
    for (const message of httpClientFaults(client)) context.addIssue({ code: "custom", message });
  });
}

const ROLES = ["pod", "node", "service", "endpoints", "endpointslice", "ingress"] as const;

export const kubernetesSdSchema = () =>
  overHttp({
    role: oneOf(ROLES),
    api_server: url().optional(),
    kubeconfig_file: text().default(""),
    namespaces: z.strictObject({ own_namespace: bool().default(false), names: textList().prefault([]) }).optional(),
    selectors: list(z.strictObject({ role: oneOf(ROLES), label: text().default(""), field: text().default("") })).prefault([]),
    attach_metadata: z.strictObject({ node: bool().default(false), namespace: bool().default(false) }).optional(),
    /** Not Promtail's: where folders of pods are looked for that the API does not know any more; "" for nowhere. */
    pod_log_directory: text().default("/var/log/pods"),
  }).superRefine((config, context) => {
    for (const message of kubernetesFaults(config)) context.addIssue({ code: "custom", message });
  });

type KubernetesKeys = HttpClientConfig & Pick<KubernetesSdConfig, "role" | "api_server" | "kubeconfig_file" | "namespaces" | "selectors">;

/** Which roles' objects a role is made of, and so may be selected. */
const SELECTABLE: Readonly<Record<(typeof ROLES)[number], readonly string[]>> = {
  pod: ["pod"],
  service: ["service"],
  endpointslice: ["pod", "service", "endpointslice"],
  endpoints: ["pod", "service", "endpoints"],
  node: ["node"],
  ingress: ["ingress"],
};

/** What Prometheus refuses of ways to the API and of selectors; its words. */
function kubernetesFaults(config: KubernetesKeys): string[] {
  const faults: string[] = [];
  const { api_server, kubeconfig_file, role, selectors } = config;
  const ownNamespace = config.namespaces?.own_namespace === true;
  const customClient = [config.basic_auth, config.authorization, config.oauth2, config.tls_config, config.proxy_url]
    .concat([config.bearer_token, config.bearer_token_file, config.http_headers])
    .some((value) => value !== undefined && value !== "");
  if (api_server && kubeconfig_file !== "") faults.push("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  else if (kubeconfig_file !== "" && customClient)
    faults.push("cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
  else if (!api_server && customClient)
    faults.push("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
  if (api_server && ownNamespace) faults.push("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
  if (kubeconfig_file !== "" && ownNamespace) faults.push("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
  for (const [i, selector] of selectors.entries()) {
    if (selectors.findIndex((other) => other.role === selector.role) < i) faults.push(`duplicated selector role: ${selector.role}`);
    if (!SELECTABLE[role].includes(selector.role)) faults.push(`${role} role supports only ${SELECTABLE[role].join(", ")} selectors`);
  }
  return faults;
}

const filters = () => list(z.strictObject({ name: text(), values: textList().prefault([]) })).prefault([]);

export const dockerSdSchema = () =>
  overHttp({
    host: url().refine((host) => host !== "", "host missing"),
    port: port(80),
    filters: filters(),
    host_networking_host: text().default("localhost"),
    match_first_network: bool().default(true),
    refresh_interval: refresh("60s"),
  });

const dockerSwarmSdSchema = () =>
  overHttp({
    host: url().refine((host) => host !== "", "host missing"),
    role: oneOf(["services", "nodes", "tasks"]),
    port: port(80),
    filters: filters(),
    refresh_interval: refresh("60s"),
  });

const consulShape = () => ({
  server: text().default("localhost:8500"),
  path_prefix: text().default(""),
  token: text().optional(),
  datacenter: text().default(""),
  namespace: text().default(""),
  partition: text().default(""),
  tag_separator: text().default(","),
  scheme: text().default("http"),
  username: text().default(""),
  password: text().optional(),
  allow_stale: bool().default(true),
  refresh_interval: refresh("30s"),
  services: textList().prefault([]),
  tags: textList().prefault([]),
  node_meta: textMap().prefault({}),
  filter: text().default(""),
  health_filter: text().default(""),
});

export const consulSdSchema = () => overHttp(consulShape());

export const consulAgentSdSchema = () =>
  z.strictObject({
    server: text().default("localhost:8500"),
    token: text().optional(),
    datacenter: text().default(""),
    tag_separator: text().default(","),
    scheme: text().default("http"),
    username: text().default(""),
    password: text().optional(),
    refresh_interval: refresh("30s"),
    services: textList().prefault([]),
    tags: textList().prefault([]),
    node_meta: textMap().prefault({}),
    tls_config: tlsSchema().optional(),
  });

export const dnsSdSchema = () =>
  z
    .strictObject({ names: textList().prefault([]), refresh_interval: refresh("30s"), type: text().default("SRV"), port: port(0) })
    .superRefine((config, context) => {
      const fail = (message: string): void => context.addIssue({ code: "custom", message });
      if (config.names.length === 0) fail("DNS-SD config must contain at least one SRV record name");
      const type = config.type.toUpperCase();
      if (!["SRV", "A", "AAAA", "MX", "NS"].includes(type)) fail(`invalid DNS-SD records type ${config.type}`);
      else if (type !== "SRV" && config.port === 0) fail("a port is required in DNS-SD configs for all record types except SRV");
    });

export const httpSdSchema = () =>
  overHttp({ url: text().default(""), refresh_interval: refresh("60s") }).superRefine(({ url: asked }, context) => {
    const fault = httpUrlFault(asked);
    if (fault !== undefined) context.addIssue({ code: "custom", path: ["url"], message: fault });
  });

function httpUrlFault(text: string): string | undefined {
  if (text === "") return "URL is missing";
  if (!URL.canParse(text)) return `${JSON.stringify(text)} is no URL`;
  const { protocol, host } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return "URL scheme must be 'http' or 'https'";
  return host === "" ? "host is missing in URL" : undefined;
}

const zookeeper = () =>
  z.strictObject({ servers: textList().prefault([]), paths: textList().prefault([]), timeout: promDuration().prefault("10s") });

const marathonSdSchema = () =>
  overHttp({
    servers: textList().prefault([]),
    refresh_interval: refresh("30s"),
    auth_token: text().optional(),
    auth_token_file: text().optional(),
  });

const gceSdSchema = () =>
  z.strictObject({
    project: text(),
    zone: text(),
    filter: text().default(""),
    refresh_interval: refresh("60s"),
    port: port(80),
    tag_separator: text().default(","),
  });

const ec2SdSchema = () =>
  overHttp({
    endpoint: text().default(""),
    region: text().default(""),
    access_key: text().default(""),
    secret_key: text().optional(),
    profile: text().default(""),
    role_arn: text().default(""),
    refresh_interval: refresh("60s"),
    port: port(80),
    filters: filters(),
  });

const openstackSdSchema = () =>
  z.strictObject({
    identity_endpoint: text().default(""),
    username: text().default(""),
    userid: text().default(""),
    password: text().optional(),
    project_name: text().default(""),
    project_id: text().default(""),
    application_credential_name: text().default(""),
    application_credential_id: text().default(""),
    application_credential_secret: text().optional(),
    domain_name: text().default(""),
    domain_id: text().default(""),
    role: oneOf(["hypervisor", "instance", "loadbalancer"]),
    region: text(),
    refresh_interval: refresh("60s"),
    port: port(80),
    all_tenants: bool().default(false),
    tls_config: tlsSchema().optional(),
    availability: text().default("public"),
  });

const azureSdSchema = () =>
  overHttp({
    environment: text().default("AzurePublicCloud"),
    port: port(80),
    subscription_id: text(),
    tenant_id: text().default(""),
    client_id: text().default(""),
    client_secret: text().optional(),
    refresh_interval: refresh("300s"),
    authentication_method: oneOf(["", "OAuth", "ManagedIdentity", "SDK"]).default("OAuth"),
    resource_group: text().default(""),
  });

const tritonSdSchema = () =>
  z.strictObject({
    account: text(),
    role: oneOf(["container", "cn"]).default("container"),
    dns_suffix: text(),
    endpoint: text(),
    groups: textList().prefault([]),
    port: port(9163),
    refresh_interval: refresh("60s"),
    tls_config: tlsSchema().optional(),
    version: int(1).default(1),
  });

const digitalOceanSdSchema = () => overHttp({ port: port(80), refresh_interval: refresh("60s") });

type Discovery = (typeof RARE_DISCOVERIES)[number];

export const discoverySchemas: Readonly<Record<Discovery, () => z.ZodType>> = {
  kubernetes_sd_configs: () => list(kubernetesSdSchema()),
  docker_sd_configs: () => list(dockerSdSchema()),
  consul_sd_configs: () => list(consulSdSchema()),
  consulagent_sd_configs: () => list(consulAgentSdSchema()),
  dns_sd_configs: () => list(dnsSdSchema()),
  http_sd_configs: () => list(httpSdSchema()),
  digitalocean_sd_configs: () => list(digitalOceanSdSchema()),
  dockerswarm_sd_configs: () => list(dockerSwarmSdSchema()),
  serverset_sd_configs: () => list(zookeeper()),
  nerve_sd_configs: () => list(zookeeper()),
  marathon_sd_configs: () => list(marathonSdSchema()),
  gce_sd_configs: () => list(gceSdSchema()),
  ec2_sd_configs: () => list(ec2SdSchema()),
  openstack_sd_configs: () => list(openstackSdSchema()),
  azure_sd_configs: () => list(azureSdSchema()),
  triton_sd_configs: () => list(tritonSdSchema()),
};

export type KubernetesSdConfig = z.infer<ReturnType<typeof kubernetesSdSchema>>;
export type DockerSdConfig = z.infer<ReturnType<typeof dockerSdSchema>>;
export type ConsulSdConfig = z.infer<ReturnType<typeof consulSdSchema>>;
export type ConsulAgentSdConfig = z.infer<ReturnType<typeof consulAgentSdSchema>>;
export type DnsSdConfig = z.infer<ReturnType<typeof dnsSdSchema>>;
export type HttpSdConfig = z.infer<ReturnType<typeof httpSdSchema>>;
