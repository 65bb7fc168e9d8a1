// A Pub/Sub subscription over REST. https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions

import { messageOf } from "../../../lib/runtime/invariant.ts";
import type { GoogleToken } from "./google-token.ts";

export interface PubsubMessage {
  readonly ackId: string;
  readonly data: Buffer;
}

export interface PubsubOptions {
  readonly project: string;
  readonly subscription: string;
  /** Of the API: Google's, or an emulator's. */
  readonly origin: string;
  /** An emulator wants none. */
  readonly token: GoogleToken | undefined;
}

export const PUBSUB_SCOPE = "https://www.googleapis.com/auth/pubsub";
export const PUBSUB_ORIGIN = "https://pubsub.googleapis.com";
const MESSAGES_MAX = 1_000;
/** Google holds a pull open for up to a minute and a half when there is nothing. */
const TIMEOUT_MS = 120_000;
/** Of a pull's answer: messages have at most 10 MB, and a pull's answer about as much. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export class Subscription {
  readonly #options: PubsubOptions;
  readonly #path: string;

  constructor(options: PubsubOptions) {
    this.#options = options;
    this.#path = `/v1/projects/${encodeURIComponent(options.project)}/subscriptions/${encodeURIComponent(options.subscription)}`;
  }

  /** Messages, or none when there are none for a while. @throws Error with what Google answered */
  async pull(signal: AbortSignal): Promise<PubsubMessage[]> {
    const answer = (await this.#post("pull", { maxMessages: MESSAGES_MAX }, signal)) as {
      readonly receivedMessages?: readonly { readonly ackId: string; readonly message?: { readonly data?: string } }[];
    };
    return (answer.receivedMessages ?? []).map(({ ackId, message }) => ({ ackId, data: Buffer.from(message?.data ?? "", "base64") }));
  }

  /** They are not sent again. @throws Error */
  async acknowledge(ackIds: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#post("acknowledge", { ackIds }, signal);
  }

  /** They are not sent again for some time. @throws Error */
  async extend(ackIds: readonly string[], seconds: number, signal: AbortSignal): Promise<void> {
    await this.#post("modifyAckDeadline", { ackIds, ackDeadlineSeconds: seconds }, signal);
  }

  async #post(method: string, body: object, signal: AbortSignal): Promise<unknown> {
    const { origin, token } = this.#options;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token !== undefined) headers.authorization = `Bearer ${await token.get()}`;
    const response = await fetch(`${origin}${this.#path}:${method}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    }).catch((error: Error) => {
      throw new Error(`Pub/Sub did not answer to ${method}: ${messageOf(error.cause ?? error)}`, { cause: error });
    });
    const text = await readText(response);
    if (response.status === 401) token?.forget();
    if (!response.ok) throw new Error(`Pub/Sub answered ${response.status} to ${method}: ${text.replace(/\s+/g, " ").slice(0, 300)}`);
    return JSON.parse(text);
  }
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`Pub/Sub's answer has more than ${ANSWER_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, bytes).toString("utf8");
}
