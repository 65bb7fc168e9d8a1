// Role pod: a target per port of each container, or one for a container without ports.
//
// Beyond Prometheus: a pod has targets as soon as it is bound to a node, without waiting for its address, which log files do not need
// and which pods that fail early never get; and ephemeral containers have targets too.

import type { Container, ContainerPort, ContainerStatus, Pod } from "../objects.ts";
import { hostPort, type Labels, metaLabels, NAMESPACE, PREFIX } from "./meta-labels.ts";
import { namespaceLabels, nodeLabels, type RoleKind } from "./role.ts";

export const podRole: RoleKind<Pod> = {
  main: "pods",
  others: [],
  build(pod, lookup) {
    const { spec, status } = pod;
    if (!spec.nodeName && !status.podIP) return { labels: {}, targets: [] };
    return {
      labels: {
        ...podLabels(pod),
        [NAMESPACE]: pod.metadata.namespace ?? "",
        ...nodeLabels(spec.nodeName, lookup),
        ...namespaceLabels(pod.metadata, lookup),
      },
      targets: containersOf(pod).flatMap((container) => containerTargets(pod, container)),
    };
  },
};

/** Labels of a pod itself; endpoints that lead to a pod have them too. */
export function podLabels(pod: Pod): Labels {
  const { metadata, spec, status } = pod;
  const labels = metaLabels("pod", metadata);
  const ready = status.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";
  labels[`${PREFIX}pod_ip`] = status.podIP ?? "";
  labels[`${PREFIX}pod_ready`] = ready.toLowerCase();
  labels[`${PREFIX}pod_phase`] = status.phase ?? "";
  labels[`${PREFIX}pod_node_name`] = spec.nodeName ?? "";
  labels[`${PREFIX}pod_host_ip`] = status.hostIP ?? "";
  labels[`${PREFIX}pod_uid`] = metadata.uid;
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
  if (controller?.kind) labels[`${PREFIX}pod_controller_kind`] = controller.kind;
  if (controller?.name) labels[`${PREFIX}pod_controller_name`] = controller.name;
  return labels;
}

export interface PodContainer {
  readonly container: Container;
  readonly isInit: boolean;
  readonly id: string;
}

/** All containers of a pod: its own, then init containers, then ephemeral ones. */
export function containersOf({ spec, status }: Pod): PodContainer[] {
  const list = (containers: readonly Container[] = [], statuses: readonly ContainerStatus[] = [], isInit = false): PodContainer[] =>
    containers.map((container) => ({
      container,
      isInit,
      id: statuses.find(({ name }) => name === container.name)?.containerID ?? "",
    }));
  return [
    ...list(spec.containers, status.containerStatuses),
    ...list(spec.initContainers, status.initContainerStatuses, true),
    ...list(spec.ephemeralContainers, status.ephemeralContainerStatuses),
  ];
}

export function portLabels({ container, isInit }: PodContainer, port: ContainerPort): Labels {
  return {
    [`${PREFIX}pod_container_name`]: container.name,
    [`${PREFIX}pod_container_image`]: container.image ?? "",
    [`${PREFIX}pod_container_port_name`]: port.name ?? "",
    [`${PREFIX}pod_container_port_number`]: String(port.containerPort),
    [`${PREFIX}pod_container_port_protocol`]: port.protocol ?? "",
    [`${PREFIX}pod_container_init`]: String(isInit),
  };
}

function containerTargets({ status }: Pod, found: PodContainer): Labels[] {
  const { container, isInit, id } = found;
  const ip = status.podIP ?? "";
  const labels: Labels = {
    [`${PREFIX}pod_container_name`]: container.name,
    [`${PREFIX}pod_container_id`]: id,
    [`${PREFIX}pod_container_image`]: container.image ?? "",
    [`${PREFIX}pod_container_init`]: String(isInit),
  };
  if (container.ports === undefined || container.ports.length === 0) return [{ __address__: ip, ...labels }];
  return container.ports.map((port) => ({
    __address__: ip === "" ? "" : hostPort(ip, port.containerPort),
    ...labels,
    ...portLabels(found, port),
  }));
}
