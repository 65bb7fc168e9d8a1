// The four kinds of prom-client that programs use, without the rest of it: its front door also loads default metrics, a push gateway and
// cluster support, which costs 25 ms of CPU at every start.

import { createRequire } from "node:module";
import type * as prom from "prom-client";

const require = createRequire(import.meta.url);

export const Registry = require("prom-client/lib/registry") as typeof prom.Registry;
export const Counter = require("prom-client/lib/counter") as typeof prom.Counter;
export const Gauge = require("prom-client/lib/gauge") as typeof prom.Gauge;
export const Histogram = require("prom-client/lib/histogram") as typeof prom.Histogram;

export type Registry = prom.Registry;
export type Counter<Label extends string = string> = prom.Counter<Label>;
export type Gauge<Label extends string = string> = prom.Gauge<Label>;
export type Histogram<Label extends string = string> = prom.Histogram<Label>;
