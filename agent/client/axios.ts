// The HTTP library, loaded with the first request. As one CommonJS file, which costs 65 ms where the tree of modules costs 115.

import { createRequire } from "node:module";
import type { AxiosInstance, AxiosStatic } from "axios";

let axiosInstance: AxiosInstance | undefined;

export function loadAxios(): AxiosInstance {
  axiosInstance ??= (createRequire(import.meta.url)("axios") as { default: AxiosStatic }).default.create();
  return axiosInstance;
}
