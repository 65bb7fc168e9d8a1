// What goes into the Authorization header. Files are read anew for each use (tokens are rotated under a running agent); a short memory
// keeps that from being a read per request.

import { readFile } from "node:fs/promises";
import type { Clock } from "../../lib/runtime/clock.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { ClientOptions, OAuth2Options } from "./client-options.ts";

const FILE_MEMORY_MS = 1_000;

export interface Credentials {
  /** Value of the header, undefined for none. @throws Error when a file cannot be read or no token is given */
  header(): Promise<string | undefined>;
  /** The server has refused what `header` gave: a token is fetched anew. */
  refused(): void;
}

/** Sends a form to the token endpoint; the transport's own way, with its TLS and proxy. */
export type PostForm = (
  url: string,
  form: URLSearchParams,
  basic: string | undefined,
) => Promise<{ readonly status: number; readonly text: string }>;

/** How to authenticate; at most one of them is given. */
export type CredentialOptions = Pick<ClientOptions, "basicAuth" | "authorization" | "bearerToken" | "bearerTokenFile" | "oauth2">;

export function openCredentials(options: CredentialOptions, url: URL, clock: Clock, postForm: PostForm): Credentials {
  const { basicAuth, authorization, bearerToken, bearerTokenFile, oauth2 } = options;
  const secret = (text: string, file: string): (() => Promise<string>) => {
    if (file === "") return async () => text;
    const read = rememberFile(file, clock);
    return async () => (await read()).trim();
  };
  const fixed = (make: () => Promise<string>): Credentials => ({ header: make, refused: () => {} });
  if (oauth2 !== undefined) return openOAuth2(oauth2, secret(oauth2.clientSecret, oauth2.clientSecretFile), clock, postForm);
  // As in Go's HTTP client: the address' own come before what is configured, and a token before them.
  if (url.username !== "" || url.password !== "") {
    const header = basicHeader(decodeURIComponent(url.username), decodeURIComponent(url.password));
    return fixed(async () => header);
  }
  if (basicAuth !== undefined) {
    const username = secret(basicAuth.username, basicAuth.usernameFile ?? "");
    const password = secret(basicAuth.password, basicAuth.passwordFile);
    return fixed(async () => basicHeader(await username(), await password()));
  }
  if (authorization !== undefined) {
    const credentials = secret(authorization.credentials, authorization.credentialsFile);
    return fixed(async () => `${authorization.type || "Bearer"} ${await credentials()}`);
  }
  if (bearerToken || bearerTokenFile) {
    const token = secret(bearerToken ?? "", bearerTokenFile ?? "");
    return fixed(async () => `Bearer ${await token()}`);
  }
  return { header: async () => undefined, refused: () => {} };
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** As Go's `url.QueryEscape`: what a form has, in which a space is a plus and all marks but `-_.~` are bytes. */
function queryEscaped(text: string): string {
  const marked = encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  return marked.replaceAll("%20", "+");
}

/** Reads a file of a secret, at most once a second. */
export function rememberFile(path: string, clock: Clock): () => Promise<string> {
  let text = "";
  let readMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (clock.nowMs() - readMs < FILE_MEMORY_MS) return text;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      throw new Error(`could not read credentials from ${path}: ${messageOf(error)}`);
    }
    readMs = clock.nowMs();
    return text;
  };
}

/** A token is renewed this long before it ends. */
const EARLY_MS = 10_000;

/** OAuth 2.0 client credentials grant (RFC 6749, 4.4): with a Basic header first, and the credentials in the form if that is refused. */
function openOAuth2(options: OAuth2Options, secret: () => Promise<string>, clock: Clock, postForm: PostForm): Credentials {
  let token = "";
  let endsMs = Number.NEGATIVE_INFINITY;
  let pending: Promise<string> | undefined;
  const fetchToken = async (): Promise<string> => {
    const clientSecret = await secret();
    const form = new URLSearchParams({ ...options.endpointParams, grant_type: "client_credentials" });
    if (options.scopes.length > 0) form.set("scope", options.scopes.join(" "));
    const basic = basicHeader(queryEscaped(options.clientId), queryEscaped(clientSecret));
    let answer = await postForm(options.tokenUrl, form, basic);
    if (answer.status < 200 || answer.status > 299) {
      form.set("client_id", options.clientId);
      form.set("client_secret", clientSecret);
      answer = await postForm(options.tokenUrl, form, undefined);
    }
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${options.tokenUrl} gave no token: ${answer.status} ${answer.text.slice(0, 200)}`);
    }
    const body = JSON.parse(answer.text) as { access_token?: unknown; token_type?: unknown; expires_in?: unknown };
    if (typeof body.access_token !== "string" || body.access_token === "")
      throw new Error(`${options.tokenUrl} answered without access_token`);
    const type = typeof body.token_type === "string" && body.token_type.toLowerCase() !== "bearer" ? body.token_type : "Bearer";
    const lifeS = Number(body.expires_in);
    endsMs = Number.isFinite(lifeS) && lifeS > 0 ? clock.nowMs() + lifeS * 1000 : Number.POSITIVE_INFINITY;
    token = `${type} ${body.access_token}`;
    return token;
  };
  return {
    header: async () => {
      if (clock.nowMs() < endsMs - EARLY_MS) return token;
      pending ??= fetchToken().finally(() => {
        pending = undefined;
      });
      return pending;
    },
    refused: () => {
      endsMs = Number.NEGATIVE_INFINITY;
    },
  };
}
