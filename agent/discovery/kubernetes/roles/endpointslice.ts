// Role endpointslice: as endpoints, from the slices that have replaced them. A service has several slices when it has many addresses.

import type { EndpointPort, EndpointSlice, SliceEndpoint } from "../objects.ts";
import { ReachedPods, targetNodeLabels } from "./endpoints.ts";
import { hostPort, type Labels, labelName, metaLabels, NAMESPACE, PREFIX, setKnown } from "./meta-labels.ts";
import { type Lookup, namespaceLabels, type RoleKind } from "./role.ts";
import { serviceLabels } from "./service.ts";

/** Names the service that a slice belongs to. */
const SERVICE_NAME = "kubernetes.io/service-name";

export const endpointSliceRole: RoleKind<EndpointSlice> = {
  main: "endpointslices",
  others: ["services", "pods"],
  build({ metadata, addressType, endpoints, ports }, lookup) {
    const serviceName = metadata.labels?.[SERVICE_NAME];
    const service = serviceName === undefined ? undefined : lookup.service(`${metadata.namespace}/${serviceName}`);
    const pods = new ReachedPods(lookup);
    const targets = (endpoints ?? []).flatMap((endpoint) =>
      (ports ?? []).flatMap((port) =>
        (endpoint.addresses ?? []).map((address) => ({
          ...sliceTarget(address, endpoint, port, lookup),
          ...pods.reach(endpoint.targetRef, port.port),
        })),
      ),
    );
    return {
      labels: {
        ...metaLabels("endpointslice", metadata),
        [NAMESPACE]: metadata.namespace ?? "",
        [`${PREFIX}endpointslice_address_type`]: addressType ?? "",
        ...(service && serviceLabels(service)),
        ...namespaceLabels(metadata, lookup),
      },
      targets: [...targets, ...pods.otherPorts()],
    };
  },
};

function sliceTarget(address: string, endpoint: SliceEndpoint, port: EndpointPort, lookup: Lookup): Labels {
  const { conditions, hostname, nodeName, zone, targetRef, deprecatedTopology } = endpoint;
  const target: Labels = { __address__: hostPort(address, port.port) };
  const set = (name: string, value: string | number | boolean | undefined): void =>
    setKnown(target, `${PREFIX}endpointslice_${name}`, value);
  set("port_name", port.name);
  set("port_protocol", port.protocol);
  set("port", port.port);
  set("port_app_protocol", port.appProtocol);
  set("endpoint_conditions_ready", conditions?.ready);
  set("endpoint_conditions_serving", conditions?.serving);
  set("endpoint_conditions_terminating", conditions?.terminating);
  set("endpoint_hostname", hostname);
  set("endpoint_node_name", nodeName);
  set("endpoint_zone", zone);
  set("address_target_kind", targetRef?.kind);
  set("address_target_name", targetRef?.name);
  for (const [name, value] of Object.entries(deprecatedTopology ?? {})) {
    set(`endpoint_topology_${labelName(name)}`, value);
    set(`endpoint_topology_present_${labelName(name)}`, true);
  }
  return { ...target, ...targetNodeLabels(endpoint, lookup) };
}
