import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serverSchema } from "../../../agent/config/server.ts";
import { openAgentServer } from "../../../agent/http/agent-server.ts";
import type { AgentView } from "../../../agent/http/status.ts";
import type { HttpServer } from "../../../lib/runtime/http-server.ts";
import { Registry } from "../../../lib/runtime/metrics.ts";
import type { Pipeline } from "../../../pipelines/pipeline.ts";
import { compileTapped } from "../../../pipelines/tap.ts";
import { makeBatch, makeWorld } from "../../pipelines/run-stages.ts";
import { silentLog } from "../../silent-log.ts";

const STAGES = [{ regex: { expression: "(?P<n>\\d)" } }, { drop: { expression: "no" } }, { regex: { expression: "x" } }];
const server = (more: object = {}) => ({ ...serverSchema().parse({}), http_listen_address: "127.0.0.1", http_listen_port: 0, ...more });

interface FakeJob {
  readonly scrape: { readonly job_name: string };
  readonly taps: Pipeline["taps"];
}

let http: HttpServer;
let pipelines: Record<string, Pipeline>;
let jobs: FakeJob[];
const view = (config: object): AgentView =>
  ({
    config: { server: config },
    get jobs() {
      return jobs;
    },
    ready: true,
    reload: async () => {},
  }) as unknown as AgentView;

const jobOf = (job_name: string, pipeline: Pipeline): FakeJob => ({ scrape: { job_name }, taps: pipeline.taps });

async function open(more: object = {}): Promise<void> {
  const config = server(more);
  http = await openAgentServer(config, view(config), new Registry(), silentLog);
}

beforeEach(() => {
  pipelines = { app: compileTapped(STAGES, makeWorld()), "a&b": compileTapped([], makeWorld()) };
  jobs = Object.entries(pipelines).map(([name, pipeline]) => jobOf(name, pipeline));
});
afterEach(() => http.close(0));

interface Stream {
  readonly status: number;
  readonly text: () => string;
  readonly ended: () => boolean;
  readonly close: () => void;
}

function tap(path: string, headers: Record<string, string> = {}): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: http.port, path, headers, agent: false }, (response) => {
      let text = "";
      let ended = false;
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("close", () => {
        ended = true;
      });
      resolve({ status: response.statusCode!, text: () => text, ended: () => ended, close: () => asked.destroy() });
    });
    asked.on("error", reject).end();
  });
}
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}
const isWatched = (job: string): boolean => pipelines[job]!.taps.some(({ show }) => show !== undefined);
const entriesIn = (text: string): string[] =>
  [...text.matchAll(/event: entry\ndata: (.*)\n/g)].map((match) => {
    const { job, stage, line } = JSON.parse(match[1]!) as Record<string, string>;
    return `${job} ${stage} ${line}`;
  });

describe("GET /tap", () => {
  const shows = (name: string, query: string, wanted: readonly string[]): void =>
    test(name, async () => {
      await open();
      const stream = await tap(`/tap${query}`);
      expect(stream.status).toBe(200);
      for (const pipeline of Object.values(pipelines)) pipeline.process(makeBatch(["a 1", "no 2"]));
      await until(() => entriesIn(stream.text()).length === wanted.length);
      expect(entriesIn(stream.text())).toEqual(wanted);
      stream.close();
    });
  shows("what leaves every pipeline", "", ["app output a 1", "a&b output a 1", "a&b output no 2"]);
  shows("of one job", "?job=a%26b", ["a&b output a 1", "a&b output no 2"]);
  shows("behind a stage by its place", "?job=app&stage=0", ["app 0.regex a 1", "app 0.regex no 2"]);
  shows("behind a stage by its id", "?stage=1.drop", ["app 1.drop a 1"]);
  shows("behind all stages of a name", "?stage=regex", ["app 0.regex a 1", "app 0.regex no 2", "app 2.regex a 1"]);
  shows("before the first", "?stage=input&job=app", ["app input a 1", "app input no 2"]);
  shows("no more than the rate", "?stage=input&rate=1&job=app", ["app input a 1"]);
  shows("of a selector", `?stage=input&job=app&selector=${encodeURIComponent('{a!="x"} |= "2"')}`, ["app input no 2"]);

  const refuses = (name: string, query: string, status: number, words: RegExp): void =>
    test(name, async () => {
      await open();
      const stream = await tap(`/tap${query}`);
      await until(() => stream.ended());
      expect([stream.status, stream.text()]).toEqual([status, expect.stringMatching(words)]);
    });
  refuses("an unknown job", "?job=nope", 404, /^no job "nope"; there are: app, a&b\n$/);
  refuses("an unknown stage", "?job=app&stage=7", 404, /^no stage "7"; there are: input, 0\.regex, 1\.drop, 2\.regex, output\n$/);
  refuses("a rate that is none", "?rate=fast", 400, /^rate is a number above 0, up to 1000; got "fast"/);
  refuses("a rate above all", "?rate=1001", 400, /up to 1000/);
  refuses("a selector that is none", "?selector=%7Ba", 400, /parse error/);
});

