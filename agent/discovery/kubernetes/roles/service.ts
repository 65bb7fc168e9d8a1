// Role service: one target per port of a service.

import type { Service } from "../objects.ts";
import { hostPort, type Labels, metaLabels, NAMESPACE, PREFIX } from "./meta-labels.ts";
import { namespaceLabels, type RoleKind } from "./role.ts";

export const serviceRole: RoleKind<Service> = {
  main: "services",
  others: [],
  build(service, lookup) {
    const { metadata, spec } = service;
    const host = `${metadata.name}.${metadata.namespace}.svc`;
    return {
      labels: { ...serviceLabels(service), ...namespaceLabels(metadata, lookup) },
      targets: (spec?.ports ?? []).map((port) => ({
        __address__: hostPort(host, port.port),
        [`${PREFIX}service_port_name`]: port.name ?? "",
        [`${PREFIX}service_port_number`]: String(port.port),
        [`${PREFIX}service_port_protocol`]: port.protocol ?? "",
        ...kindLabels(spec),
      })),
    };
  },
};

/** Labels of a service itself; its endpoints have them too. */
export function serviceLabels({ metadata }: Service): Labels {
  return { ...metaLabels("service", metadata), [NAMESPACE]: metadata.namespace ?? "" };
}

function kindLabels(spec: Service["spec"]): Labels {
  const type = spec?.type ?? "";
  const labels: Labels = { [`${PREFIX}service_type`]: type };
  if (type === "ExternalName") labels[`${PREFIX}service_external_name`] = spec?.externalName ?? "";
  else labels[`${PREFIX}service_cluster_ip`] = spec?.clusterIP ?? "";
  if (type === "LoadBalancer") labels[`${PREFIX}service_loadbalancer_ip`] = spec?.loadBalancerIP ?? "";
  return labels;
}
