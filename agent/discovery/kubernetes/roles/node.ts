// Role node: one target per node, at its kubelet.

import type { Node } from "../objects.ts";
import { hostPort, type Labels, labelName, metaLabels, PREFIX } from "./meta-labels.ts";
import type { RoleKind } from "./role.ts";

/** Which of its addresses a node is reached at, best first. */
const ADDRESS_TYPES = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"] as const;

export const nodeRole: RoleKind<Node> = {
  main: "nodes",
  others: [],
  build({ metadata, spec, status }) {
    const addresses = status?.addresses ?? [];
    const address = ADDRESS_TYPES.map((type) => addresses.find((each) => each.type === type)).find((each) => each !== undefined);
    if (address === undefined) return { labels: {}, targets: [] };
    const target: Labels = {
      __address__: hostPort(address.address, status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0),
      instance: metadata.name,
    };
    // Of several addresses of a type the first one counts.
    for (const { type, address: text } of addresses) target[`${PREFIX}node_address_${labelName(type)}`] ??= text;
    return { labels: { ...metaLabels("node", metadata), [`${PREFIX}node_provider_id`]: spec?.providerID ?? "" }, targets: [target] };
  },
};
