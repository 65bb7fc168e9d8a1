// What went wrong when the API server was asked, and what to do next: decided here, once.

import { messageOf } from "../../../lib/runtime/invariant.ts";

/** The API server's answer was not what was asked for: a status other than 200, or an error within a watch. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  /** Causes that a `Status` names, such as `ResourceVersionTooLarge`. */
  readonly causes: readonly string[];

  constructor(
    status: number,
    text: string,
    options: { readonly retryAfterMs?: number | undefined; readonly causes?: readonly string[] } = {},
  ) {
    super(text);
    this.status = status;
    this.retryAfterMs = options.retryAfterMs;
    this.causes = options.causes ?? [];
  }
}

/** An error's body is a `Status` object, or plain text (429, proxies in between). */
export function apiErrorOf(status: number, body: string, retryAfterMs: number | undefined): ApiError {
  let parsed: ApiStatus = {};
  try {
    parsed = JSON.parse(body) as ApiStatus;
  } catch {
    // Plain text is quoted as it is.
  }
  const text = typeof parsed?.message === "string" ? parsed.message : body.trim().slice(0, 300);
  return new ApiError(status, `${status}: ${text || "no text"}`, { retryAfterMs, causes: causesOf(parsed) });
}

/** The object of an `ERROR` event. */
export function watchErrorOf(object: unknown): ApiError {
  const status = (object ?? {}) as ApiStatus;
  const code = typeof status.code === "number" ? status.code : 500;
  return new ApiError(code, `${code}: ${status.message ?? "watch ended with an error"}`, {
    causes: causesOf(status),
    retryAfterMs: retryAfterOf(status),
  });
}

interface ApiStatus {
  readonly code?: number;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string }[];
  };
}

function retryAfterOf({ details }: ApiStatus): number | undefined {
  return typeof details?.retryAfterSeconds === "number" ? details.retryAfterSeconds * 1000 : undefined;
}

function causesOf(status: ApiStatus | null): string[] {
  const causes = status?.details?.causes;
  return Array.isArray(causes) ? causes.flatMap(({ reason }) => (typeof reason === "string" ? [reason] : [])) : [];
}

export type FailureKind = "gone" | "lost_history" | "credentials" | "forbidden" | "configuration" | "throttled" | "server" | "network";

export interface Failure {
  readonly kind: FailureKind;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
  /** For what changes only when somebody changes it. */
  readonly slow: boolean;
}

export function failureOf(error: unknown): Failure {
  const text = messageOf(error);
  if (!(error instanceof ApiError)) return { kind: "network", text: withCode(error, text), retryAfterMs: undefined, slow: false };
  const { status, causes, retryAfterMs } = error;
  const kind = kindOf(status, causes);
  return { kind, text: hintOf(kind, text), retryAfterMs, slow: kind === "forbidden" || kind === "configuration" };
}

function kindOf(status: number, causes: readonly string[]): FailureKind {
  if (causes.includes("ResourceVersionTooLarge")) return "lost_history";
  if (status === 410) return "gone";
  if (status === 401) return "credentials";
  if (status === 403) return "forbidden";
  if (status === 429) return "throttled";
  if (status >= 400 && status < 500 && status !== 408) return "configuration";
  return "server";
}

function hintOf(kind: FailureKind, text: string): string {
  if (kind === "forbidden") return `${text}; the agent's service account needs get, list and watch on this resource`;
  if (kind === "credentials") return `${text}; credentials are read anew for the next try`;
  if (kind === "configuration") return `${text}; check role, selectors and namespaces`;
  return text;
}

function withCode(error: unknown, text: string): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && !text.includes(code) ? `${text || "failed"} (${code})` : text || "failed";
}
