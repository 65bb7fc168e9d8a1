// A role: which objects become groups of targets, and which others their labels are taken from.

import type { TargetGroup } from "../../discovery.ts";
import type { ApiObject, Node, ObjectMeta, Pod, Service } from "../objects.ts";
import { type Labels, labelsAndAnnotations, metaLabels } from "./meta-labels.ts";

export type Resource = "pods" | "nodes" | "services" | "endpoints" | "endpointslices" | "ingresses" | "namespaces";

/** Finds other objects by `namespace/name`, or by name. Whoever asks is asked again when what he asked for changes. */
export interface Lookup {
  pod(key: string): Pod | undefined;
  service(key: string): Service | undefined;
  /** Undefined also where labels of nodes are not asked for. */
  node(name: string): Node | undefined;
  /** Undefined also where labels of namespaces are not asked for. */
  namespace(name: string): ApiObject | undefined;
}

export interface RoleKind<Main extends ApiObject = ApiObject> {
  readonly main: Resource;
  /** Whose labels its targets have as well. */
  readonly others: readonly Resource[];
  /** Nothing for an object that has no targets. */
  build(object: Main, lookup: Lookup): Omit<TargetGroup, "source">;
}

/** The labels of a target's node, where they are asked for. */
export function nodeLabels(name: string | undefined, lookup: Lookup): Labels {
  const node = name === undefined ? undefined : lookup.node(name);
  return node === undefined ? {} : metaLabels("node", node.metadata);
}

/** The labels of an object's namespace, where they are asked for. */
export function namespaceLabels({ namespace }: ObjectMeta, lookup: Lookup): Labels {
  const found = namespace === undefined ? undefined : lookup.namespace(namespace);
  return found === undefined ? {} : labelsAndAnnotations("namespace", found.metadata);
}
