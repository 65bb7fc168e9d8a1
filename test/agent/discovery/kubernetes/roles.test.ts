// Every label of every role, from an object as the API gives it.

import { describe, expect, test } from "vitest";
import { kubernetesSdSchema } from "../../../../agent/config/discoveries.ts";
import { type ApiObject, trimmed } from "../../../../agent/discovery/kubernetes/objects.ts";
import { ROLES, watchedResources } from "../../../../agent/discovery/kubernetes/resources.ts";
import type { Lookup } from "../../../../agent/discovery/kubernetes/roles/role.ts";
import { written } from "./viewing.ts";

const P = "__meta_kubernetes_";
const meta = (name: string, more: object = {}) => ({ name, uid: `uid-${name}`, resourceVersion: "1", namespace: "shop", ...more });

const pod = {
  kind: "Pod",
  metadata: meta("web-5d8f-x7k2p", {
    labels: { "app.kubernetes.io/name": "web" },
    annotations: { "a/b-c": "1" },
    managedFields: [{ manager: "kubelet" }],
    ownerReferences: [
      { kind: "Node", name: "n" },
      { kind: "ReplicaSet", name: "web-5d8f", controller: true },
    ],
  }),
  spec: {
    nodeName: "node-1",
    containers: [
      {
        name: "web",
        image: "web:1",
        env: [{ name: "SECRET", value: "x" }],
        ports: [
          { name: "http", containerPort: 8080, protocol: "TCP" },
          { containerPort: 9090, protocol: "TCP" },
        ],
      },
      { name: "sidecar", image: "sidecar:2" },
    ],
    initContainers: [{ name: "setup", image: "setup:3" }],
    ephemeralContainers: [{ name: "debugger-1", image: "busybox" }],
  },
  status: {
    phase: "Running",
    podIP: "10.1.2.3",
    hostIP: "10.0.0.1",
    conditions: [{ type: "Ready", status: "False" }],
    containerStatuses: [{ name: "web", containerID: "containerd://aaa" }],
    initContainerStatuses: [{ name: "setup", containerID: "containerd://bbb" }],
    ephemeralContainerStatuses: [{ name: "debugger-1", containerID: "containerd://ccc" }],
  },
};
const service = {
  metadata: meta("web", { labels: { tier: "front" }, annotations: { "x.y/z": "1" } }),
  spec: { type: "ClusterIP", clusterIP: "10.96.0.7", ports: [{ name: "http", port: 80, protocol: "TCP" }] },
};
const node = {
  metadata: { name: "node-1", uid: "uid-node", resourceVersion: "1", labels: { zone: "eu" }, annotations: { n: "1" } },
  spec: { providerID: "cloud://1" },
  status: {
    addresses: [
      { type: "Hostname", address: "node-1.local" },
      { type: "InternalIP", address: "10.0.0.1" },
      { type: "InternalIP", address: "fd00::1" },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
  },
};
const namespace = { metadata: { name: "shop", uid: "uid-shop", resourceVersion: "1", labels: { team: "a" } } };

const NOTHING: Lookup = { pod: () => undefined, service: () => undefined, node: () => undefined, namespace: () => undefined };
const found = (key: string, wanted: string, object: object) => (key === wanted ? (object as never) : undefined);
const ALL: Lookup = {
  pod: (key) => found(key, "shop/web-5d8f-x7k2p", pod),
  service: (key) => found(key, "shop/web", service),
  node: (key) => found(key, "node-1", node),
  namespace: (key) => found(key, "shop", namespace),
};

function build(role: keyof typeof ROLES, object: object, lookup: Lookup = NOTHING) {
  const { labels, targets } = ROLES[role].build(trimmed(object as ApiObject) as never, lookup);
  const short = (given: object): object => Object.fromEntries(Object.entries(given).map(([name, value]) => [name.replace(P, ""), value]));
  return { labels: short(labels), targets: targets.map(short) };
}

const POD_LABELS = {
  pod_name: "web-5d8f-x7k2p",
  pod_ip: "10.1.2.3",
  pod_ready: "false",
  pod_phase: "Running",
  pod_node_name: "node-1",
  pod_host_ip: "10.0.0.1",
  pod_uid: "uid-web-5d8f-x7k2p",
  pod_controller_kind: "ReplicaSet",
  pod_controller_name: "web-5d8f",
  pod_label_app_kubernetes_io_name: "web",
  pod_labelpresent_app_kubernetes_io_name: "true",
  pod_annotation_a_b_c: "1",
  pod_annotationpresent_a_b_c: "true",
};
const NODE_LABELS = {
  node_name: "node-1",
  node_label_zone: "eu",
  node_labelpresent_zone: "true",
  node_annotation_n: "1",
  node_annotationpresent_n: "true",
};
const SERVICE_LABELS = {
  namespace: "shop",
  service_name: "web",
  service_label_tier: "front",
  service_labelpresent_tier: "true",
  service_annotation_x_y_z: "1",
  service_annotationpresent_x_y_z: "true",
};
const NAMESPACE_LABELS = { namespace_label_team: "a", namespace_labelpresent_team: "true" };
const WEB_PORT = {
  pod_container_name: "web",
  pod_container_image: "web:1",
  pod_container_port_name: "http",
  pod_container_port_number: "8080",
  pod_container_port_protocol: "TCP",
  pod_container_init: "false",
};
const METRICS_PORT = { ...WEB_PORT, pod_container_port_name: "", pod_container_port_number: "9090" };

describe("pod", () => {
  test("a target per port and per container without ports", () => {
    const id = { pod_container_id: "containerd://aaa" };
    expect(build("pod", pod)).toEqual({
      labels: { namespace: "shop", ...POD_LABELS },
      targets: [
        { __address__: "10.1.2.3:8080", ...id, ...WEB_PORT },
        { __address__: "10.1.2.3:9090", ...id, ...METRICS_PORT },
        {
          __address__: "10.1.2.3",
          pod_container_name: "sidecar",
          pod_container_image: "sidecar:2",
          pod_container_id: "",
          pod_container_init: "false",
        },
        {
          __address__: "10.1.2.3",
          pod_container_name: "setup",
          pod_container_image: "setup:3",
          pod_container_id: "containerd://bbb",
          pod_container_init: "true",
        },
        {
          __address__: "10.1.2.3",
          pod_container_name: "debugger-1",
          pod_container_image: "busybox",
          pod_container_id: "containerd://ccc",
          pod_container_init: "false",
        },
      ],
    });
  });
  test("labels of its node and namespace, where they are known", () => {
    expect(build("pod", pod, ALL).labels).toEqual({ namespace: "shop", ...POD_LABELS, ...NODE_LABELS, ...NAMESPACE_LABELS });
  });
  test("without an address yet: targets as soon as it has a node", () => {
    const { labels, targets } = build("pod", { ...pod, status: { phase: "Pending" } });
    expect(labels).toMatchObject({ pod_ip: "", pod_ready: "unknown", pod_phase: "Pending" });
    expect(targets.map((target) => (target as Record<string, string>).__address__)).toEqual(["", "", "", "", ""]);
  });
  test("without a node: no targets", () => {
    expect(build("pod", { ...pod, spec: { ...pod.spec, nodeName: undefined }, status: {} }).targets).toEqual([]);
  });
  test("an address of IPv6 in brackets", () => {
    const [first] = build("pod", { ...pod, status: { ...pod.status, podIP: "fd00::7" } }).targets;
    expect(first).toMatchObject({ __address__: "[fd00::7]:8080" });
  });
  test("nothing is kept of what is not asked for", () => {
    expect(JSON.stringify(trimmed(pod as unknown as ApiObject))).not.toMatch(/managedFields|SECRET/);
  });
});

describe("node", () => {
  test("one target at the kubelet, by the best address", () => {
    expect(build("node", node)).toEqual({
      labels: { ...NODE_LABELS, node_provider_id: "cloud://1" },
      targets: [
        { __address__: "10.0.0.1:10250", instance: "node-1", node_address_Hostname: "node-1.local", node_address_InternalIP: "10.0.0.1" },
      ],
    });
  });
  test("without addresses: none", () => expect(build("node", { ...node, status: {} }).targets).toEqual([]));
});

describe("service", () => {
  const port = { service_port_name: "http", service_port_number: "80", service_port_protocol: "TCP" };
  test("one target per port", () => {
    expect(build("service", service, ALL)).toEqual({
      labels: { ...SERVICE_LABELS, ...NAMESPACE_LABELS },
      targets: [{ __address__: "web.shop.svc:80", ...port, service_type: "ClusterIP", service_cluster_ip: "10.96.0.7" }],
    });
  });
  for (const [type, spec, labels] of [
    ["ExternalName", { externalName: "example.org" }, { service_external_name: "example.org" }],
    [
      "LoadBalancer",
      { clusterIP: "10.96.0.8", loadBalancerIP: "1.2.3.4" },
      { service_cluster_ip: "10.96.0.8", service_loadbalancer_ip: "1.2.3.4" },
    ],
  ] as const) {
    test(type, () => {
      const { targets } = build("service", { ...service, spec: { type, ports: service.spec.ports, ...spec } });
      expect(targets).toEqual([{ __address__: "web.shop.svc:80", ...port, service_type: type, ...labels }]);
    });
  }
});

describe("endpoints", () => {
  const targetRef = { kind: "Pod", name: "web-5d8f-x7k2p", namespace: "shop" };
  const endpoints = {
    metadata: meta("web", { labels: { e: "1" } }),
    subsets: [
      {
        addresses: [{ ip: "10.1.2.3", nodeName: "node-1", hostname: "h", targetRef }],
        notReadyAddresses: [{ ip: "10.1.2.4" }],
        ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      },
    ],
  };
  test("targets with labels of service, pod and node, and the pod's other ports", () => {
    expect(build("endpoints", endpoints, ALL)).toEqual({
      labels: { endpoints_name: "web", endpoints_label_e: "1", endpoints_labelpresent_e: "true", ...SERVICE_LABELS, ...NAMESPACE_LABELS },
      targets: [
        {
          __address__: "10.1.2.3:8080",
          endpoint_port_name: "http",
          endpoint_port_protocol: "TCP",
          endpoint_ready: "true",
          endpoint_hostname: "h",
          endpoint_node_name: "node-1",
          endpoint_address_target_kind: "Pod",
          endpoint_address_target_name: "web-5d8f-x7k2p",
          ...NODE_LABELS,
          ...POD_LABELS,
          ...WEB_PORT,
        },
        { __address__: "10.1.2.4:8080", endpoint_port_name: "http", endpoint_port_protocol: "TCP", endpoint_ready: "false" },
        { __address__: "10.1.2.3:9090", ...METRICS_PORT, ...POD_LABELS },
      ],
    });
  });
  test("alone", () => {
    expect(build("endpoints", { metadata: meta("e"), subsets: undefined })).toEqual({
      labels: { endpoints_name: "e", namespace: "shop" },
      targets: [],
    });
  });
});

describe("endpointslice", () => {
  test("targets with labels of service, pod and node", () => {
    const slice = {
      metadata: meta("web-abc", { labels: { "kubernetes.io/service-name": "web" } }),
      addressType: "IPv4",
      ports: [{ name: "metrics", port: 9090, protocol: "TCP", appProtocol: "http" }],
      endpoints: [
        {
          addresses: ["10.1.2.3"],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: "h",
          nodeName: "node-1",
          zone: "eu-1",
          targetRef: { kind: "Pod", name: "web-5d8f-x7k2p", namespace: "shop" },
          deprecatedTopology: { "a/b": "c" },
        },
      ],
    };
    expect(build("endpointslice", slice, ALL)).toEqual({
      labels: {
        endpointslice_name: "web-abc",
        endpointslice_label_kubernetes_io_service_name: "web",
        endpointslice_labelpresent_kubernetes_io_service_name: "true",
        endpointslice_address_type: "IPv4",
        ...SERVICE_LABELS,
        ...NAMESPACE_LABELS,
      },
      targets: [
        {
          __address__: "10.1.2.3:9090",
          endpointslice_port: "9090",
          endpointslice_port_name: "metrics",
          endpointslice_port_protocol: "TCP",
          endpointslice_port_app_protocol: "http",
          endpointslice_endpoint_conditions_ready: "true",
          endpointslice_endpoint_conditions_serving: "true",
          endpointslice_endpoint_conditions_terminating: "false",
          endpointslice_endpoint_hostname: "h",
          endpointslice_endpoint_node_name: "node-1",
          endpointslice_endpoint_zone: "eu-1",
          endpointslice_endpoint_topology_a_b: "c",
          endpointslice_endpoint_topology_present_a_b: "true",
          endpointslice_address_target_kind: "Pod",
          endpointslice_address_target_name: "web-5d8f-x7k2p",
          ...NODE_LABELS,
          ...POD_LABELS,
          ...METRICS_PORT,
        },
        { __address__: "10.1.2.3:8080", ...WEB_PORT, ...POD_LABELS },
      ],
    });
  });
});

describe("ingress", () => {
  const rule = (host: string | undefined, ...paths: (string | undefined)[]) => ({
    ...(host && { host }),
    ...(paths.length > 0 && { http: { paths: paths.map((path) => ({ path })) } }),
  });
  test("one target per path, https where a certificate covers the host", () => {
    const spec = { ingressClassName: "nginx", tls: [{ hosts: ["*.a.example", "b.example"] }] };
    const rules = [rule("x.a.example", "/p", ""), rule("x.y.a.example"), rule("b.example", "/"), rule(undefined)];
    const target = (host: string, scheme: string, path: string) => ({
      __address__: host,
      ingress_scheme: scheme,
      ingress_host: host,
      ingress_path: path,
    });
    expect(build("ingress", { metadata: meta("i"), spec: { ...spec, rules } })).toEqual({
      labels: { ingress_name: "i", namespace: "shop", ingress_class_name: "nginx" },
      targets: [
        target("x.a.example", "https", "/p"),
        target("x.a.example", "https", "/"),
        target("x.y.a.example", "http", "/"),
        target("b.example", "https", "/"),
        target("", "http", "/"),
      ],
    });
  });
});

describe("what is watched", () => {
  const watched = (config: object, namespaces: readonly string[] = []) =>
    watchedResources(kubernetesSdSchema().parse(written(config)), namespaces, "node-1").map(
      ({ path, fieldSelector, labelSelector }) => `${path}?${fieldSelector}&${labelSelector}`,
    );
  for (const [name, config, namespaces, want] of [
    ["pods of this node", { role: "pod" }, [], ["/api/v1/pods?spec.nodeName=node-1&"]],
    [
      "of some namespaces",
      { role: "pod" },
      ["a", "b"],
      ["/api/v1/namespaces/a/pods?spec.nodeName=node-1&", "/api/v1/namespaces/b/pods?spec.nodeName=node-1&"],
    ],
    [
      "the node as well as selectors",
      { role: "pod", selectors: [{ role: "pod", label: "a=b", field: "status.phase=Running" }] },
      [],
      ["/api/v1/pods?status.phase=Running,spec.nodeName=node-1&a=b"],
    ],
    [
      "a node of the configuration's own",
      { role: "pod", selectors: [{ role: "pod", field: "spec.nodeName=other" }], attach_metadata: { node: true } },
      [],
      ["/api/v1/pods?spec.nodeName=other&", "/api/v1/nodes?&"],
    ],
    [
      "this node's labels",
      { role: "pod", attach_metadata: { node: true, namespace: true } },
      [],
      ["/api/v1/pods?spec.nodeName=node-1&", "/api/v1/nodes?metadata.name=node-1&", "/api/v1/namespaces?&"],
    ],
    ["nodes", { role: "node" }, ["a"], ["/api/v1/nodes?&"]],
    ["services", { role: "service" }, [], ["/api/v1/services?&"]],
    ["endpoints and theirs", { role: "endpoints" }, [], ["/api/v1/endpoints?&", "/api/v1/services?&", "/api/v1/pods?&"]],
    [
      "slices and theirs",
      { role: "endpointslice", selectors: [{ role: "service", label: "a=b" }] },
      ["x"],
      ["/apis/discovery.k8s.io/v1/namespaces/x/endpointslices?&", "/api/v1/namespaces/x/services?&a=b", "/api/v1/namespaces/x/pods?&"],
    ],
    ["ingresses", { role: "ingress" }, [], ["/apis/networking.k8s.io/v1/ingresses?&"]],
  ] as const) {
    test(name, () => expect(watched(config, namespaces)).toEqual(want));
  }
});

describe("refused", () => {
  const server = { api_server: "https://k" };
  for (const [config, text] of [
    [{ role: "pod", selectors: [{ role: "node" }] }, "pod role supports only pod selectors"],
    [{ role: "pod", selectors: [{ role: "pod" }, { role: "pod" }] }, "duplicated selector role: pod"],
    [{ role: "pod", ...server, kubeconfig_file: "/k" }, "cannot use 'kubeconfig_file' and 'api_server' simultaneously"],
    [
      { role: "pod", kubeconfig_file: "/k", bearer_token: "t" },
      "cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
    ],
    [{ role: "pod", bearer_token: "t" }, "to use custom HTTP client configuration please provide the 'api_server' URL explicitly"],
    [
      { role: "pod", ...server, namespaces: { own_namespace: true } },
      "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
    ],
  ] as const) {
    test(text, () =>
      expect(
        kubernetesSdSchema()
          .safeParse(written(config))
          .error?.issues.map(({ message }) => message),
      ).toEqual([text]),
    );
  }
});
