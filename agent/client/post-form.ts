import { TIMER_MS_MAX } from "../../lib/runtime/clock.ts";
import { loadAxios } from "./axios.ts";
import type { Routes } from "./routes.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;

export interface FormWay {
  readonly routes: Routes;
  readonly userAgent: string;
  readonly timeoutMs: number;
}

/** Asks a token endpoint. @param basic value of the header Authorization. @throws Error when there is no answer */
export async function postForm(
  url: string,
  form: URLSearchParams,
  basic: string | undefined,
  { routes, userAgent, timeoutMs }: FormWay,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await loadAxios().request<string>({
    method: "POST",
    url,
    data: form.toString(),
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      "User-Agent": userAgent,
      ...(basic !== undefined && { Authorization: basic }),
    },
    ...routes.to(new URL(url)),
    timeout: Math.min(timeoutMs, TIMER_MS_MAX),
    responseType: "text",
    transformResponse: (data: string) => data,
    maxContentLength: ANSWER_BYTES_MAX,
    validateStatus: () => true,
  });
  return { status: response.status, text: response.data };
}
