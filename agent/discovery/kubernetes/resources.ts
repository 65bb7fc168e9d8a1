// Where the API has each kind of object, and which of them a configuration asks for.

import type { KubernetesSdConfig } from "../../config/discoveries.ts";
import { endpointsRole } from "./roles/endpoints.ts";
import { endpointSliceRole } from "./roles/endpointslice.ts";
import { ingressRole } from "./roles/ingress.ts";
import { nodeRole } from "./roles/node.ts";
import { podRole } from "./roles/pod.ts";
import type { Resource, RoleKind } from "./roles/role.ts";
import { serviceRole } from "./roles/service.ts";

type Role = KubernetesSdConfig["role"];

export const ROLES: Readonly<Record<Role, RoleKind<never>>> = {
  pod: podRole,
  node: nodeRole,
  service: serviceRole,
  endpoints: endpointsRole,
  endpointslice: endpointSliceRole,
  ingress: ingressRole,
};

const API_FOLDER: Readonly<Record<Resource, string>> = {
  pods: "/api/v1",
  nodes: "/api/v1",
  services: "/api/v1",
  endpoints: "/api/v1",
  namespaces: "/api/v1",
  endpointslices: "/apis/discovery.k8s.io/v1",
  ingresses: "/apis/networking.k8s.io/v1",
};

const SELECTOR_ROLE: Readonly<Partial<Record<Resource, Role>>> = {
  pods: "pod",
  nodes: "node",
  services: "service",
  endpoints: "endpoints",
  endpointslices: "endpointslice",
  ingresses: "ingress",
};

/** What is listed and watched. */
export interface WatchedResource {
  readonly resource: Resource;
  readonly path: string;
  readonly fieldSelector: string;
  readonly labelSelector: string;
  /** Only this node's objects, of which the server's memory has a short list ready. */
  readonly ofThisNode: boolean;
}

/** @param namespaces none for all of them */
export function watchedResources(config: KubernetesSdConfig, namespaces: readonly string[], hostname: string): WatchedResource[] {
  const role = ROLES[config.role];
  const { attach_metadata: attach } = config;
  const takesNodes = attach?.node === true && ["pod", "endpoints", "endpointslice"].includes(config.role);
  const takesNamespaces = attach?.namespace === true && config.role !== "node";
  const namespaced = [role.main, ...role.others].filter((resource) => resource !== "nodes");
  const whole: Resource[] = role.main === "nodes" ? ["nodes"] : [];
  if (takesNodes) whole.push("nodes");
  if (takesNamespaces) whole.push("namespaces");
  const folders = namespaces.length === 0 ? [""] : namespaces.map((name) => `/namespaces/${encodeURIComponent(name)}`);
  return [
    ...namespaced.flatMap((resource) => folders.map((folder) => watched(resource, folder, config, hostname))),
    ...whole.map((resource) => watched(resource, "", config, hostname)),
  ];
}

function watched(resource: Resource, folder: string, config: KubernetesSdConfig, hostname: string): WatchedResource {
  const selector = config.selectors.find(({ role }) => role === SELECTOR_ROLE[resource]);
  const field = selector?.field ?? "";
  const nodeField = config.role === "pod" ? nodeSelector(resource, field, config, hostname) : "";
  return {
    resource,
    path: `${API_FOLDER[resource]}${folder}/${resource}`,
    fieldSelector: [field, nodeField].filter((part) => part !== "").join(","),
    labelSelector: selector?.label ?? "",
    ofThisNode: nodeField !== "",
  };
}

/**
 * Files of other nodes' pods cannot be read, so the API is not asked for them. A configuration that selects by node itself knows the
 * node's name better: `HOSTNAME` may be the agent's pod's name.
 */
function nodeSelector(resource: Resource, field: string, config: KubernetesSdConfig, hostname: string): string {
  if (resource === "pods") return selectsNode(field) ? "" : `spec.nodeName=${hostname}`;
  const podField = config.selectors.find(({ role }) => role === "pod")?.field ?? "";
  return resource === "nodes" && !selectsNode(podField) ? `metadata.name=${hostname}` : "";
}

const selectsNode = (field: string): boolean => /(^|,)\s*spec\.nodeName\s*=/.test(field);
