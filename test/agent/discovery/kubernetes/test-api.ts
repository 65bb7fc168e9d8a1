// What tests do to an API server, the tests' own or the real one: the same requests to either.

import { request } from "node:https";

export interface TestApi {
  /** `https://127.0.0.1:port` */
  readonly url: string;
  /** May do everything. */
  readonly token: string;
  readonly caFile: string;
  readonly ca: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: objects of the API as tests write them
  readonly body: any;
}

export interface Sending {
  readonly body?: object;
  readonly type?: string;
  readonly token?: string;
  /** Called for each line of a stream. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export function send(api: Pick<TestApi, "url" | "token" | "ca">, method: string, path: string, how: Sending = {}): Promise<Answer> {
  const { body, type = "application/json", token = api.token, onLine, signal } = how;
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": type }) };
    const asking = request(api.url + path, { method, ca: api.ca, agent: false, headers, ...(signal && { signal }) }, (response) => {
      let text = "";
      let rest = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (onLine === undefined) return;
        const lines = (rest + part).split("\n");
        rest = lines.pop()!;
        for (const line of lines) onLine(line);
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text, body: parsed(text) }));
    });
    asking.on("error", reject);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** As `send`, and what is not 2xx is an error. */
export async function must(api: TestApi, method: string, path: string, how: Sending = {}): Promise<Answer> {
  const answer = await send(api, method, path, how);
  if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer;
}

export interface PodSpec {
  readonly name: string;
  readonly namespace?: string;
  /** Absent: not scheduled yet. */
  readonly node?: string;
  readonly containers?: readonly string[];
  readonly initContainers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const MERGE = "application/strategic-merge-patch+json";
export const podsPath = (namespace = "default"): string => `/api/v1/namespaces/${namespace}/pods`;

/** @returns the pod's uid */
export async function createPod(api: TestApi, pod: PodSpec): Promise<string> {
  const { name, namespace = "default", node, containers = ["main"], initContainers = [], labels = {}, annotations = {} } = pod;
  const container = (each: string) => ({ name: each, image: `registry/${each}:1` });
  const body = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels, annotations },
    spec: {
      ...(node !== undefined && { nodeName: node }),
      ...(initContainers.length > 0 && { initContainers: initContainers.map(container) }),
      containers: containers.map(container),
    },
  };
  const answer = await must(api, "POST", podsPath(namespace), { body });
  return answer.body.metadata.uid as string;
}

export async function runPod(api: TestApi, { name, namespace = "default", containers = ["main"] }: PodSpec): Promise<void> {
  const status = {
    phase: "Running",
    hostIP: "10.0.0.1",
    podIP: "10.244.0.7",
    conditions: [{ type: "Ready", status: "True" }],
    containerStatuses: containers.map((each) => ({
      name: each,
      image: `registry/${each}:1`,
      imageID: "",
      ready: true,
      restartCount: 0,
      containerID: `containerd://${each.padEnd(64, "0")}`,
    })),
  };
  await must(api, "PATCH", `${podsPath(namespace)}/${name}/status`, { body: { status }, type: MERGE });
}

export async function labelPod(api: TestApi, name: string, labels: object, namespace = "default"): Promise<void> {
  await must(api, "PATCH", `${podsPath(namespace)}/${name}`, { body: { metadata: { labels } }, type: MERGE });
}

export async function bindPod(api: TestApi, name: string, node: string, namespace = "default"): Promise<void> {
  const body = { apiVersion: "v1", kind: "Binding", metadata: { name }, target: { apiVersion: "v1", kind: "Node", name: node } };
  await must(api, "POST", `${podsPath(namespace)}/${name}/binding`, { body });
}

export async function deletePod(api: TestApi, name: string, namespace = "default"): Promise<void> {
  await must(api, "DELETE", `${podsPath(namespace)}/${name}?gracePeriodSeconds=0`);
}
