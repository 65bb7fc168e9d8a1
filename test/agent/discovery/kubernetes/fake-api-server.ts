// An API server of the tests' own: lists, watches and writes objects as the real one does, and misbehaves when told to. Whether it
// behaves as the real one is checked by api-behaviour.ts, which runs against both.

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Certificates } from "./certificates.ts";
import type { TestApi } from "./test-api.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of the API as tests write them
type Json = any;

interface Change {
  readonly version: number;
  readonly resource: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: Json;
  /** As it was before, which tells whether a selector saw it. */
  readonly former: Json | undefined;
}

interface OpenWatch {
  readonly response: ServerResponse;
  readonly query: Query;
}

export interface SeenRequest {
  readonly kind: "list" | "watch" | "get" | "write";
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly atMs: number;
}

/** Answers a request instead of the server. Returns whether it did. */
export type Fault = (seen: SeenRequest, response: ServerResponse) => boolean;

const CLUSTER_WIDE = new Set(["nodes", "namespaces"]);

export class FakeApiServer implements TestApi {
  readonly token = "admintoken";
  caFile: string;
  ca: Buffer;
  url = "";
  /** Everything that was asked for, oldest first. */
  readonly seen: SeenRequest[] = [];
  readonly tokens = new Set([this.token]);
  /** Tokens that are good and may not read. */
  readonly forbidden = new Set<string>();
  fault: Fault | undefined;
  readonly #certificates: Certificates;
  readonly #objects = new Map<string, Json>();
  readonly #watches = new Set<OpenWatch>();
  readonly #sockets = new Set<Duplex>();
  #history: Change[] = [];
  #version = 100;
  /** Older versions than this are gone. */
  #compacted = 100;
  #server: Server | undefined;
  #frozen = false;
  #held: (() => void)[] = [];
  #port = 0;

  constructor(certificates: Certificates) {
    this.#certificates = certificates;
    this.caFile = certificates.caFile;
    this.ca = certificates.ca;
  }

  /** @param certificates others than those it was made with */
  async start(certificates = this.#certificates): Promise<this> {
    const server = createServer({ cert: certificates.cert, key: certificates.key }, (request, response) =>
      this.#receive(request, response),
    );
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.url = `https://127.0.0.1:${this.#port}`;
    return this;
  }

  /** Cuts everything, as a crash does. What it holds stays, as etcd does. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#watches.clear();
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Adds an object without a request. @returns its uid */
  insert(resource: string, object: Json): string {
    return this.#add(resource, object).metadata.uid as string;
  }

  /** Takes requests and answers none, and says nothing more to open watches. */
  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    for (const go of this.#held.splice(0)) go();
  }

  /** Ends open watches well, as when their time is up. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
    this.#watches.clear();
  }

  /** Says something else than events to open watches, and ends them if wanted. */
  tellWatches(text: string, how?: "end" | "cut"): void {
    for (const { response } of this.#watches) {
      response.write(text);
      // The text is to be on its way before the cut.
      if (how === "end") response.end();
      if (how === "cut") setTimeout(() => response.socket?.destroy(), 20);
    }
    if (how !== undefined) this.#watches.clear();
  }

  /** Forgets old versions, as etcd's compaction does. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
  }

  /** Begins anew with low versions, as after a restore of etcd from an old backup. */
  loseEtcd(): void {
    this.#objects.clear();
    this.#history = [];
    this.#version = 5;
    this.#compacted = 0;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  count(kind: SeenRequest["kind"]): number {
    return this.seen.filter((seen) => seen.kind === kind).length;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const go = (): void => this.#answer(request, response, Buffer.concat(parts).toString("utf8"));
      if (this.#frozen) this.#held.push(go);
      else go();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url!, this.url);
    const place = placeOf(url.pathname);
    const parameters = Object.fromEntries(url.searchParams);
    if (place === undefined) return status(response, 404, "the server could not find the requested resource");
    const watch = parameters.watch === "true" || parameters.watch === "1";
    const kind = request.method !== "GET" ? "write" : place.name !== "" ? "get" : watch ? "watch" : "list";
    const seen: SeenRequest = { kind, path: url.pathname, parameters, atMs: Date.now() };
    this.seen.push(seen);
    if (this.fault?.(seen, response) === true) return;
    const token = (request.headers.authorization ?? "").replace("Bearer ", "");
    if (!this.tokens.has(token)) return status(response, 401, "Unauthorized", "Unauthorized");
    if (this.forbidden.has(token))
      return status(response, 403, `${place.resource} is forbidden: User "u" cannot ${kind} resource`, "Forbidden");
    if (kind === "write") this.#write(request.method!, place, parameters, body, response);
    else if (kind === "get") this.#get(place, response);
    else this.#read(kind, { ...place, parameters }, response);
  }

