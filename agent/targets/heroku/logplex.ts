// Bodies of Heroku's log drains: RFC 5424 messages without structured data, each behind its length in bytes.
//
//   body    := frame*
//   frame   := <length> SP message
//   message := "<" priority ">" version SP time SP host SP app SP process SP id SP line       the line feed at the end is the line's

export interface LogplexMessage {
  /** As sent: RFC 3339. */
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly process: string;
  readonly id: string;
  /** Of the line, in the body. */
  readonly start: number;
  readonly end: number;
}

/** What stands at a place of the body is no message; what stands before it is. */
export class LogplexError extends Error {
  override readonly name = "LogplexError";
}

const SPACE = 32;
const FIELDS = 6;
const LENGTH_DIGITS_MAX = 10;

/** Reads messages up to the first that is malformed. @throws LogplexError there */
export function* readLogplex(body: Buffer): Generator<LogplexMessage> {
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(SPACE, at);
    const length = space < 0 ? "" : body.toString("latin1", at, Math.min(space, at + LENGTH_DIGITS_MAX + 1));
    if (!/^\d{1,10}$/.test(length)) throw new LogplexError(`bad frame: no length and space at byte ${at}`);
    const start = space + 1;
    const end = start + Number(length);
    if (end > body.length) throw new LogplexError(`bad frame: the message at byte ${start} has ${body.length - start} bytes of ${length}`);
    yield readMessage(body, start, end);
    at = end;
  }
}

function readMessage(body: Buffer, start: number, end: number): LogplexMessage {
  const fields: string[] = [];
  let at = start;
  while (fields.length < FIELDS) {
    const space = body.indexOf(SPACE, at);
    if (space < 0 || space >= end) throw new LogplexError(`the message at byte ${start} ends after ${fields.length} of ${FIELDS} fields`);
    fields.push(body.toString("utf8", at, space));
    at = space + 1;
  }
  const [priority, time, host, app, process, id] = fields as [string, string, string, string, string, string];
  const [, number] = /^<(\d+)>\d$/.exec(priority) ?? [];
  if (number === undefined || Number(number) > 255) throw new LogplexError(`the message at byte ${start} has an invalid pri-val`);
  return { time, host, app, process, id, start: at, end };
}
