import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { ProxyOptions } from "./proxy.ts";

/** How to reach a server and how to authenticate: what clients have in common with discoveries. */
export interface HttpOptions {
  /** Prometheus' `http_headers`: several values, secrets and files per name. */
  readonly httpHeaders?: Readonly<Record<string, HeaderSources>>;
  readonly basicAuth?: BasicAuthOptions;
  readonly bearerToken?: string;
  readonly bearerTokenFile?: string;
  readonly authorization?: { readonly type: string; readonly credentials: string; readonly credentialsFile: string };
  readonly oauth2?: OAuth2Options;
  readonly tls?: TlsOptions;
  readonly proxy?: ProxyOptions;
  readonly followRedirects: boolean;
}

/** One entry of `clients`, units in the names. Empty texts and absent blocks mean "not set". */
export interface ClientOptions extends HttpOptions {
  readonly name: string;
  /** Full push URL; may carry user and password. */
  readonly url: string;
  readonly tenantId: string;
  /** A batch is sent when it is this old … */
  readonly batchWaitMs: number;
  /** … or when its lines and metadata reach this. */
  readonly batchBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly backoff: BackoffOptions;
  readonly dropRateLimitedBatches: boolean;
  /** Added to every entry that has no label of the name, empty ones too. */
  readonly externalLabels: Readonly<Record<string, string>>;
  /** Of one request, from first byte out to last byte in. */
  readonly timeoutMs: number;
  /** Nobody waits for it: positions do not, and what it has no room for it misses, counted. */
  readonly optional?: boolean;
  readonly deadLetter?: DeadLetterOptions;
}

/** Where entries are kept that were refused for good. */
export interface DeadLetterOptions {
  readonly path: string;
  /** Of the file and the one before it together. */
  readonly maxBytes: number;
}

/** Files are read anew while the agent runs. */
export interface HeaderSources {
  readonly values: readonly string[];
  readonly secrets: readonly string[];
  readonly files: readonly string[];
}

export interface BasicAuthOptions {
  readonly username: string;
  readonly usernameFile?: string;
  readonly password: string;
  readonly passwordFile: string;
}

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Sends in all, the first included; 0: for ever; below: one. */
  readonly retriesMax: number;
}

export interface OAuth2Options {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly clientSecretFile: string;
  readonly scopes: readonly string[];
  readonly tokenUrl: string;
  readonly endpointParams: Readonly<Record<string, string>>;
  /** Of the token endpoint; absent: as for the client. */
  readonly tls?: TlsOptions;
  readonly proxy?: ProxyOptions;
}

/** PEM texts, or files of them. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly serverName: string;
  readonly insecureSkipVerify: boolean;
  /** TLS10 to TLS13; empty: Node's. */
  readonly minVersion?: string;
  readonly maxVersion?: string;
}

/** What all clients share. */
export interface ClientsShared {
  /** 0: no bound. */
  readonly maxLineBytes: number;
  /** Cuts longer lines instead of dropping them. */
  readonly maxLineTruncate: boolean;
  /** Streams per batch; 0: no bound. */
  readonly maxStreams: number;
  readonly registry: Registry;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
  /** `name/version` */
  readonly userAgent: string;
}