  #get(place: Place, response: ServerResponse): void {
    const object = this.#objects.get(keyOf(place));
    if (object === undefined) return status(response, 404, `${place.resource} "${place.name}" not found`, "NotFound");
    json(response, 200, object);
  }

  #read(kind: "list" | "watch", query: Query, response: ServerResponse): void {
    const { parameters } = query;
    const unknown = [...selectors(parameters.fieldSelector)].find(([name]) => !FIELDS.has(name));
    if (unknown !== undefined) return status(response, 400, `field label not supported: ${unknown[0]}`, "BadRequest");
    const version = Number(parameters.resourceVersion ?? "0");
    if (kind === "watch") return this.#watch(query, version, response);
    if (version > this.#version) return tooLarge(response, version, this.#version);
    this.#list(query, response);
  }

  #list(query: Query, response: ServerResponse): void {
    const { parameters, resource } = query;
    const all = [...this.#objects.values()].filter((object) => object.__resource === resource && isSelected(object, query));
    const limit = Number(parameters.limit ?? "0");
    const [madeAt, from] = parameters.continue === undefined ? [this.#version, 0] : parameters.continue.split(".").map(Number);
    if (madeAt! < this.#compacted) return expired(response, `${this.#version}.${from}`);
    // The server's memory gives all it has at once.
    const until = limit === 0 || parameters.resourceVersion === "0" ? all.length : from! + limit;
    const metadata: Json = { resourceVersion: String(madeAt) };
    if (until < all.length) {
      metadata.continue = `${madeAt}.${until}`;
      metadata.remainingItemCount = all.length - until;
    }
    json(response, 200, { kind: "List", apiVersion: "v1", metadata, items: all.slice(from, until).map((object) => shown(object, false)) });
  }

  #watch(query: Query, version: number, response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "application/json", "Transfer-Encoding": "chunked" });
    response.flushHeaders();
    const watch: OpenWatch = { response, query };
    if (version < this.#compacted) {
      const object = {
        kind: "Status",
        status: "Failure",
        code: 410,
        reason: "Expired",
        message: `too old resource version: ${version} (${this.#compacted})`,
      };
      response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      return;
    }
    for (const change of this.#history) if (change.version > version) tell(watch, change);
    this.#watches.add(watch);
    response.on("close", () => this.#watches.delete(watch));
    const seconds = Number(query.parameters.timeoutSeconds ?? "1800");
    const timer = setTimeout(() => {
      if (this.#frozen || !this.#watches.has(watch)) return;
      if (query.parameters.allowWatchBookmarks === "true") this.#bookmark(watch);
      response.end();
    }, seconds * 1000);
    timer.unref();
  }

  #bookmark({ response }: OpenWatch): void {
    const object = { kind: "Pod", apiVersion: "v1", metadata: { resourceVersion: String(this.#version), creationTimestamp: null } };
    response.write(`${JSON.stringify({ type: "BOOKMARK", object })}\n`);
  }

  #write(method: string, place: Place, parameters: Readonly<Record<string, string>>, body: string, response: ServerResponse): void {
    const given: Json = body === "" ? {} : JSON.parse(body);
    if (method === "POST" && place.sub === "binding") return this.#merge(place, { spec: { nodeName: given.target.name } }, response, 201);
    if (method === "POST") return this.#create(place, given, response);
    if (method === "PATCH") return this.#merge(place, given, response, 200);
    const object = this.#objects.get(keyOf(place));
    if (object === undefined) return status(response, 404, `${place.resource} "${place.name}" not found`, "NotFound");
    if (place.resource === "pods" && parameters.gracePeriodSeconds !== "0" && object.spec.nodeName !== undefined) {
      return this.#merge(
        place,
        { metadata: { deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 30 } },
        response,
        200,
      );
    }
    this.#objects.delete(keyOf(place));
    this.#record(place.resource, "DELETED", object, object);
    json(response, 200, { kind: "Status", status: "Success" });
  }

  #create(place: Place, given: Json, response: ServerResponse): void {
    const named = { ...place, name: given.metadata.name as string };
    if (this.#objects.has(keyOf(named))) return status(response, 409, `${place.resource} "${named.name}" already exists`, "AlreadyExists");
    const metadata = { ...given.metadata };
    if (!CLUSTER_WIDE.has(place.resource)) metadata.namespace = place.namespace;
    const started = place.resource === "pods" ? { status: { phase: "Pending" } } : {};
    json(response, 201, shown(this.#add(place.resource, { ...started, ...given, metadata })));
  }

  #add(resource: string, given: Json): Json {
    const metadata = { ...given.metadata, uid: randomUUID(), creationTimestamp: new Date().toISOString() };
    return this.#record(resource, "ADDED", { __resource: resource, ...given, metadata }, undefined);
  }

  #merge(place: Place, patch: Json, response: ServerResponse, code: number): void {
    const former = this.#objects.get(keyOf(place));
    if (former === undefined) return status(response, 404, `${place.resource} "${place.name}" not found`, "NotFound");
    const object = merged(former, patch);
    json(response, code, shown(this.#record(place.resource, "MODIFIED", object, former)));
  }

  #record(resource: string, type: Change["type"], given: Json, former: Json | undefined): Json {
    const version = ++this.#version;
    const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(version) } };
    const { namespace = "", name } = object.metadata;
    if (type !== "DELETED") this.#objects.set(keyOf({ resource, namespace, name }), object);
    const change: Change = { version, resource, type, object, former };
    this.#history.push(change);
    const go = (): void => {
      for (const watch of this.#watches) tell(watch, change);
    };
    if (this.#frozen) this.#held.push(go);
    else go();
    return object;
  }
}

interface Place {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly sub?: string | undefined;
}

interface Query extends Place {
  readonly parameters: Readonly<Record<string, string>>;
}

const FIELDS = new Set(["spec.nodeName", "metadata.name", "metadata.namespace", "status.phase"]);

function placeOf(path: string): Place | undefined {
  const match = /^\/(?:api\/v1|apis\/[\w.]+\/v1)(?:\/namespaces\/([^/]+)(?=\/))?\/(\w+)(?:\/([^/]+)(?:\/(\w+))?)?$/.exec(path);
  return match === null ? undefined : { namespace: match[1] ?? "", resource: match[2]!, name: match[3] ?? "", sub: match[4] };
}

function keyOf({ resource, namespace, name }: Pick<Place, "resource" | "namespace" | "name">): string {
  return `${resource}/${namespace}/${name}`;
}

function selectors(text = ""): Map<string, string> {
  const parts = text.split(",").filter((part) => part !== "");
  return new Map(parts.map((part) => part.split(/==?/, 2) as [string, string]));
}

function isSelected(object: Json, { namespace, parameters }: Query): boolean {
  if (namespace !== "" && object.metadata.namespace !== namespace) return false;
  for (const [field, want] of selectors(parameters.fieldSelector)) {
    const value = field.split(".").reduce((inner: Json, key) => inner?.[key], object) ?? "";
    if (value !== want) return false;
  }
  for (const [label, want] of selectors(parameters.labelSelector)) if (object.metadata.labels?.[label] !== want) return false;
  return true;
}

/** To a watch with selectors, what comes into its sight is new, and what leaves it is deleted. */
function tell({ response, query }: OpenWatch, { resource, type, object, former }: Change): void {
  // A watch that was ended is among the open ones until its connection is done with it.
  if (resource !== query.resource || response.writableEnded) return;
  const is = type !== "DELETED" && isSelected(object, query);
  const was = former !== undefined && isSelected(former, query);
  if (!is && !was) return;
  const seen = is ? (was ? "MODIFIED" : "ADDED") : "DELETED";
  response.write(`${JSON.stringify({ type: seen, object: shown(object) })}\n`);
}

/** Items of a list have no kind of their own. */
function shown({ __resource, ...object }: Json, withKind = true): Json {
  const { kind, apiVersion, ...rest } = object;
  return withKind ? object : rest;
}

function merged(former: Json, patch: Json): Json {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const made = { ...(typeof former === "object" && former !== null ? former : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete made[key];
    else made[key] = merged(made[key], value);
  }
  return made;
}

function json(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

export function status(response: ServerResponse, code: number, message: string, reason = "Failure", details?: object): void {
  json(response, code, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, details, code });
}

function tooLarge(response: ServerResponse, wanted: number, current: number): void {
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  status(response, 504, `Too large resource version: ${wanted}, current: ${current}`, "Timeout", { causes, retryAfterSeconds: 1 });
}

function expired(response: ServerResponse, fresh: string): void {
  const message = "The provided continue parameter is too old to display a consistent list result.";
  const body = { kind: "Status", status: "Failure", code: 410, reason: "Expired", message, metadata: { continue: fresh } };
  json(response, 410, body);
}
