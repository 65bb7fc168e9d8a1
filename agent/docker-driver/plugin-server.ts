// Docker's plugin protocol: JSON over HTTP on a unix socket. https://docs.docker.com/engine/extend/plugin_api/ and …/plugins_logging/

import { rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname } from "node:path";
import { messageOf } from "../../lib/runtime/invariant.ts";
import type { Log } from "../../lib/runtime/log.ts";
import type { LogDriver } from "./driver.ts";

/** A container's labels and variables are in the request. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const CONTENT_TYPE = "application/vnd.docker.plugins.v1.1+json";

interface StartRequest {
  readonly File?: string;
  readonly Info?: unknown;
}

export interface PluginServer {
  close(): Promise<void>;
}

/** @throws Error when the socket cannot be made */
export async function openPluginServer(socketPath: string, driver: LogDriver, log: Log): Promise<PluginServer> {
  const answers: Readonly<Record<string, (body: StartRequest) => object>> = {
    "/Plugin.Activate": () => ({ Implements: ["LoggingDriver"] }),
    // Docker keeps a cache of its own for `docker logs`.
    "/LogDriver.Capabilities": () => ({ Cap: { ReadLogs: false } }),
    "/LogDriver.StartLogging": ({ File, Info }) => {
      if (typeof File !== "string" || File === "") throw new Error("File is missing: the path of the pipe to read");
      driver.start(File, Info);
      return { Err: "" };
    },
    "/LogDriver.StopLogging": ({ File = "" }) => {
      driver.stop(File);
      return { Err: "" };
    },
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    const make = answers[path];
    if (make === undefined) return send(response, 404, { Err: `${path} is no call of this plugin` });
    try {
      send(response, 200, make(await readBody(request)));
    } catch (error) {
      log.error({ call: path, error: messageOf(error) }, "call of Docker refused");
      // Docker shows the text of `Err` to who starts the container, with any status.
      send(response, 500, { Err: messageOf(error) });
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await mkdir(dirname(socketPath), { recursive: true });
  // Left by a plugin that was killed.
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readBody(request: IncomingMessage): Promise<StartRequest> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`the call is longer than ${BODY_BYTES_MAX} bytes`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString("utf8");
  return text.trim() === "" ? {} : ((JSON.parse(text) ?? {}) as StartRequest);
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": CONTENT_TYPE }).end(`${JSON.stringify(body)}\n`);
}
