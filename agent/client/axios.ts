// The HTTP library, loaded with the first request. As one CommonJS file, which costs 65 ms where the tree of modules costs 115.

import { createRequire } from "node:module";
import type { AxiosInstance, AxiosResponse, AxiosStatic, InternalAxiosRequestConfig } from "axios";

let library: AxiosStatic | undefined;
let axiosInstance: AxiosInstance | undefined;
let httpAdapter: ReturnType<AxiosStatic["getAdapter"]> | undefined;

function loadLibrary(): AxiosStatic {
  library ??= (createRequire(import.meta.url)("axios") as { default: AxiosStatic }).default;
  return library;
}

export function loadAxios(): AxiosInstance {
  axiosInstance ??= loadLibrary().create();
  return axiosInstance;
}

/** A request with all that the library would have merged in from its defaults. */
export interface WholeRequest extends Omit<InternalAxiosRequestConfig, "headers"> {
  readonly headers: Record<string, string | string[]>;
}

/**
 * Sends a request that is whole by the library's HTTP adapter: what it does before that for every request (defaults merged, headers
 * by method, transformations, interceptors) costs as much as the request itself and has nothing to do for a push.
 *
 * @throws AxiosError
 */
export async function sendWhole<Body>({ headers, ...request }: WholeRequest): Promise<AxiosResponse<Body>> {
  const { getAdapter, AxiosHeaders } = loadLibrary();
  httpAdapter ??= getAdapter("http");
  return httpAdapter({ ...request, headers: new AxiosHeaders(headers) }) as Promise<AxiosResponse<Body>>;
}
