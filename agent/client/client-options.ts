import type { Registry } from "prom-client";
import type { Clock } from "../../lib/runtime/clock.ts";
import type { Log } from "../../lib/runtime/log.ts";

/** One entry of `clients`, units in the names. Empty texts and absent blocks mean "not set". */
export interface ClientOptions {
  readonly name: string;
  /** Full push URL; may carry user and password. */
  readonly url: string;
  readonly tenantId: string;
  /** A batch is sent when it is this old … */
  readonly batchWaitMs: number;
  /** … or when its lines and metadata reach this. */
  readonly batchBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly basicAuth?: { readonly username: string; readonly password: string; readonly passwordFile: string };
  readonly bearerToken?: string;
  readonly bearerTokenFile?: string;
  readonly authorization?: { readonly type: string; readonly credentials: string; readonly credentialsFile: string };
  readonly oauth2?: OAuth2Options;
  readonly tls?: TlsOptions;
  readonly proxyUrl?: string;
  readonly followRedirects: boolean;
  readonly backoff: BackoffOptions;
  readonly dropRateLimitedBatches: boolean;
  /** Added to every entry that has no label of the name. */
  readonly externalLabels: Readonly<Record<string, string>>;
  /** Of one request, from first byte out to last byte in. */
  readonly timeoutMs: number;
}

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Sends in all, the first included; 0: for ever. */
  readonly retriesMax: number;
}

export interface OAuth2Options {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly clientSecretFile: string;
  readonly scopes: readonly string[];
  readonly tokenUrl: string;
  readonly endpointParams: Readonly<Record<string, string>>;
}

export interface TlsOptions {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly serverName: string;
  readonly insecureSkipVerify: boolean;
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
