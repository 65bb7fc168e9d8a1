import { createLog, type Log } from "../lib/runtime/log.ts";

/** A log that says nothing. */
export const silentLog: Log = createLog({ write: () => {} });
