// Where entries end: the clients, or standard output in a dry run.

import type { Registry } from "prom-client";
import type { Clock } from "../lib/runtime/clock.ts";
import type { Log } from "../lib/runtime/log.ts";
import { VERSION } from "../lib/runtime/version.ts";
import type { Backlogs } from "./backlog/backlogs.ts";
import { clientOptionsOf } from "./client-settings.ts";
import { printClient } from "./config/print.ts";
import type { AgentConfig } from "./config/schema.ts";
import { printSink } from "./print-sink.ts";
import type { Sink } from "./sink.ts";

export interface Outlet extends Sink {
  /** Sends what is there; gives up, and drops, at the deadline (milliseconds from now). */
  drain(deadlineMs: number): Promise<void>;
  /** Whether nothing is on its way. */
  idle(): boolean;
  stopNow(): Promise<void> | void;
}

export interface OutletContext {
  /** Where clients that are behind have their batches; absent when none may be. */
  readonly backlogs: Backlogs | undefined;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws Error for a certificate or password file that cannot be read */
export async function openOutlet(config: AgentConfig, context: OutletContext): Promise<Outlet> {
  const { openClients } = await import("./client/clients.ts");
  const { max_line_size, max_line_size_truncate, max_streams } = config.limits_config;
  const options = config.clients.map(clientOptionsOf);
  const shared = {
    maxLineBytes: max_line_size,
    maxLineTruncate: max_line_size_truncate,
    maxStreams: max_streams,
    registry: context.registry,
    log: context.log,
    clock: context.clock,
    random: Math.random,
    userAgent: `skald/${VERSION}`,
  };
  return openClients(options, shared, await context.backlogs?.open(options));
}

/** Prints the clients, then entries as they come. */
export function openPrinter(config: AgentConfig, write: (text: string) => Promise<void> | void): Outlet {
  const shown = config.clients.map((client) => `----------------------\n${printClient(client)}\n`);
  void write(`Clients configured:\n${shown.join("")}`);
  return { ...printSink(write), drain: async () => {}, idle: () => true, stopNow: () => {} };
}
