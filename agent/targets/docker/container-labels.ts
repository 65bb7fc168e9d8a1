// Labels of containers before relabelling, by Prometheus' names:
// https://prometheus.io/docs/prometheus/latest/configuration/configuration/#docker_sd_config
//
// Prometheus makes one target for each network and TCP port. A log has no port, so here they are choices of one target: the first that
// the rules keep. A container without a network, for which Prometheus has no target, has a log as well.

import type { DiscoveredLabels } from "../../discovery/discovery.ts";
import { joinHostPort, safeLabelName } from "../../discovery/meta-labels.ts";
import type { DockerContainer, DockerEndpoint, DockerNetwork } from "./docker-api.ts";

const PREFIX = "__meta_docker_";

export interface LabelOptions {
  /** Told for containers that expose none. */
  readonly port: number;
  readonly host_networking_host: string;
  readonly match_first_network: boolean;
}

/** Label sets of each container by its id; at least one each. */
export function labelChoices(
  containers: readonly DockerContainer[],
  networks: readonly DockerNetwork[],
  options: LabelOptions,
): Map<string, readonly DiscoveredLabels[]> {
  const byId = new Map(containers.map((container) => [container.Id, container]));
  const ofNetwork = new Map(networks.map((network) => [network.Id, labelsOfNetwork(network)]));
  return new Map(
    containers.map((container) => {
      const own = labelsOfContainer(container);
      const choices = endpointsOf(container, byId, options).flatMap((endpoint) =>
        addressesOf(container, endpoint, options).map((address) => ({
          ...address,
          ...own,
          ...ofNetwork.get(endpoint.NetworkID ?? ""),
        })),
      );
      return [container.Id, choices.length > 0 ? choices : [own]];
    }),
  );
}

function labelsOfContainer({ Id, Names, HostConfig, Labels }: DockerContainer): DiscoveredLabels {
  return {
    [`${PREFIX}container_id`]: Id,
    [`${PREFIX}container_name`]: Names?.[0] ?? "",
    [`${PREFIX}container_network_mode`]: HostConfig?.NetworkMode ?? "",
    ...prefixed(`${PREFIX}container_label_`, Labels),
  };
}

function labelsOfNetwork({ Id, Name, Scope, Internal, Ingress, Labels }: DockerNetwork): DiscoveredLabels {
  return {
    [`${PREFIX}network_id`]: Id,
    [`${PREFIX}network_name`]: Name ?? "",
    [`${PREFIX}network_scope`]: Scope ?? "",
    [`${PREFIX}network_internal`]: String(Internal === true),
    [`${PREFIX}network_ingress`]: String(Ingress === true),
    ...prefixed(`${PREFIX}network_label_`, Labels),
  };
}

/** By network name. A container in another's network (`container:<id>`) has that one's, through as many as it takes. */
function endpointsOf(
  container: DockerContainer,
  byId: ReadonlyMap<string, DockerContainer>,
  { match_first_network: onlyFirst }: LabelOptions,
): readonly DockerEndpoint[] {
  const seen = new Set<DockerContainer>();
  for (let at: DockerContainer | undefined = container; at !== undefined && !seen.has(at); ) {
    seen.add(at);
    const networks = Object.entries(at.NetworkSettings?.Networks ?? {}).filter(
      (pair): pair is [string, DockerEndpoint] => pair[1] !== null,
    );
    if (networks.length > 0) {
      const inOrder = networks.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
      return onlyFirst ? inOrder.slice(0, 1) : inOrder;
    }
    at = byId.get(/^container:(.*)$/.exec(at.HostConfig?.NetworkMode ?? "")?.[1] ?? "");
  }
  return [];
}

function addressesOf(
  { Ports, HostConfig }: DockerContainer,
  { IPAddress: ip = "" }: DockerEndpoint,
  options: LabelOptions,
): DiscoveredLabels[] {
  const tcp = (Ports ?? []).filter(({ Type }) => Type === "tcp");
  if (tcp.length === 0) {
    const address = HostConfig?.NetworkMode === "host" ? options.host_networking_host : joinHostPort(ip, options.port);
    return [{ __address__: address, [`${PREFIX}network_ip`]: ip }];
  }
  return tcp.map(({ PrivatePort, PublicPort = 0, IP = "" }) => ({
    __address__: joinHostPort(ip, PrivatePort),
    [`${PREFIX}network_ip`]: ip,
    [`${PREFIX}port_private`]: String(PrivatePort),
    ...(PublicPort > 0 && { [`${PREFIX}port_public`]: String(PublicPort), [`${PREFIX}port_public_ip`]: IP }),
  }));
}

function prefixed(prefix: string, labels: Readonly<Record<string, string>> | null | undefined): DiscoveredLabels {
  return Object.fromEntries(Object.entries(labels ?? {}).map(([name, value]) => [prefix + safeLabelName(name), value]));
}
