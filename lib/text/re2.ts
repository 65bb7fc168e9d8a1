// re2js, loaded with the first pattern that it is to judge: its tables of Unicode classes cost a start 5 ms.

import { createRequire } from "node:module";
import type { RE2JS } from "re2js";
import { once } from "../runtime/once.ts";

export const re2 = once((): typeof RE2JS => (createRequire(import.meta.url)("re2js") as typeof import("re2js")).RE2JS);
