// Access tokens for Google's APIs, found as Google's own libraries find them ("application default credentials"):
// the file GOOGLE_APPLICATION_CREDENTIALS names, gcloud's own file, the metadata server of a machine at Google.
// https://developers.google.com/identity/protocols/oauth2/service-account#httprest, https://cloud.google.com/docs/authentication/application-default-credentials

import { createSign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../../lib/runtime/clock.ts";
import { messageOf } from "../../../lib/runtime/invariant.ts";

export interface GoogleTokenOptions {
  readonly scope: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Credentials {
  readonly type: string;
  readonly client_email?: string;
  readonly private_key?: string;
  readonly private_key_id?: string;
  readonly token_uri?: string;
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly refresh_token?: string;
}

const TOKEN_URI = "https://oauth2.googleapis.com/token";
const METADATA_HOST = "169.254.169.254";
const TIMEOUT_MS = 10_000;
/** A token is renewed this long before it ends. */
const EARLY_MS = 60_000;
const ASSERTION_SECONDS = 3_600;

export class GoogleToken {
  readonly #options: GoogleTokenOptions;
  #token = "";
  #endsMs = 0;

  constructor(options: GoogleTokenOptions) {
    this.#options = options;
  }

  /** @throws Error that says where credentials were looked for, or what the token server answered */
  async get(): Promise<string> {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < this.#endsMs - EARLY_MS) return this.#token;
    const { access_token: token, expires_in: seconds } = await this.#fetch(nowMs);
    if (typeof token !== "string" || typeof seconds !== "number") throw new Error("Google's token server answered without a token");
    this.#token = token;
    this.#endsMs = nowMs + seconds * 1_000;
    return token;
  }

  /** The token was refused: the next `get` asks for another. */
  forget(): void {
    this.#endsMs = 0;
  }

  async #fetch(nowMs: number): Promise<Record<string, unknown>> {
    const { env, scope } = this.#options;
    const credentials = await readCredentials(env);
    if (credentials === undefined) return fromMetadata(env.GCE_METADATA_HOST ?? METADATA_HOST, scope);
    if (credentials.type === "service_account") {
      const assertion = signAssertion(credentials, scope, Math.floor(nowMs / 1_000));
      return post(credentials.token_uri ?? TOKEN_URI, { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
    }
    if (credentials.type === "authorized_user") {
      const { client_id = "", client_secret = "", refresh_token = "" } = credentials;
      return post(credentials.token_uri ?? TOKEN_URI, { grant_type: "refresh_token", client_id, client_secret, refresh_token });
    }
    throw new Error(`Google credentials of type ${JSON.stringify(credentials.type)} are not supported: use those of a service account`);
  }
}

async function readCredentials(env: GoogleTokenOptions["env"]): Promise<Credentials | undefined> {
  const named = env.GOOGLE_APPLICATION_CREDENTIALS;
  const file = named || join(env.CLOUDSDK_CONFIG ?? join(homedir(), ".config", "gcloud"), "application_default_credentials.json");
  try {
    return JSON.parse(await readFile(file, "utf8")) as Credentials;
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`cannot read Google credentials from ${file}: ${messageOf(error)}`);
  }
}

function signAssertion(credentials: Credentials, scope: string, nowSeconds: number): string {
  const { client_email: issuer, private_key: key, private_key_id: kid, token_uri: audience = TOKEN_URI } = credentials;
  if (issuer === undefined || key === undefined)
    throw new Error("Google credentials of a service account need client_email and private_key");
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: issuer, scope, aud: audience, iat: nowSeconds, exp: nowSeconds + ASSERTION_SECONDS };
  const signed = `${encode({ alg: "RS256", typ: "JWT", ...(kid === undefined ? {} : { kid }) })}.${encode(claims)}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(key, "base64url")}`;
}

async function post(url: string, form: Record<string, string>): Promise<Record<string, unknown>> {
  return readAnswer(url, await fetch(url, { method: "POST", body: new URLSearchParams(form), signal: AbortSignal.timeout(TIMEOUT_MS) }));
}

async function fromMetadata(host: string, scope: string): Promise<Record<string, unknown>> {
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token?${new URLSearchParams({ scopes: scope })}`;
  try {
    return readAnswer(url, await fetch(url, { headers: { "metadata-flavor": "Google" }, signal: AbortSignal.timeout(TIMEOUT_MS) }));
  } catch (error) {
    throw new Error(
      `no Google credentials: GOOGLE_APPLICATION_CREDENTIALS names no file, and the metadata server did not answer (${messageOf(error)})`,
    );
  }
}

async function readAnswer(url: string, response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status} to a demand for a token: ${text.slice(0, 200)}`);
  return JSON.parse(text) as Record<string, unknown>;
}
