// Role endpoints: one target per address and port; those that lead to a pod have the pod's labels, and each port of such a pod that the
// endpoints do not have is a target as well.

import type { EndpointAddress, EndpointPort, Endpoints, ObjectReference, Pod } from "../objects.ts";
import { hostPort, type Labels, metaLabels, NAMESPACE, PREFIX, setKnown } from "./meta-labels.ts";
import { containersOf, podLabels, portLabels } from "./pod.ts";
import { type Lookup, namespaceLabels, nodeLabels, type RoleKind } from "./role.ts";
import { serviceLabels } from "./service.ts";

export const endpointsRole: RoleKind<Endpoints> = {
  main: "endpoints",
  others: ["services", "pods"],
  build({ metadata, subsets }, lookup) {
    const service = lookup.service(`${metadata.namespace}/${metadata.name}`);
    const pods = new ReachedPods(lookup);
    const targets: Labels[] = [];
    const add = (address: EndpointAddress, port: EndpointPort, ready: boolean): void => {
      targets.push({ ...addressTarget(address, port, ready, lookup), ...pods.reach(address.targetRef, port.port) });
    };
    for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets ?? []) {
      for (const port of ports) {
        for (const address of addresses) add(address, port, true);
        for (const address of notReadyAddresses) add(address, port, false);
      }
    }
    return {
      labels: {
        ...metaLabels("endpoints", metadata),
        [NAMESPACE]: metadata.namespace ?? "",
        ...(service && serviceLabels(service)),
        ...namespaceLabels(metadata, lookup),
      },
      targets: [...targets, ...pods.otherPorts()],
    };
  },
};

function addressTarget(address: EndpointAddress, port: EndpointPort, ready: boolean, lookup: Lookup): Labels {
  const target: Labels = {
    __address__: hostPort(address.ip, port.port),
    [`${PREFIX}endpoint_port_name`]: port.name ?? "",
    [`${PREFIX}endpoint_port_protocol`]: port.protocol ?? "",
    [`${PREFIX}endpoint_ready`]: String(ready),
  };
  setKnown(target, `${PREFIX}endpoint_address_target_kind`, address.targetRef?.kind);
  setKnown(target, `${PREFIX}endpoint_address_target_name`, address.targetRef?.name);
  setKnown(target, `${PREFIX}endpoint_node_name`, address.nodeName);
  setKnown(target, `${PREFIX}endpoint_hostname`, address.hostname || undefined);
  return { ...target, ...targetNodeLabels(address, lookup) };
}

/** Labels of the node an address is on, or leads to. */
export function targetNodeLabels({ targetRef, nodeName }: Pick<EndpointAddress, "targetRef" | "nodeName">, lookup: Lookup): Labels {
  return nodeLabels(targetRef?.kind === "Node" ? targetRef.name : nodeName, lookup);
}

/** The pods that addresses lead to, and which of their ports were reached by it. */
export class ReachedPods {
  readonly #lookup: Lookup;
  readonly #pods = new Map<string, { readonly pod: Pod; readonly ports: Set<number> }>();

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /** Labels of the pod and of its container with the port, when the address leads to a pod. */
  reach(reference: ObjectReference | undefined, port: number | undefined): Labels {
    if (reference?.kind !== "Pod") return {};
    const key = `${reference.namespace}/${reference.name}`;
    const pod = this.#lookup.pod(key);
    if (pod === undefined) return {};
    const reached = this.#pods.get(key) ?? { pod, ports: new Set() };
    this.#pods.set(key, reached);
    if (port !== undefined) reached.ports.add(port);
    const labels = podLabels(pod);
    for (const found of withPorts(pod)) if (found.port.containerPort === port) Object.assign(labels, portLabels(found, found.port));
    return labels;
  }

  /** A target for each declared port of the pods that no address has led to. */
  otherPorts(): Labels[] {
    return [...this.#pods.values()].flatMap(({ pod, ports }) =>
      withPorts(pod)
        .filter(({ port }) => !ports.has(port.containerPort) && (pod.status.podIP ?? "") !== "")
        .map((found) => ({
          __address__: hostPort(pod.status.podIP!, found.port.containerPort),
          ...portLabels(found, found.port),
          ...podLabels(pod),
        })),
    );
  }
}

function withPorts(pod: Pod) {
  return containersOf(pod).flatMap((found) => (found.container.ports ?? []).map((port) => ({ ...found, port })));
}