describe("who may watch", () => {
  const answers = (name: string, headers: Record<string, string>, status: number, more: object = {}): void =>
    test(name, async () => {
      await open(more);
      const stream = await tap("/tap", headers);
      expect(stream.status).toBe(status);
      stream.close();
    });
  answers("this machine", {}, 200);
  answers("this machine by its name", { host: "localhost:9080" }, 200);
  answers("not through a proxy", { "x-forwarded-for": "203.0.113.7" }, 403);
  answers("not a page whose name leads here", { host: "evil.example" }, 403);
  answers("everybody, when it is configured", { host: "agent.example", "x-forwarded-for": "203.0.113.7" }, 200, { enable_tap: true });
});

describe("streams come and go", () => {
  test("a pipeline is let go when the last watcher has gone", async () => {
    await open();
    const [one, two] = await Promise.all([tap("/tap?job=app"), tap("/tap?job=app&stage=0")]);
    expect(isWatched("app")).toBe(true);
    one.close();
    two.close();
    await until(() => !isWatched("app"));
  });
  test("no more than 32", async () => {
    await open();
    const streams = await Promise.all(Array.from({ length: 33 }, () => tap("/tap")));
    expect(streams.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 32 }, () => 200), 503]);
    for (const stream of streams) stream.close();
    await until(() => !isWatched("app"));
    expect((await tap("/tap")).status).toBe(200);
  });
  test("a reload's new pipeline takes the old one's place", async () => {
    await open();
    const stream = await tap("/tap?job=app");
    pipelines.app = compileTapped([], makeWorld());
    jobs = [jobOf("app", pipelines.app)];
    await until(() => isWatched("app"));
    pipelines.app.process(makeBatch(["new"]));
    await until(() => stream.text().includes('"line":"new"'));
    stream.close();
  });
  test("the end of the agent ends them", async () => {
    await open();
    const stream = await tap("/tap");
    await http.close(5_000);
    await until(() => stream.ended());
    expect(isWatched("app")).toBe(false);
  });
});

describe("pages", () => {
  const gets = async (path: string, accept: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${http.port}${path}`, { headers: { accept } });
  test("a list of the taps, with links", async () => {
    await open();
    expect(await (await gets("/tap", "text/html")).text()).toContain('<a class="label" href="?job=a%26b&#38;stage=output">output</a>');
  });
  test("its JSON twin", async () => {
    await open();
    expect(await (await gets("/tap", "application/json")).json()).toContainEqual({ job: "app", stage: "1.drop" });
  });
  test("one that watches, with the one script its policy allows", async () => {
    await open();
    const response = await gets("/tap?job=%3Cb%3E&stage=0", "text/html");
    const text = await response.text();
    const script = /<script>([\s\S]*)<\/script>/.exec(text)![1]!;
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(script))).toString("base64");
    expect(response.headers.get("content-security-policy")).toContain(`script-src 'sha256-${hash}'`);
    expect(text).toContain('value="&#60;b&#62;"');
    expect(text).not.toContain("<b>&lt;");
  });
  test("other pages lead here, and may run no script", async () => {
    jobs = [];
    await open();
    const response = await gets("/targets", "text/html");
    expect(response.headers.get("content-security-policy")).not.toContain("script-src");
    expect(await response.text()).toContain('<a href="/tap">Live tap</a>');
  });
});
