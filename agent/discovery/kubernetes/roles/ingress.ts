// Role ingress: one target per path of each rule.

import type { Ingress } from "../objects.ts";
import { metaLabels, NAMESPACE, PREFIX, setKnown } from "./meta-labels.ts";
import { namespaceLabels, type RoleKind } from "./role.ts";

export const ingressRole: RoleKind<Ingress> = {
  main: "ingresses",
  others: [],
  build({ metadata, spec }, lookup) {
    const labels = { ...metaLabels("ingress", metadata), [NAMESPACE]: metadata.namespace ?? "", ...namespaceLabels(metadata, lookup) };
    setKnown(labels, `${PREFIX}ingress_class_name`, spec?.ingressClassName);
    const tlsHosts = (spec?.tls ?? []).flatMap(({ hosts }) => hosts ?? []);
    return {
      labels,
      targets: (spec?.rules ?? []).flatMap(({ host = "", http }) => {
        const scheme = tlsHosts.some((pattern) => coversHost(pattern, host)) ? "https" : "http";
        const paths = http?.paths?.map(({ path }) => path || "/") ?? ["/"];
        return paths.map((path) => ({
          __address__: host,
          [`${PREFIX}ingress_scheme`]: scheme,
          [`${PREFIX}ingress_host`]: host,
          [`${PREFIX}ingress_path`]: path,
        }));
      }),
    };
  },
};

/** Whether a certificate's name, perhaps `*.example.org`, is that of a host; the star stands for one part. */
function coversHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const [first, ...rest] = pattern.split(".");
  return first === "*" && rest.join(".") === host.split(".").slice(1).join(".") && rest.length > 0;
}
