// GET /tap: what passes a stage of a running pipeline, as server-sent events; a page that shows them, and a list of the taps there are.

import type { ServerResponse } from "node:http";
import { plain, type Request } from "../../lib/runtime/http-server.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { EntryTest } from "../../pipelines/line-test.ts";
import { compileSelector } from "../../pipelines/selector.ts";
import type { TapPoint } from "../../pipelines/tap.ts";
import type { AgentView } from "./status.ts";
import { type JobTap, TapStream } from "./tap-stream.ts";

const STREAMS_MAX = 32;
const RATE_DEFAULT = 10;
const RATE_MAX = 1_000;
const TICK_MS = 1_000;
/** The default stage: what leaves the pipeline. */
const OUTPUT = "output";

/** Which entries of which taps are asked for. */
interface Question {
  readonly job: string | null;
  readonly stage: string;
  readonly eventsPerSecond: number;
  readonly sample: number;
  readonly selector: EntryTest | undefined;
}

/** All watchers of the agent. */
export class TapStreams {
  readonly #view: AgentView;
  /** Calls that end a stream. */
  readonly #open = new Set<() => void>();

  constructor(view: AgentView) {
    this.#view = view;
  }

  /** Answers with a stream that ends when the client goes, or the agent. */
  serve(request: Request, response: ServerResponse): void {
    if (!this.#view.config.server.enable_tap && !isLocal(request)) {
      const reason =
        "log lines are shown to this machine only, unless the configuration has server.enable_tap: true (flag -server.enable-tap)";
      return plain(response, 403, `${reason}\n`);
    }
    let question: Question;
    try {
      question = readQuestion(request.query);
    } catch (error) {
      return plain(response, 400, `${messageOf(error)}\n`);
    }
    const found = findTaps(this.#view, question);
    if (found.length === 0) return plain(response, 404, noSuchTap(this.#view, question));
    if (this.#open.size >= STREAMS_MAX) return plain(response, 503, `${STREAMS_MAX} taps are open, which is the limit: close one\n`);
    this.#stream(question, found, response);
  }

  /** Ends every stream. */
  close(): void {
    for (const end of this.#open) end();
  }

  #stream(question: Question, found: readonly JobTap[], response: ServerResponse): void {
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // A proxy that collects a page first would never show one.
      "x-accel-buffering": "no",
    });
    const stream = new TapStream({
      ...question,
      write: (text) => void response.write(text),
      unsentBytes: () => response.writableLength,
      nowMs: () => Date.now(),
      random: Math.random,
    });
    stream.watch(found);
    // A reload puts other pipelines in the place of these.
    const timer = setInterval(() => {
      stream.watch(findTaps(this.#view, question));
      stream.tick();
    }, TICK_MS);
    const end = (): void => {
      clearInterval(timer);
      stream.end();
      this.#open.delete(end);
      response.end();
    };
    this.#open.add(end);
    response.once("close", end);
  }
}

/** @throws Error saying what the parameter may be */
function readQuestion(query: URLSearchParams): Question {
  const number = (name: string, standard: number, max: number): number => {
    const given = query.get(name);
    const value = given === null || given === "" ? standard : Number(given);
    if (!(value > 0 && value <= max)) throw new Error(`${name} is a number above 0, up to ${max}; got ${JSON.stringify(given)}`);
    return value;
  };
  const selector = query.get("selector") ?? "";
  return {
    job: query.get("job") || null,
    stage: query.get("stage") || OUTPUT,
    eventsPerSecond: number("rate", RATE_DEFAULT, RATE_MAX),
    sample: number("sample", 1, 1),
    selector: selector === "" ? undefined : compileSelector(selector),
  };
}

export function allTaps(view: AgentView): JobTap[] {
  return view.jobs.flatMap(({ scrape, taps }) => taps.map((point) => ({ job: scrape.job_name, point })));
}

function findTaps(view: AgentView, { job, stage }: Pick<Question, "job" | "stage">): JobTap[] {
  return allTaps(view).filter((tap) => (job === null || tap.job === job) && isNamed(tap.point, stage));
}

/** By its id, by its place in the pipeline (`0`), or by the name that it may share with others. */
const isNamed = ({ id, name }: TapPoint, stage: string): boolean => id === stage || name === stage || id === `${stage}.${name}`;

function noSuchTap(view: AgentView, { job, stage }: Question): string {
  const jobs = view.jobs.map(({ scrape }) => scrape.job_name);
  if (job !== null && !jobs.includes(job)) return `no job ${JSON.stringify(job)}; there are: ${jobs.join(", ") || "none"}\n`;
  const stages = new Set(
    allTaps(view)
      .filter((tap) => job === null || tap.job === job)
      .map(({ point }) => point.id),
  );
  return `no stage ${JSON.stringify(stage)}; there are: ${[...stages].join(", ") || "none (standard input and pipelines under -inspect have no taps)"}\n`;
}

/** From this machine and meant for it: not through a proxy, nor by a page whose name was made to lead here. */
function isLocal({ raw }: Request): boolean {
  const { headers, socket } = raw;
  if (headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined) return false;
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  return /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? "") && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i.test(host);
}
