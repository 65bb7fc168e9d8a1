// What discovery reads of the API's objects, by the names of https://kubernetes.io/docs/reference/kubernetes-api/. Everything else that
// an object has is let go of as soon as it is read: a pod is mostly what it was asked to be.

export interface ObjectMeta {
  readonly uid: string;
  readonly name: string;
  /** Absent for nodes and namespaces. */
  readonly namespace?: string;
  readonly resourceVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind?: string; readonly name?: string; readonly controller?: boolean }[];
}

export interface ApiObject {
  readonly metadata: ObjectMeta;
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly ContainerPort[];
}

export interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
}

export interface Pod extends ApiObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
  };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Node extends ApiObject {
  readonly spec?: { readonly providerID?: string };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly daemonEndpoints?: { readonly kubeletEndpoint?: { readonly Port?: number } };
  };
}

export interface Service extends ApiObject {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly externalName?: string;
    readonly loadBalancerIP?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  };
}

export interface ObjectReference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
}

export interface EndpointPort {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

export interface Endpoints extends ApiObject {
  readonly subsets?: readonly {
    readonly addresses?: readonly EndpointAddress[];
    readonly notReadyAddresses?: readonly EndpointAddress[];
    readonly ports?: readonly EndpointPort[];
  }[];
}

export interface SliceEndpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetRef?: ObjectReference;
  readonly deprecatedTopology?: Readonly<Record<string, string>>;
}

export interface EndpointSlice extends ApiObject {
  readonly addressType?: string;
  readonly endpoints?: readonly SliceEndpoint[];
  readonly ports?: readonly EndpointPort[];
}

export interface Ingress extends ApiObject {
  readonly spec?: {
    readonly ingressClassName?: string;
    readonly tls?: readonly { readonly hosts?: readonly string[] }[];
    readonly rules?: readonly { readonly host?: string; readonly http?: { readonly paths?: readonly { readonly path?: string }[] } }[];
  };
}

/** @throws Error for what is not an object of the API */
export function checkObject(value: unknown): ApiObject {
  const { uid, name, resourceVersion } = (value as Partial<ApiObject> | null)?.metadata ?? {};
  if (typeof uid !== "string" || uid === "" || typeof name !== "string" || typeof resourceVersion !== "string") {
    throw new Error(
      `expected an object with metadata.uid, name and resourceVersion, got ${(JSON.stringify(value) ?? "nothing").slice(0, 200)}`,
    );
  }
  return value as ApiObject;
}

/** `namespace/name`, or the name alone. */
export function keyOf({ metadata: { namespace, name } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The parts of an object that are kept. */
export function trimmed(object: ApiObject): ApiObject {
  const { uid, name, namespace, resourceVersion, labels, annotations, ownerReferences } = object.metadata;
  const metadata: ObjectMeta = {
    uid,
    name,
    resourceVersion,
    ...(namespace !== undefined && { namespace }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(ownerReferences && { ownerReferences }),
  };
  const { spec, status } = object as Partial<Pod>;
  if (spec?.containers === undefined) return { ...object, metadata };
  return { metadata, spec: trimmedSpec(spec), status: trimmedStatus(status ?? {}) } as Pod;
}

function trimmedSpec({ nodeName, containers, initContainers, ephemeralContainers }: Pod["spec"]): Pod["spec"] {
  return {
    ...(nodeName !== undefined && { nodeName }),
    ...(containers && { containers: containers.map(trimmedContainer) }),
    ...(initContainers && { initContainers: initContainers.map(trimmedContainer) }),
    ...(ephemeralContainers && { ephemeralContainers: ephemeralContainers.map(trimmedContainer) }),
  };
}

function trimmedContainer({ name, image, ports }: Container): Container {
  return { name, ...(image !== undefined && { image }), ...(ports && { ports }) };
}

function trimmedStatus(status: Pod["status"]): Pod["status"] {
  const ids = (statuses: readonly ContainerStatus[] | undefined): readonly ContainerStatus[] =>
    (statuses ?? []).map(({ name, containerID }) => ({ name, ...(containerID !== undefined && { containerID }) }));
  return {
    ...(status.phase !== undefined && { phase: status.phase }),
    ...(status.podIP !== undefined && { podIP: status.podIP }),
    ...(status.hostIP !== undefined && { hostIP: status.hostIP }),
    conditions: (status.conditions ?? [])
      .filter(({ type }) => type === "Ready")
      .map(({ type, status: state }) => ({ type, status: state })),
    containerStatuses: ids(status.containerStatuses),
    initContainerStatuses: ids(status.initContainerStatuses),
    ephemeralContainerStatuses: ids(status.ephemeralContainerStatuses),
  };
}
