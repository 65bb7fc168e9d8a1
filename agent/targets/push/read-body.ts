// A request's body, of which only what has arrived counts against the budget: senders that announce much and send little hold up nobody.

import type { IncomingMessage } from "node:http";
import { BodyTooLarge } from "../../../lib/runtime/http-server.ts";
import type { InFlightBudget } from "../../tail/in-flight-budget.ts";
import { Refusal } from "./refusal.ts";

/** What a request holds of the budget; to be released by whoever has it in the end. */
export interface Held {
  bytes: number;
}

/**
 * @throws BodyTooLarge for a body above the limit, Refusal (503) when there is no room for it, Error when the sender goes away.
 *   What is left of the body is then passed over, so that the sender gets to read the answer
 */
export function readBody(raw: IncomingMessage, limitBytes: number, budget: InFlightBudget, held: Held): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const fail = (error: Error): void => {
      raw.off("data", take).off("end", finish);
      raw.resume();
      reject(error);
    };
    const take = (part: Buffer): void => {
      if (held.bytes + part.length > limitBytes) return fail(new BodyTooLarge(held.bytes + part.length, limitBytes));
      if (!hasRoom(budget, held, part.length)) return fail(noRoom());
      budget.take(part.length);
      held.bytes += part.length;
      parts.push(part);
    };
    const finish = (): void => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    raw.once("error", fail);
    raw.once("close", () => {
      if (!raw.complete) fail(new Error("the sender went away"));
    });
    const announced = Number(raw.headers["content-length"] ?? 0);
    if (announced > limitBytes) return fail(new BodyTooLarge(announced, limitBytes));
    if (!hasRoom(budget, held, announced)) return fail(noRoom());
    raw.on("data", take).once("end", finish);
  });
}

/** Even the largest body is taken when nothing else is under way. */
function hasRoom(budget: InFlightBudget, held: Held, bytes: number): boolean {
  return budget.usedBytes === held.bytes || budget.usedBytes + bytes <= budget.limitBytes;
}

function noRoom(): Refusal {
  return new Refusal(503, "too many entries are under way and not yet acknowledged");
}
