// Parameters of a tail, checked before the upgrade, with Loki's texts (reference server-features §1.11).

import { type Expr, parseForFormat } from "../../lib/logql/index.ts";
import { quoteGo } from "../../lib/text/go-quote.ts";
import { QueryError } from "../query/errors.ts";
import { parseLimit, parseTimes } from "./query-params.ts";

const DELAY_SECONDS_MAX = 5;
const HISTORY_MS = 3_600_000;

export interface TailParams {
  readonly query: string;
  readonly expr: Expr;
  /** Entries of the history, newest first counted. */
  readonly limit: number;
  readonly startNs: bigint;
  /** Entries are held back this long, so that late ones come in order. */
  readonly delayMs: number;
}

/** @throws QueryError, LogqlError: 400 */
export function parseTailParams(params: URLSearchParams, nowMs: number): TailParams {
  // Of old, a regular expression could stand beside the selector.
  const regexp = params.get("regexp") ?? "";
  const selector = params.get("query") ?? "";
  const query = regexp === "" ? selector : `${selector} |~ ${JSON.stringify(regexp)}`;
  const expr = parseForFormat(query);
  const limit = parseLimit(params);
  const { startNs } = parseTimes(params, { nowMs, defaultRangeMs: HISTORY_MS });
  return { query, expr, limit, startNs, delayMs: parseDelay(params.get("delay_for") ?? "") * 1000 };
}

function parseDelay(text: string): number {
  if (text === "") return 0;
  if (!/^[+-]?\d+$/.test(text)) throw new QueryError(400, `strconv.Atoi: parsing ${quoteGo(text)}: invalid syntax`);
  const seconds = Number(text);
  if (seconds < 0 || seconds > DELAY_SECONDS_MAX) throw new QueryError(400, `delay_for can't be greater than ${DELAY_SECONDS_MAX}`);
  return seconds;
}
